// Holds somebody's module. Ending this worker ends whatever the module does.

import { digest } from "../function/digest.ts";
import type { Opened, Reply, Request, Run } from "./protocol.ts";
import { Module } from "./raw.ts";
import type { Row } from "./rows.ts";

let module: Module | undefined;

async function open(bytes: ArrayBuffer): Promise<Opened> {
  module = await Module.load(bytes);
  return { signature: module.signature, sha256: await digest(bytes), bytes: bytes.byteLength };
}

function run(rows: Row[]): Run {
  if (!module) throw new Error("No module is loaded.");
  const started = performance.now();
  let milliseconds = 0;
  const answers = module.signature.functions.map(({ name }, index) => {
    const answers = (module as Module).call(name, rows);
    if (index === 0) milliseconds = performance.now() - started;
    return { name, answers };
  });
  return { answers, milliseconds };
}

addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  let reply: Reply;
  try {
    reply = { id: data.id, ok: data.call === "open" ? await open(data.bytes) : run(data.rows) };
  } catch (error) {
    reply = { id: data.id, error: error instanceof Error ? error.message : String(error) };
  }
  postMessage(reply);
});
