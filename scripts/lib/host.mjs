// The real program as a process, for the checks that are written in JavaScript.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const tamis = join(target, "release", "tamis");

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** The lines of a command's output, each of which is JSON. */
export function jsonLines(...args) {
  const text = execFileSync(tamis, args, { maxBuffer: 1 << 28, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => probe.on("listening", done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** A host of the default job with a data directory of its own. */
export class Host {
  static async start() {
    const host = new Host();
    host.port = await freePort();
    host.url = `http://127.0.0.1:${host.port}`;
    host.data = mkdtempSync(join(tmpdir(), "tamis-"));
    await host.startAgain();
    return host;
  }

  /** The same host again: same address, same data. */
  async startAgain() {
    const args = ["run", "--listen", `127.0.0.1:${this.port}`, "--data-dir", this.data];
    this.log = "";
    this.process = spawn(tamis, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.process.stderr.on("data", (chunk) => {
      this.log += chunk;
    });
    for (let i = 0; ; i++) {
      if (await fetch(`${this.url}/health`).then((answer) => answer.ok, () => false)) return;
      if (i > 300 || this.process.exitCode !== null) throw new Error(`the host did not start:\n${this.log}`);
      await sleep(50);
    }
  }

  /** Sends simulated transactions; answers them as they were sent. */
  generate(count, seed) {
    const args = ["generate", "--count", String(count), "--seed", String(seed), "--quiet"];
    const events = jsonLines(...args);
    execFileSync(tamis, [...args, "--to", this.url], { stdio: "inherit" });
    return events;
  }

  documents(output = "outputCosmosDB") {
    return jsonLines("documents", "--data-dir", this.data, "--output", output);
  }

  /** Waits until an output has so many documents. */
  async waitForDocuments(count, output) {
    for (let i = 0; ; i++) {
      let documents = [];
      try {
        documents = this.documents(output);
      } catch {
        // The output is not there before its first document.
      }
      if (documents.length >= count) return documents;
      if (i > 300) throw new Error(`${count} events gave ${documents.length} documents:\n${this.log}`);
      await sleep(100);
    }
  }

  /** Ends it with this signal and waits. */
  async end(signal = "SIGINT") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((done) => this.process.on("exit", done));
    this.process.kill(signal);
    await gone;
  }

  async remove() {
    await this.end();
    rmSync(this.data, { recursive: true, force: true });
  }
}
