// Starts a host with 3,000 scored transactions and runs the browser tests against it; `node run.mjs`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Host, tamis } from "../../scripts/lib/host.mjs";

const COUNT = 3000;
const here = fileURLToPath(new URL(".", import.meta.url));
const host = await Host.start();
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Runs one test file; answers whether it passed. */
async function passes(file, env) {
  const args = ["--test", "--test-reporter=spec", file];
  const [code] = await once(spawn(process.execPath, args, { cwd: here, stdio: "inherit", env: { ...process.env, ...env } }), "exit");
  return code === 0;
}

let ok = false;
try {
  host.generate(COUNT, 11);
  const stored = await host.waitForDocuments(COUNT);
  const file = join(host.data, "documents.jsonl");
  writeFileSync(file, stored.map((document) => `${JSON.stringify(document)}\n`).join(""));
  const pid = join(host.data, "pid");
  writeFileSync(pid, String(host.process.pid));
  const start = `${quoted(tamis)} run --listen 127.0.0.1:${host.port} --data-dir ${quoted(host.data)} >/dev/null 2>&1 & echo $! >${quoted(pid)}`;
  const env = {
    TAMIS_ADDRESS: host.url,
    TAMIS_DOCUMENTS: file,
    // Killed, not asked: the totals must hold all the same.
    TAMIS_RESTART_COMMAND: `kill -KILL $(cat ${quoted(pid)}); sleep 1; ${start}`,
    TAMIS_SEND_COMMAND: `${quoted(tamis)} generate --count 500 --seed 12 --quiet --to ${host.url}`,
  };
  ok = (await passes("page.test.mjs", env)) && (await passes("score.test.mjs", env)) && (await passes("restart.test.mjs", env));
  // The host that the restart left behind.
  const [stopped] = await once(spawn("sh", ["-c", `kill -INT $(cat ${quoted(pid)})`], { stdio: "ignore" }), "exit");
  ok &&= stopped === 0;
} finally {
  await host.remove();
}
process.exit(ok ? 0 : 1);
