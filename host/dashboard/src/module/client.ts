// The page's end of the worker: opens a module, runs rows through it, and ends it when it is told to stop.

import type { Opened, Reply, Request, Run } from "./protocol.ts";
import type { Row } from "./rows.ts";

type Call = { call: "open"; bytes: ArrayBuffer } | { call: "run"; rows: Row[] };

interface Waiting {
  resolve(value: Opened | Run): void;
  reject(error: Error): void;
}

export class ModuleClient {
  #worker: Worker | undefined;
  #bytes: ArrayBuffer | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /** Opens a module in a fresh worker; the one before is ended. */
  async open(bytes: ArrayBuffer): Promise<Opened> {
    this.stop("Another module is being opened.");
    this.#bytes = bytes;
    return (await this.#call({ call: "open", bytes })) as Opened;
  }

  async run(rows: Row[]): Promise<Run> {
    // After a stop the module is opened anew: what it was doing is gone, and so is its memory.
    if (!this.#worker && this.#bytes) await this.#call({ call: "open", bytes: this.#bytes });
    return (await this.#call({ call: "run", rows })) as Run;
  }

  /** Ends the worker at once; what it was asked fails with that reason. */
  stop(reason: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }

  #call(call: Call): Promise<Opened | Run> {
    const worker = this.#ready();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...call } satisfies Request);
    });
  }

  #ready(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "module" });
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("ok" in data) waiting?.resolve(data.ok);
      else waiting?.reject(new Error(data.error));
    };
    worker.onerror = (event) => this.stop(event.message || "The worker could not be started.");
    this.#worker = worker;
    return worker;
  }
}
