// A bounded run of the whole path: 2,000 simulated transactions in, every one a document with the right score out.
// The right score is computed here, in Node, by the same .wasm through its JavaScript door. Exits 0 only when all agree.

import { createRequire } from "node:module";
import { join } from "node:path";
import { Host, target } from "./host.mjs";

const COUNT = 2000;
const SEED = 7;
const udf = createRequire(import.meta.url)(join(target, "udf/nodejs/tamis_udf.js"));

const started = Date.now();
let host;
let failure;
try {
  host = await Host.start();
  const sent = host.generate(COUNT, SEED);
  const documents = await host.waitForDocuments(COUNT);
  udf.init();
  const right = udf.score(sent);
  const { threshold } = udf.signature();
  const scores = new Map(sent.map((event, row) => [event.id, right[row]]));
  if (documents.length !== COUNT) throw new Error(`${COUNT} events gave ${documents.length} documents`);
  for (const { id, score, prediction } of documents) {
    const right = scores.get(id);
    if (right === undefined) throw new Error(`document ${id} was never sent, or is there twice`);
    if (score !== right) throw new Error(`document ${id} has score ${score}, the function says ${right}`);
    if (prediction !== Number(right >= threshold)) throw new Error(`document ${id} has prediction ${prediction} at score ${right}`);
    scores.delete(id);
  }
} catch (error) {
  failure = error;
}
await host?.remove();
if (failure) {
  console.error(`check failed: ${failure.message}`);
  process.exit(1);
}
console.log(`check passed: ${COUNT} events, ${COUNT} documents, ${COUNT} equal scores, in ${((Date.now() - started) / 1000).toFixed(1)} s`);
