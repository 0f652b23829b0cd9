// The live page in a real Chromium, on the real host: its numbers are the store's, its own scores are the host's.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { Host } from "../../scripts/lib/host.mjs";

const COUNT = 3000;
const out = fileURLToPath(new URL("out/", import.meta.url));
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

let host;
let browser;
let documents;
let sent = COUNT;

before(async () => {
  mkdirSync(out, { recursive: true });
  host = await Host.start();
  host.generate(COUNT, 11);
  documents = await host.waitForDocuments(COUNT);
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await host?.remove();
});

/** Opens the page; whatever the browser complains about ends up in `page.complaints`. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  await page.goto(host.url);
  await page.getByTestId("connection").and(page.locator("[data-state=live]")).waitFor();
  await shows(page, "total-predictions", sent);
  return page;
}

const value = async (page, id) => Number(await page.getByTestId(id).getAttribute("data-value"));

/** Waits until a figure has this value. */
async function shows(page, id, wanted) {
  await page.waitForFunction(
    ([id, wanted]) => Number(document.querySelector(`[data-testid="${id}"]`)?.dataset.value) === wanted,
    [id, wanted],
    { timeout: 20_000 },
  );
}

const count = (rows, column) => {
  const counts = new Map();
  for (const row of rows) counts.set(String(row[column]), (counts.get(String(row[column])) ?? 0) + 1);
  return counts;
};

test("the numbers on the page are the store's", async () => {
  const page = await open();
  const flagged = documents.filter((document) => document.prediction === 1);
  assert.ok(flagged.length > 100, "the sample has frauds");
  assert.equal(await value(page, "total-flagged"), flagged.length);
  assert.equal(await value(page, "total-share"), flagged.length / COUNT);
  assert.equal(await value(page, "documents"), COUNT);
  assert.equal(await value(page, "dead-letters"), 0);
  for (const column of ["day_of_week", "month"]) {
    const [all, hits] = [count(documents, column), count(flagged, column)];
    const rows = await page.getByTestId(`breakdown-${column}-row`).evaluateAll((rows) => rows.map((row) => ({ ...row.dataset })));
    assert.equal(rows.length, column === "month" ? 12 : 7);
    for (const row of rows) {
      assert.equal(Number(row.all), all.get(row.label) ?? 0, `${column} ${row.label}`);
      assert.equal(Number(row.flagged), hits.get(row.label) ?? 0, `${column} ${row.label}`);
    }
  }
  const bins = await page.getByTestId("breakdown-amount-row").evaluateAll((rows) => rows.map((row) => ({ ...row.dataset })));
  const within = (label) => {
    const [from, to] = label.split("–").map(Number);
    if (label.startsWith("under")) return (amount) => amount < 0;
    if (label.endsWith("and more")) return (amount) => amount >= Number.parseFloat(label);
    return (amount) => amount >= from && amount < to;
  };
  for (const bin of bins) {
    const inside = within(bin.label);
    assert.equal(Number(bin.all), documents.filter((it) => inside(it.amount)).length, `amount ${bin.label}`);
    assert.equal(Number(bin.flagged), flagged.filter((it) => inside(it.amount)).length, `amount ${bin.label}`);
  }
  assert.equal(bins.reduce((sum, bin) => sum + Number(bin.all), 0), COUNT);
  const latest = await page.getByTestId("latest-row").evaluateAll((rows) => rows.map((row) => ({ ...row.dataset })));
  assert.equal(latest.length, 20);
  for (const row of latest) {
    const document = documents.find((document) => String(document.id) === row.id);
    assert.equal(Number(row.score), document.score);
    assert.equal(Number(row.flagged), document.prediction);
  }
  assert.deepEqual(page.complaints, []);
  await page.screenshot({ path: `${out}/light.png`, fullPage: true });
  await page.context().close();
});

test("the model on the page is the wasm that the host serves", async () => {
  const page = await open();
  const bytes = await fetch(`${host.url}/function.wasm`).then((answer) => answer.arrayBuffer());
  const digest = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
  assert.equal(await page.getByTestId("model-hash").getAttribute("data-value"), digest);
  assert.equal(await value(page, "model-bytes"), bytes.byteLength);
  // What the browser itself loaded and hashed.
  await page.getByTestId("try-bytes").and(page.locator(`[data-value="${digest}"]`)).waitFor();
  await page.context().close();
});

test("the browser's score of what is typed is the host's, to the last bit", async () => {
  const page = await open();
  await page.getByTestId("try-score").waitFor();
  const columns = await page.evaluate(() => window.tamis.function().signature.columns.map((column) => column.name));
  const frauds = documents.filter((document) => document.prediction === 1).slice(0, 3);
  for (const document of [...documents.slice(0, 3), ...frauds]) {
    for (const column of columns) {
      const field = page.getByTestId(`try-field-${column}`);
      const text = String(document[column]);
      if (await field.evaluate((element) => element instanceof HTMLSelectElement)) await field.selectOption(text);
      else await field.fill(text);
    }
    await shows(page, "try-score", document.score);
    assert.equal(await value(page, "try-prediction"), document.prediction);
  }
  // All documents at once, through the same worker.
  const scores = await page.evaluate((rows) => window.tamis.score(rows), documents);
  documents.forEach((document, row) => assert.ok(Object.is(scores[row], document.score), `document ${document.id}`));
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a value that does not fit is answered with the reason and no score", async () => {
  const page = await open();
  await page.getByTestId("try-score").waitFor();
  for (const [text, words] of [["", "amount"], ["twelve", "amount"], ["NaN", "amount"]]) {
    await page.getByTestId("try-field-amount").fill(text);
    const error = page.getByTestId("try-error");
    await error.waitFor();
    assert.match(await error.textContent(), new RegExp(words));
    assert.equal(await page.getByTestId("try-score").count(), 0);
  }
  await page.getByTestId("try-field-amount").fill("100");
  await page.getByTestId("try-score").waitFor();
  await page.context().close();
});

test("it fits a phone and has a dark side", async () => {
  const phone = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 });
  const [width, inner] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width <= inner, `the page is ${width} wide on a screen of ${inner}`);
  await phone.screenshot({ path: `${out}/phone.png`, fullPage: true });
  const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background(phone);
  const dark = await open({ colorScheme: "dark" });
  assert.notEqual(await background(dark), light);
  await dark.screenshot({ path: `${out}/dark.png`, fullPage: true });
  assert.deepEqual([...phone.complaints, ...dark.complaints], []);
  await phone.context().close();
  await dark.context().close();
});

test("it follows the job without reload, also through a restart of the host", async () => {
  const page = await open();
  await page.evaluate(() => {
    window.marker = "not reloaded";
  });
  const flagged = await value(page, "total-flagged");
  await host.end("SIGKILL");
  await page.getByTestId("connection").and(page.locator("[data-state=reconnecting]")).waitFor();
  assert.equal(await value(page, "total-predictions"), COUNT, "the last numbers stay");
  await host.startAgain();
  await page.getByTestId("connection").and(page.locator("[data-state=live]")).waitFor({ timeout: 20_000 });
  assert.equal(await value(page, "total-predictions"), COUNT, "nothing is counted twice or lost");
  assert.equal(await value(page, "total-flagged"), flagged);
  sent += 500;
  host.generate(500, 12);
  await shows(page, "total-predictions", sent);
  const now = await host.waitForDocuments(sent);
  assert.equal(await value(page, "total-flagged"), now.filter((document) => document.prediction === 1).length);
  assert.equal(await page.evaluate(() => window.marker), "not reloaded");
  await page.context().close();
});

test("windows close and are drawn", async () => {
  const page = await open();
  // A window of ten seconds closes when the watermark has passed its end: within twenty seconds.
  await page.waitForFunction(() => (window.tamis.state()?.series[0]?.points.length ?? 0) > 0, undefined, { timeout: 40_000 });
  const frauds = await page.evaluate(() =>
    window.tamis
      .state()
      .series[0].points.flatMap((point) => Object.values(point.values))
      .reduce((sum, value) => sum + value, 0),
  );
  assert.ok(frauds > 0);
  await page.screenshot({ path: `${out}/windows.png` });
  await page.context().close();
});
