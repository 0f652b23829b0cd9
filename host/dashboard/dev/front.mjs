// Shows dist/ as it is now in front of a running host: the page's files from here, everything else from the host.
// Saves building the host for each change of the page. Nothing here is in the product.
// usage: node dev/front.mjs [--port 8402] [--host http://127.0.0.1:8400]

import { request as ask, createServer } from "node:http";
import { parseArgs } from "node:util";
import { has, site } from "./site.mjs";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8402" },
    host: { type: "string", default: "http://127.0.0.1:8400" },
  },
});

function hand(request, response) {
  const url = new URL(request.url, values.host);
  const headers = { ...request.headers, host: url.host };
  // The host refuses what another origin's page sends.
  if (headers.origin) headers.origin = url.origin;
  const onward = ask(url, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.on("error", () => response.destroy()).pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}

createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (request.method === "GET" && has(pathname)) site(pathname, response);
  else hand(request, response);
}).listen(Number(values.port), "127.0.0.1", () =>
  process.stdout.write(`http://127.0.0.1:${values.port}/ (in front of ${values.host})\n`),
);
