// A Cosmos DB server on this machine, with a door that disturbs.
//
//   node cosmos.mjs          prints {"server": "http://localhost:…/", "door": "http://localhost:…/"}; ends with its stdin
//
// The server is @vercel/cosmosdb-server over plain HTTP. Where it differs from the service in a way that stops
// azure_data_cosmos 1.0, its requests and answers are corrected here (see `corrected`). The door stands before it and, when
// told so, answers some of the writes with faults: see faults.mjs.

import { Readable } from "node:stream";
import { createRequire } from "node:module";
import { openDoor } from "./faults.mjs";

const require = createRequire(import.meta.url);
const { createHttpServer } = require("@vercel/cosmosdb-server");

/** An answer's body as the service would have written it. */
function corrected(request, response, body) {
  const path = request.url.split("?")[0];
  const json = () => JSON.parse(body);
  if (path === "/") {
    // The account names the addresses to go on with: the one that was asked, so that whoever came by the door stays there.
    const account = json();
    for (const location of [...account.writableLocations, ...account.readableLocations]) {
      location.databaseAccountEndpoint = `http://${request.headers.host}/`;
    }
    return JSON.stringify(account);
  }
  if (/\/pkranges\/?$/.test(path) && response.statusCode === 200) {
    const ranges = json();
    for (const range of ranges.PartitionKeyRanges ?? []) range.id = String(range.id);
    return JSON.stringify(ranges);
  }
  if (response.statusCode === 500 && /Cannot read properties of (undefined|null)/.test(body)) {
    // What is not there makes the server throw.
    response.statusCode = 404;
    return JSON.stringify({ code: "NotFound", message: "Resource Not Found" });
  }
  if (response.statusCode === 500 && /^.{0,20}Resource with specified/.test(body)) {
    // An upsert against a unique key; the server answers so only when an item is created.
    response.statusCode = 409;
    return JSON.stringify({ code: "Conflict", message: JSON.parse(body).message });
  }
  return body;
}

/** The operations of a batch, each with the partition key that the request names once. */
async function withPartitionKeys(request) {
  const key = request.headers["x-ms-documentdb-partitionkey"];
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const operations = JSON.parse(Buffer.concat(chunks));
  for (const operation of operations) operation.partitionKey ??= key;
  const body = Buffer.from(JSON.stringify(operations));
  const copy = Readable.from([body]);
  return Object.assign(copy, { url: request.url, method: request.method, headers: { ...request.headers, "content-length": String(body.length) } });
}

// The server prints each error that it answers.
console.error = () => {};

const server = createHttpServer({ keepAlive: true, keepAliveTimeout: 60_000 });
const [handle] = server.listeners("request");
server.removeAllListeners("request");
server.on("request", async (request, response) => {
  const end = response.end.bind(response);
  response.end = (body, ...rest) => end(typeof body === "string" ? corrected(request, response, body) : body, ...rest);
  if (request.headers["content-type"] === "application/query+json") {
    // Each range is asked for itself, by its id; the server knows only the older way to say so.
    request.headers["x-ms-documentdb-query-enablecrosspartition"] = "true";
  }
  const batch = request.headers["x-ms-cosmos-is-batch-request"] && request.headers["x-ms-documentdb-partitionkey"];
  handle(batch ? await withPartitionKeys(request) : request, response);
});

server.listen(0, "localhost", async () => {
  const { port } = server.address();
  const door = await openDoor(port);
  console.log(JSON.stringify({ server: `http://localhost:${port}/`, door: `http://localhost:${door}/` }));
});
process.stdin.resume().on("end", () => process.exit(0));
