// The files of dist/, with the headers that the host gives them.

import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");

// The host's own, so that what breaks there breaks here.
export const CSP =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

function place(pathname) {
  return join(dist, normalize(pathname === "/" ? "/index.html" : pathname));
}

export function has(pathname) {
  return existsSync(place(pathname));
}

export function site(pathname, response) {
  const headers = { "content-security-policy": CSP, "x-content-type-options": "nosniff" };
  if (has(pathname)) {
    const type = TYPES[extname(place(pathname))] ?? "application/octet-stream";
    response.writeHead(200, { ...headers, "content-type": type }).end(readFileSync(place(pathname)));
  } else {
    const error = { code: "NotFound", message: `there is nothing at '${pathname}'` };
    response
      .writeHead(404, { ...headers, "content-type": "application/json" })
      .end(JSON.stringify({ error }));
  }
}
