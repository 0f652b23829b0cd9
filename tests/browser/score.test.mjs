// The page for anybody's module in a real Chromium: the host's own function scores as the host did, and modules that are
// cut off, foreign or endless have their outcome.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import wabt from "wabt";
import { accessibility, documents, hook, launch, open, screenshot, until, value } from "./support.mjs";

const rows = documents().slice(0, 300);
let browser;
let page;
let troubles;

before(async () => {
  browser = await launch();
  ({ page, troubles } = await open(browser, { path: "/score.html" }));
});

after(() => browser?.close());

/** A module that keeps the contract's forms, and does this when it is called. */
async function module(body, abi = 1) {
  const signature = JSON.stringify({
    abi,
    model: { name: "odd", version: "1", sha256: "0".repeat(64) },
    threshold: 0.5,
    columns: [{ name: "amount", type: "float", missing: "reject", unknown: "accept" }],
    functions: [{ name: "run", returns: "bigint", about: "does what it should not" }],
  });
  const text = `(module
    (memory (export "memory") 2)
    (data (i32.const 8) ${JSON.stringify(signature).replaceAll("\\\"", "\\22")})
    (func (export "tamis_abi") (result i32) (i32.const ${abi}))
    (func (export "tamis_alloc") (param i32) (result i32) (i32.const 65536))
    (func (export "tamis_free") (param i32 i32))
    (func (export "tamis_signature") (result i64) (i64.or (i64.shl (i64.const 8) (i64.const 32)) (i64.const ${signature.length})))
    (func (export "tamis_call") (param i32 i32 i32) (result i64) ${body}))`;
  const made = (await wabt()).parseWat("odd.wat", text);
  return Buffer.from(made.toBinary({}).buffer);
}

/** The reasons that a line shows, and what they come to in all. */
const reasons = (row) =>
  page.locator(`[data-test="result"][data-row="${row}"]`).evaluate((line) => ({
    reasons: [...line.querySelectorAll('[data-test="reason"]')].map(({ dataset, textContent, title }) => ({ ...dataset, sentence: title, text: textContent.replace(/\s+/g, " ").trim() })),
    sum: { ...line.querySelector('[data-test="reason-sum"]')?.dataset },
  }));

const give = (buffer, name = "odd.wasm") =>
  hook(page, "choose-module").setInputFiles({ name, mimeType: "application/wasm", buffer });

async function useHost() {
  await hook(page, "use-host").click();
  await hook(page, "module-sha256").waitFor();
}

/** Pastes rows, presses the button and answers what each line shows. */
async function score(text) {
  await hook(page, "rows").fill(text);
  await hook(page, "score").click();
  await hook(page, "summary").waitFor();
  return hook(page, "result").evaluateAll((found) =>
    found.map((row) => ({
      rejected: row.querySelector('[data-test="rejected"]')?.textContent,
      ...Object.fromEntries([...row.querySelectorAll("[data-column]")].map((cell) => [cell.dataset.column, cell.dataset.value])),
    })),
  );
}

test("the host's function says what it is", async () => {
  await accessibility(page).then((found) => assert.deepEqual(found, []));
  await useHost();
  const bytes = await page.evaluate(() => fetch("/function.wasm").then((answer) => answer.arrayBuffer()));
  assert.ok(bytes);
  const sha256 = await page.evaluate(async () => {
    const bytes = await fetch("/function.wasm").then((answer) => answer.arrayBuffer());
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  });
  assert.equal(await value(page, "module-sha256"), sha256);
  assert.match(await hook(page, "model-name").textContent(), /fraud/);
});

const csv = (rows) => {
  const names = Object.keys(rows[0]);
  return [names.join(), ...rows.map((row) => names.map((name) => JSON.stringify(row[name])).join())].join("\n");
};

for (const [form, write] of [
  ["a JSON array", (rows) => JSON.stringify(rows)],
  ["lines of JSON", (rows) => rows.map((row) => JSON.stringify(row)).join("\n")],
  ["columns under data", (rows) => JSON.stringify({ data: Object.fromEntries(Object.keys(rows[0]).map((name) => [name, rows.map((row) => row[name])])) })],
  ["CSV", csv],
]) {
  test(`rows as ${form} get the host's scores`, async () => {
    const plain = rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, it]) => typeof it !== "object")));
    const shown = await score(write(plain));
    assert.equal(await hook(page, "summary").getAttribute("data-rows"), String(rows.length));
    assert.equal(shown.length, 200);
    shown.forEach((line, at) => {
      assert.equal(Number(line.score), rows[at].score, `row ${at}`);
      assert.equal(Number(line.run), rows[at].prediction, `row ${at}`);
    });
    await hook(page, "rows").fill("");
  });
}

test("each row shows why it has its score", async () => {
  const some = rows.slice(0, 20);
  await score(JSON.stringify(some));
  for (const [at, row] of some.entries()) {
    const shown = await reasons(at);
    assert.equal(shown.reasons.length, 5);
    const sizes = shown.reasons.map(({ contribution }) => Math.abs(Number(contribution)));
    assert.deepEqual(sizes, [...sizes].sort((a, b) => b - a));
    for (const { reason, code, contribution, text, sentence } of shown.reasons) {
      assert.match(sentence, new RegExp(`^${reason} is .+, which (raises|lowers) the log-odds by [0-9.]+$`));
      assert.equal(code, `${reason.toUpperCase()}_${Number(contribution) > 0 ? "RAISES" : "LOWERS"}`);
      assert.ok(text.includes(`${reason} is `) && text.includes(String(row[reason]).slice(0, 6)), text);
    }
    const { base, rest, sum } = Object.fromEntries(Object.entries(shown.sum).map(([name, value]) => [name, Number(value)]));
    const parts = shown.reasons.reduce((sum, { contribution }) => sum + Number(contribution), base + rest);
    assert.ok(Math.abs(parts - sum) < 1e-12);
    // The log-odds of the score that the host stored.
    assert.ok(Math.abs(1 / (1 + Math.exp(-sum)) - row.score) < 1e-12);
  }
});

test("an odd row is rejected with its column, the others have their scores", async () => {
  const [good] = rows;
  const odd = [good, { ...good, amount: "much" }, { ...good, amount: null }, { ...good, amount: { of: 1 } }, { ...good, amount: [1] }, good];
  const shown = await score(JSON.stringify(odd));
  assert.deepEqual(shown.map(({ rejected }) => rejected !== undefined), [false, true, true, true, true, false]);
  for (const [at, says] of [[1, "'much'"], [2, "no value"], [3, "record"], [4, "array"]]) {
    assert.ok(shown[at].rejected.includes("'amount'") && shown[at].rejected.includes(says), shown[at].rejected);
  }
  for (const at of [0, 5]) assert.equal(Number(shown[at].score), good.score);
  await screenshot(page, "score", { fullPage: true });
  assert.deepEqual(await accessibility(page), []);
});

for (const [name, text, says] of [
  ["text that is neither JSON nor lines of it", "{oops", /no JSON/],
  ["a line that is no object", '{"amount":1}\n[1,2]\n3', /Line|Row/],
  ["columns of two lengths", '{"amount":[1,2],"income":[1]}', /'income' has 1/],
  ["nothing", "  ", /Paste rows/],
]) {
  test(`${name} is named`, async () => {
    await hook(page, "rows").fill(text);
    await hook(page, "score").click();
    await hook(page, "rows-problem").waitFor();
    assert.match(await hook(page, "rows-problem").textContent(), says);
  });
}

test("a module that is cut off, foreign, of another contract or greedy is refused with the reason", async () => {
  const host = Buffer.from(await page.evaluate(async () => [...new Uint8Array(await (await fetch("/function.wasm")).arrayBuffer())]));
  const { parseWat } = await wabt();
  const wat = (text) => Buffer.from(parseWat("odd.wat", text).toBinary({}).buffer);
  for (const [bytes, says] of [
    [host.subarray(0, host.length / 2), /no WebAssembly module/],
    [wat('(module (func (export "run")))'), /export 'memory'/],
    [await module("(unreachable)", 7), /version 7/],
    [wat('(module (import "env" "memory" (memory 1)))'), /asks for a memory/],
  ]) {
    await give(bytes);
    await page.locator('[data-test="module-problem"]').filter({ hasText: says }).waitFor();
  }
});

test("a trap and a reply that is none are told, and the next module works", async () => {
  for (const [body, says] of [
    ["(unreachable)", /unreachable/],
    ["(i64.const 0)", /no memory/],
    ["(i64.const 0x0000000800000010)", /not a frame/],
  ]) {
    await give(await module(body));
    await hook(page, "rows").fill('[{"amount": 1}]');
    await hook(page, "score").click();
    await page.locator('[data-test="rows-problem"]').filter({ hasText: says }).waitFor();
  }
});

test("an endless module is stopped, and the page goes on", async () => {
  await give(await module("(loop (br 0)) (i64.const 0)"));
  await hook(page, "rows").fill('[{"amount": 1}]');
  await hook(page, "score").click();
  await hook(page, "stop").click();
  await page.locator('[data-test="rows-problem"]').filter({ hasText: "Stopped" }).waitFor();
  await useHost();
  await hook(page, "examples").click();
  await hook(page, "score").click();
  await hook(page, "summary").waitFor();
  assert.equal(await hook(page, "result").count(), 8);
});

test("a phone shows it without scrolling sideways", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  await screenshot(page, "score-phone", { fullPage: true });
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual(await accessibility(page), []);
});

test("nothing left the page and nothing went wrong in it", () => assert.deepEqual(troubles, []));
