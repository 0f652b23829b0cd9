// Holds the function's wasm, the same bytes that the host runs. Ending this worker ends whatever it does.

import { digest } from "./digest.ts";
import type { Loaded, Reply, Request, Rows, Scored, Signature } from "./protocol.ts";

/** The module's JavaScript door, as wasm-bindgen writes it for the web. */
interface Door {
  default(input: { module_or_path: BufferSource }): Promise<unknown>;
  init(): void;
  run(rows: Rows): number[];
  score(rows: Rows): number[];
  signature(): Signature;
}

let door: Door | undefined;

async function load(version: string): Promise<Loaded> {
  const query = `?v=${encodeURIComponent(version)}`;
  const response = await fetch(`/function.wasm${query}`, { cache: "no-cache" });
  if (!response.ok) throw new Error(`/function.wasm: the host answers ${response.status}`);
  const bytes = await response.arrayBuffer();
  const glue = `/function/tamis_udf.js${query}`;
  const loaded = (await import(/* @vite-ignore */ glue)) as Door;
  await loaded.default({ module_or_path: bytes });
  loaded.init();
  door = loaded;
  return { signature: loaded.signature(), sha256: await digest(bytes), bytes: bytes.byteLength };
}

function score(rows: Rows): Scored {
  if (!door) throw new Error("the function is not loaded");
  const started = performance.now();
  const scores = Array.from(door.score(rows));
  const milliseconds = performance.now() - started;
  return { scores, predictions: Array.from(door.run(rows)), milliseconds };
}

addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  let reply: Reply;
  try {
    reply = { id: data.id, ok: data.call === "load" ? await load(data.version) : score(data.rows) };
  } catch (error) {
    reply = { id: data.id, error: error instanceof Error ? error.message : String(error) };
  }
  postMessage(reply);
});
