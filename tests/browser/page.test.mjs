// The live page in a real Chromium: what it shows equals what the host stored, and what it scores equals the host's.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessibility, documents, hook, launch, number, open, screenshot, until, value } from "./support.mjs";

const rows = documents();
const expected = Number(process.env.TAMIS_EXPECT_PREDICTIONS ?? rows.length);
const flagged = rows.filter((row) => row.prediction === 1);
let browser;
let page;
let troubles;

before(async () => {
  browser = await launch();
  ({ page, troubles } = await open(browser));
  await until(page, "predictions", expected);
});

after(() => browser?.close());

test("the cards show what is stored", async () => {
  assert.equal(rows.length, expected, "the file of documents is complete");
  assert.equal(await number(page, "flagged"), flagged.length);
  assert.equal(await number(page, "share"), expected === 0 ? 0 : flagged.length / expected);
  assert.ok((await number(page, "dead-letters")) >= 0);
  assert.ok((await number(page, "events-per-second")) >= 0);
  assert.match(await hook(page, "watermark-delay").textContent(), /\d (s|min|h|d)|–/);
  const shown = (await hook(page, "predictions").textContent()).replaceAll(/\D/g, "");
  assert.equal(Number(shown), expected, "the text says what the value says");
  assert.equal(await value(page, "connection"), "live");
});

/** Whether a value belongs to a label: itself, or a bin `0–25`, `under 0`, `300 and more`. */
function belongs(label, it) {
  const bin = label.match(/^(-?[\d.]+)–(-?[\d.]+)$/);
  if (bin) return it >= Number(bin[1]) && it < Number(bin[2]);
  const below = label.match(/^under (-?[\d.]+)$/);
  if (below) return it < Number(below[1]);
  const above = label.match(/^(-?[\d.]+) and more$/);
  if (above) return it >= Number(above[1]);
  return String(it) === label;
}

for (const column of ["day_of_week", "amount", "month"]) {
  test(`the breakdown by ${column} shows what is stored`, async () => {
    const shown = await hook(page, `breakdown-${column}-row`).evaluateAll((found) =>
      found.map((row) => ({ ...row.dataset, text: row.querySelector(".number").textContent })),
    );
    assert.ok(shown.length >= 2);
    const named = shown.filter(({ label }) => label !== "other");
    const other = (list) => list.filter((row) => !named.some(({ label }) => belongs(label, row[column]))).length;
    for (const { label, all, flagged: marked, text } of shown) {
      const of = (list) =>
        label === "other" ? other(list) : list.filter((row) => belongs(label, row[column])).length;
      assert.equal(Number(all), of(rows), `all of ${label}`);
      assert.equal(Number(marked), of(flagged), `flagged of ${label}`);
      assert.equal(Number(text.replaceAll(/\D/g, "")), of(flagged), `the text of ${label}`);
    }
    const sum = shown.reduce((total, { all }) => total + Number(all), 0);
    assert.equal(sum, expected, "every row is in one place");
  });
}

test("the histogram counts every score", async () => {
  const counts = await hook(page, "histogram-count").evaluateAll((found) =>
    found.map((cell) => Number(cell.dataset.value)),
  );
  const wanted = counts.map(() => 0);
  for (const { score } of rows) wanted[Math.min(counts.length - 1, Math.floor(score * counts.length))]++;
  assert.deepEqual(counts, wanted);
});

test("the latest rows are stored rows, and frauds are marked", async () => {
  const shown = await hook(page, "latest-row").evaluateAll((found) =>
    found.map((row) => ({
      ...row.dataset,
      marked: row.querySelector(".flag-mark") !== null,
      cells: Object.fromEntries(
        [...row.querySelectorAll("[data-column]")].map((cell) => [cell.dataset.column, cell.dataset.value]),
      ),
    })),
  );
  assert.equal(shown.length, Math.min(20, rows.length));
  const seen = new Set();
  for (const { id, score, flagged: flag, marked, cells } of shown) {
    const same = rows.findIndex(
      (row, index) =>
        !seen.has(index) &&
        String(row.id) === id &&
        String(row.score) === score &&
        Object.entries(cells).every(([column, cell]) => String(row[column]) === cell),
    );
    assert.notEqual(same, -1, `${id} ${JSON.stringify(cells)} is stored`);
    seen.add(same);
    assert.equal(Number(flag), rows[same].prediction);
    assert.equal(marked, rows[same].prediction === 1);
    assert.ok(Object.keys(cells).length >= 3, "the columns are there");
  }
});

test("the function here is the host's, byte for byte", async () => {
  const host = await value(page, "model-sha256");
  assert.match(host, /^[0-9a-f]{64}$/);
  await until(page, "tryit-bytes", host);
  assert.match(await hook(page, "tryit-bytes").textContent(), /same bytes as the host/);
});

/** Types a row into the form. */
async function type(row, columns) {
  for (const { name } of columns) {
    const field = page.locator(`[data-test="tryit"] [name="${name}"]`);
    const text = String(row[name]);
    if ((await field.evaluate((it) => it.tagName)) === "INPUT") {
      await field.fill(text);
      continue;
    }
    const options = await field.locator("option").evaluateAll((all) => all.map((it) => it.value));
    if (options.includes(text)) await field.selectOption(text);
    else {
      await field.selectOption(options.at(-1));
      await page.locator(`[data-test="tryit"] input[name="${name}"]`).fill(text);
    }
  }
}

const signature = () => page.evaluate(() => window.tamis.function()?.signature);

test("what is typed is scored here as the host scored it", async () => {
  await until(page, "tryit-bytes", await value(page, "model-sha256"));
  const { columns, threshold } = await signature();
  const plain = rows.filter((row) => row.prediction === 0);
  const chosen = [...flagged.slice(0, 2), ...plain.slice(0, 2), rows.at(-1)].filter(Boolean);
  assert.ok(chosen.length >= Math.min(5, rows.length));
  for (const row of chosen) {
    await type(row, columns);
    await hook(page, "tryit-submit").click();
    await until(page, "tryit-score", row.score);
    assert.equal(await hook(page, "tryit-score").textContent(), row.score.toFixed(4));
    assert.equal(await number(page, "tryit-prediction"), row.prediction);
    assert.equal(row.prediction, row.score >= threshold ? 1 : 0);
    assert.equal(await hook(page, "tryit-error").count(), 0);
  }
});

test("a row of the table is scored here as on the host", async () => {
  await hook(page, "latest-row").first().getByRole("button").click();
  await page.locator('[data-test="tryit-compare"][data-same="true"]').waitFor();
  assert.match(await hook(page, "tryit-compare").textContent(), /identical/);
});

test("bad input is named and gets no score", async () => {
  const { columns } = await signature();
  const first = (type) => columns.find((column) => column.type === type)?.name;
  const cases = [
    [first("float"), "", "no value"],
    [first("float"), "abc", "'abc'"],
    [first("float"), "12,5", "'12,5'"],
    [first("float"), "NaN", "NaN"],
    [first("float"), "1e999", "inf"],
    [first("bigint"), "1.5", "1.5"],
    [first("bigint"), "99999999999999999999", "64 bits"],
  ].filter(([name]) => name);
  await type(rows[0], columns);
  for (const [name, text, says] of cases) {
    const field = page.locator(`[data-test="tryit"] [name="${name}"]`);
    const good = await field.inputValue();
    await field.fill(text);
    await hook(page, "tryit-submit").click();
    await hook(page, "tryit-error").waitFor();
    const message = await hook(page, "tryit-error").textContent();
    assert.ok(message.includes(name.replaceAll("_", " ")), `${message} names ${name}`);
    assert.ok(message.toLowerCase().includes(says.toLowerCase()), `${message} says ${says}`);
    assert.equal(await value(page, "tryit-score"), "");
    assert.equal(await value(page, "tryit-prediction"), "");
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    await field.fill(good);
    await until(page, "tryit-score", rows[0].score);
    assert.equal(await field.getAttribute("aria-invalid"), "false");
  }
});

test("the keyboard reaches the form and scores with Enter", async () => {
  const { columns } = await signature();
  await type(rows[0], columns);
  const number = columns.find((column) => column.type === "float") ?? columns[0];
  await page.locator(`[data-test="tryit"] [name="${number.name}"]`).focus();
  await page.keyboard.press("Tab");
  const next = await page.evaluate(() => document.activeElement.name);
  assert.equal(next, columns[columns.indexOf(number) + 1]?.name);
  await page.keyboard.press("Enter");
  await until(page, "tryit-score", rows[0].score);
  assert.equal(page.url(), new URL("/", page.url()).href, "the form is not sent anywhere");
});

test("light and dark differ, and both are readable", async () => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const seen = new Set();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.mouse.move(0, 0);
    seen.add(await background());
    assert.deepEqual(await accessibility(page), [], `accessibility, ${colorScheme}`);
    await page.evaluate(() => scrollTo(0, 0));
    await screenshot(page, `page-${colorScheme}`);
    await screenshot(page, `page-${colorScheme}-whole`, { fullPage: true });
  }
  assert.equal(seen.size, 2);
  await page.emulateMedia({ colorScheme: "light" });
});

test("a phone shows it without scrolling sideways", async () => {
  const phone = await open(browser, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true });
  await until(phone.page, "predictions", expected);
  await hook(phone.page, "tryit-score").waitFor();
  for (const width of [390, 320]) {
    await phone.page.setViewportSize({ width, height: 844 });
    // The charts take a frame to follow.
    await phone.page
      .waitForFunction((width) => document.documentElement.scrollWidth <= width, width, { timeout: 5000 })
      .catch(async () => {
        const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth);
        assert.fail(`${wide} px on a screen of ${width} px`);
      });
  }
  await phone.page.setViewportSize({ width: 390, height: 844 });
  assert.deepEqual(await accessibility(phone.page), []);
  await screenshot(phone.page, "page-phone");
  await screenshot(phone.page, "page-phone-whole", { fullPage: true });
  assert.deepEqual(phone.troubles, []);
  await phone.page.context().close();
});

/** Opens a page whose feed says this instead of what the host says. */
async function told(state) {
  const body = `retry: 60000\nid: 1\nevent: state\ndata: ${JSON.stringify(state)}\n\n`;
  return open(browser, {
    prepare: (page) => page.route("**/feed", (route) => route.fulfill({ contentType: "text/event-stream", body })),
  });
}

const lastState = () => page.evaluate(() => window.tamis.state());

test("before the first event the page says so", async () => {
  const state = await lastState();
  const none = (list) => list.map(() => 0);
  const empty = await told({
    ...state,
    seq: 0,
    job: { ...state.job, documents: 0, dead_letters: 0 },
    totals: { predictions: 0, flagged: 0, share: 0 },
    breakdowns: state.breakdowns.map((it) => ({ ...it, all: none(it.all), flagged: none(it.flagged) })),
    histogram: state.histogram && { ...state.histogram, counts: none(state.histogram.counts) },
    series: state.series.map((it) => ({ ...it, points: [] })),
    latest: [],
  });
  await hook(empty.page, "empty").waitFor();
  assert.equal(await number(empty.page, "predictions"), 0);
  assert.doesNotMatch(await empty.page.locator("body").innerText(), /NaN|undefined|null|Infinity/);
  await empty.page.locator('[data-test="tryit-score"]:not([data-value=""])').waitFor();
  assert.deepEqual(await accessibility(empty.page), []);
  await screenshot(empty.page, "page-empty", { fullPage: true });
  assert.deepEqual(empty.troubles, []);
  await empty.page.context().close();
});

test("text from events stays text", async () => {
  const state = await lastState();
  const hostile = `"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>`;
  const odd = await told({
    ...state,
    title: hostile,
    latest: state.latest.map((row) =>
      Object.fromEntries(Object.entries(row).map(([key, it]) => [key, typeof it === "string" ? hostile : it])),
    ),
    series: state.series.map((it) => ({
      ...it,
      keys: [hostile],
      points: it.points.map(({ time }) => ({ time, values: { [hostile]: 1 } })),
    })),
  });
  await until(odd.page, "predictions", state.totals.predictions);
  await hook(odd.page, "latest-row").first().waitFor();
  assert.equal(await odd.page.evaluate(() => window.hurt), undefined);
  assert.equal(await odd.page.locator("#page img, #page script").count(), 0);
  assert.deepEqual(odd.troubles, []);
  await odd.page.context().close();
});

test("an answer that is no feed is asked for again", async () => {
  let refused = 0;
  const { page: late, troubles: seen } = await open(browser, {
    prepare: (page) =>
      page.route("**/feed", (route) => {
        refused++;
        return refused <= 2 ? route.fulfill({ status: 503, body: "starting" }) : route.continue();
      }),
  });
  await until(late, "connection", "live");
  await until(late, "predictions", expected);
  assert.equal(refused, 3);
  assert.ok(seen.every((trouble) => trouble.includes("503")), seen.join("\n"));
  await late.context().close();
});

test("nothing went wrong in the page", () => assert.deepEqual(troubles, []));
