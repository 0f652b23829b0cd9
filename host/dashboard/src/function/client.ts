// The page's end of the worker: loads the function, asks it for scores, and stops it when it does not answer.

import type { Loaded, Reply, Request, Rows, Scored } from "./protocol.ts";

const PATIENCE_MS = 10_000;

interface Waiting {
  resolve(value: Loaded | Scored): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

type Call = { call: "load"; version: string } | { call: "score"; rows: Rows };

export class FunctionClient {
  loaded: Loaded | undefined;
  error: string | undefined;
  readonly #changed: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #version: string | undefined;
  #ready: Promise<void> = Promise.resolve();
  #next = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Loads the module of that version (the host's hash), once. */
  use(version: string): void {
    if (version !== this.#version) this.reload(version);
  }

  /** Loads the module anew in a fresh worker. */
  reload(version = this.#version ?? ""): void {
    this.stop("Another version of the function is being loaded.");
    this.#version = version;
    this.error = undefined;
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "function" });
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      if (!waiting) return;
      this.#waiting.delete(data.id);
      clearTimeout(waiting.timer);
      if ("ok" in data) waiting.resolve(data.ok);
      else waiting.reject(new Error(data.error));
    };
    worker.onerror = (event) => this.stop(event.message || "The worker could not be started.");
    this.#ready = this.#call({ call: "load", version }).then(
      (loaded) => {
        this.loaded = loaded as Loaded;
        this.#changed();
      },
      (error: Error) => {
        if (worker === this.#worker || this.#worker === undefined) {
          this.loaded = undefined;
          this.error = error.message;
          this.#changed();
        }
        throw error;
      },
    );
    this.#ready.catch(() => {});
  }

  async score(rows: Rows): Promise<Scored> {
    await this.#ready;
    return (await this.#call({ call: "score", rows })) as Scored;
  }

  /** Ends the worker at once; what it was asked fails with that reason. */
  stop(reason: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new Error(reason));
    }
    this.#waiting.clear();
  }

  #call(call: Call): Promise<Loaded | Scored> {
    const worker = this.#worker;
    if (!worker) return Promise.reject(new Error(this.error ?? "The function is not loaded yet."));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.stop(`The function did not answer within ${PATIENCE_MS / 1000} s and was stopped.`);
        if (call.call === "score") this.reload();
      }, PATIENCE_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      worker.postMessage({ id, ...call } satisfies Request);
    });
  }
}
