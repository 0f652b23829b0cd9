// A bounded run of the whole path: 2,000 simulated transactions in, every one a document with the right score out.
// The right score is computed here, in Node, by the same .wasm through its JavaScript door. Exits 0 only when all agree.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COUNT = 2000;
const SEED = 7;
const tamis = process.argv[2];
const require = createRequire(import.meta.url);
const udf = require("../../target/udf/nodejs/tamis_udf.js");

const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const url = `http://127.0.0.1:${port}`;
const data = mkdtempSync(join(tmpdir(), "tamis-check-"));
const lines = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
const output = (...args) => execFileSync(tamis, args, { maxBuffer: 1 << 28, encoding: "utf8" });
const generate = ["generate", "--count", String(COUNT), "--rate", "0", "--seed", String(SEED), "--quiet"];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const started = Date.now();
const host = spawn(tamis, ["run", "--listen", `127.0.0.1:${port}`, "--data-dir", data], { stdio: ["ignore", "inherit", "inherit"] });
let failure;
try {
  for (let i = 0; ; i++) {
    if (await fetch(`${url}/health`).then((answer) => answer.ok, () => false)) break;
    if (i > 150 || host.exitCode !== null) throw new Error("the host did not start");
    await sleep(100);
  }
  const sent = lines(output(...generate));
  output(...generate, "--to", url);
  let documents = [];
  for (let i = 0; i < 300 && documents.length < COUNT; i++) {
    await sleep(100);
    documents = lines(output("documents", "--data-dir", data, "--output", "outputCosmosDB"));
  }
  udf.init();
  const scores = new Map(sent.map((event, row) => [event.id, udf.score([sent[row]])[0]]));
  if (documents.length !== COUNT) throw new Error(`${COUNT} events gave ${documents.length} documents`);
  for (const document of documents) {
    const right = scores.get(document.id);
    if (right === undefined) throw new Error(`document ${document.id} was never sent, or is there twice`);
    if (document.score !== right) throw new Error(`document ${document.id} has score ${document.score}, the function says ${right}`);
    if (document.prediction !== Number(right >= udf.signature().threshold)) throw new Error(`document ${document.id} has the wrong prediction`);
    scores.delete(document.id);
  }
} catch (error) {
  failure = error;
}
host.kill("SIGINT");
if (host.exitCode === null) await new Promise((resolve) => host.on("exit", resolve));
rmSync(data, { recursive: true, force: true });
if (failure) {
  console.error(`check failed: ${failure.message}`);
  process.exit(1);
}
console.log(`check passed: ${COUNT} events, ${COUNT} documents, ${COUNT} equal scores, in ${((Date.now() - started) / 1000).toFixed(1)} s`);
