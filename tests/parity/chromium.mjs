// node chromium.mjs UDF_FOLDER [MODULE] < request.json > answers.json: the function in a page (MODULE is the script in the
// folder that loads it, by default web/tamis_udf.js), in the Chromium that the variable
// CHROMIUM names (default /usr/bin/chromium). The page loads everything from a small server here and sends its answers back to it.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const udf = resolve(process.argv[2]);
const script = process.argv[3] ?? "web/tamis_udf.js";
const request = readFileSync(0);
const profile = mkdtempSync(join(tmpdir(), "tamis-parity-"));
const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

let chromium;
const finish = (code, text) => {
    clearTimeout(timer);
    chromium.removeAllListeners("exit");
    (code === 0 ? process.stdout : process.stderr).write(text, () => {
        const leave = () => {
            try {
                rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
            } catch {
                // A process of the browser's own may write for a moment longer; the folder is a temporary one.
            }
            process.exit(code);
        };
        if (chromium.pid === undefined || chromium.exitCode !== null) return leave();
        chromium.on("exit", leave);
        chromium.kill();
    });
};
const timer = setTimeout(() => finish(1, "the page did not answer within 120 seconds\n"), 120_000);

const server = createServer((incoming, outgoing) => {
    const path = normalize(new URL(incoming.url, "http://localhost").pathname);
    if (path === "/answers") {
        const chunks = [];
        incoming.on("data", (chunk) => chunks.push(chunk));
        incoming.on("end", () => {
            outgoing.end();
            const text = Buffer.concat(chunks).toString();
            const { failed } = JSON.parse(text);
            finish(failed ? 1 : 0, failed ? `${failed}\n` : text);
        });
        return;
    }
    if (path === "/request") return outgoing.end(request);
    try {
        const file = path.startsWith("/udf/") ? join(udf, path.slice(5)) : join(here, path === "/" ? "browser.html" : path);
        const body = readFileSync(file);
        outgoing.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(body);
    } catch {
        outgoing.writeHead(404).end();
    }
});

server.listen(0, "127.0.0.1", () => {
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", `--user-data-dir=${profile}`];
    chromium = spawn(process.env.CHROMIUM || "/usr/bin/chromium", [...flags, `http://127.0.0.1:${server.address().port}/?script=${encodeURIComponent(script)}`], { stdio: "ignore" });
    chromium.on("exit", () => finish(1, "Chromium ended before the page answered\n"));
    chromium.on("error", (error) => finish(1, `Chromium does not start: ${error.message}\n`));
});
