// The host stops and comes back: the page says so, goes on by itself, and never counts backwards.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { hook, launch, needed, number, open, PATIENCE, screenshot, until, value } from "./support.mjs";

let browser;
let page;

before(async () => {
  browser = await launch();
  ({ page } = await open(browser));
  await until(page, "connection", "live");
});

after(() => browser?.close());

/** Runs a shell command. What it starts in the background outlives it. */
async function run(command) {
  const [code] = await once(spawn("sh", ["-c", command], { stdio: ["ignore", "ignore", "inherit"] }), "exit");
  assert.equal(code, 0, command);
}

test("the page reconnects by itself and its totals do not go back", async () => {
  await page.evaluate(() => {
    window.marker = "not reloaded";
    window.connections = [];
    const element = document.querySelector('[data-test="connection"]');
    new MutationObserver(() => window.connections.push(element.dataset.value)).observe(element, {
      attributeFilter: ["data-value"],
    });
  });
  const before = { predictions: await number(page, "predictions"), flagged: await number(page, "flagged") };
  const hash = await value(page, "model-sha256");
  await run(needed("TAMIS_RESTART_COMMAND"));
  await page.waitForFunction(() => window.connections?.includes("reconnecting"), undefined, { timeout: PATIENCE });
  await screenshot(page, "restart-away");
  await page.waitForFunction(() => window.connections?.at(-1) === "live", undefined, { timeout: PATIENCE });
  assert.equal(await page.evaluate(() => window.marker), "not reloaded");
  assert.match(await hook(page, "connection").textContent(), /live/);
  assert.ok((await number(page, "predictions")) >= before.predictions, "predictions");
  assert.ok((await number(page, "flagged")) >= before.flagged, "flagged");
  assert.equal(await value(page, "model-sha256"), hash);
  await hook(page, "tryit-submit").click();
  await page.locator('[data-test="tryit-score"]:not([data-value=""])').waitFor();
  await screenshot(page, "restart-back");
});

test("what comes after the restart is counted", { skip: !process.env.TAMIS_SEND_COMMAND }, async () => {
  const before = await number(page, "predictions");
  await run(process.env.TAMIS_SEND_COMMAND);
  await page.waitForFunction(
    (before) => Number(document.querySelector('[data-test="predictions"]').dataset.value) > before,
    before,
  );
  assert.equal(await page.evaluate(() => window.marker), "not reloaded");
});

test("windows close and are drawn", async () => {
  // A window of ten seconds closes when the watermark has passed its end.
  await page.waitForFunction(
    () => window.tamis.state()?.series[0]?.points.some((point) => Object.keys(point.values).length > 0),
    undefined,
    { timeout: PATIENCE },
  );
  await screenshot(page, "windows");
});
