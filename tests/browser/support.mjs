// What the browser tests share: where the host and Chromium are, and a page that remembers whatever went wrong in it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** How long the page may take to show something, in milliseconds. Only a failing test takes that long. */
export const PATIENCE = 60_000;

const out = join(dirname(fileURLToPath(import.meta.url)), "out");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; tests/browser/README.md says what it is for`);
  return value;
}

export const address = () => new URL("/", needed("TAMIS_ADDRESS")).href;

/** The documents as `tamis documents --output …` prints them. Other outputs' lines are left out. */
export function documents() {
  return readFileSync(needed("TAMIS_DOCUMENTS"), "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line))
    .filter((document) => typeof document.score === "number");
}

function browserPath() {
  const places = [
    process.env.CHROMIUM,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ];
  const found = places.find((place) => place && existsSync(place));
  if (!found) throw new Error("no Chromium found; install it (apt-get install chromium) or set CHROMIUM to its path");
  return found;
}

export function launch() {
  // In containers Chromium often runs as root, where its sandbox refuses to start. It only opens our own page.
  return chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox"] });
}

/**
 * Opens the page. `troubles` gathers what must not happen: errors in the console, exceptions, violations of the content
 * security policy, answers that are errors, and requests to anywhere but the host.
 */
export async function open(browser, { prepare, path = "/", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const troubles = [];
  page.on("console", (message) => message.type() === "error" && troubles.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => troubles.push(`exception: ${error.message}`));
  page.on("request", (request) => {
    const foreign = new URL(request.url()).origin !== new URL(address()).origin;
    if (foreign && !/^(data|blob):/.test(request.url())) troubles.push(`request elsewhere: ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
  });
  await page.exposeFunction("reportViolation", (text) => troubles.push(`policy: ${text}`));
  await page.addInitScript(() =>
    addEventListener("securitypolicyviolation", (event) =>
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    ),
  );
  await prepare?.(page);
  await page.goto(new URL(path, address()).href);
  return { page, troubles };
}

export const hook = (page, name) => page.locator(`[data-test="${name}"]`);

export const value = async (page, name) => hook(page, name).getAttribute("data-value");

export const number = async (page, name) => {
  const text = await value(page, name);
  assert.notEqual(text, "", `${name} has no value`);
  return Number(text);
};

/** Waits until an element's exact value is this. */
export async function until(page, name, wanted) {
  try {
    await page.locator(`[data-test="${name}"][data-value="${wanted}"]`).waitFor({ state: "attached" });
  } catch {
    const shown = hook(page, name);
    const found = (await shown.count()) > 0 ? await shown.getAttribute("data-value") : "nothing";
    assert.fail(`${name} should become ${wanted} and is ${found} after ${PATIENCE / 1000} s`);
  }
}

export async function screenshot(page, name, options = {}) {
  mkdirSync(out, { recursive: true });
  await page.screenshot({ path: join(out, `${name}.png`), ...options });
}

/** What axe finds: contrast, names, roles, keyboard. */
export async function accessibility(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 160)}`),
  );
}
