// A stand-in for the host, for working on the page without building it: serves dist/, a made-up feed, the
// function's files from target/udf, and the doors that tests/browser uses. Nothing here is in the product.
// usage: node dev/feed.mjs [--port 8401] [--rate 40] [--start 0] [--count N] [--bare] [--documents FILE]
// --start made-up events of the past, --count then stops after that many; --bare without the job's words;
// --documents keeps the documents in FILE as JSON lines, and starts with those that are there.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CSP, site } from "./site.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8401" },
    rate: { type: "string", default: "40" },
    start: { type: "string", default: "0" },
    count: { type: "string", default: "" },
    bare: { type: "boolean", default: false },
    documents: { type: "string", default: "" },
    udf: { type: "string", default: process.env.TAMIS_UDF ?? join(here, "../../../target/udf") },
  },
});
const udf = createRequire(import.meta.url)(join(values.udf, "nodejs/tamis_udf.js"));
const wasm = readFileSync(join(values.udf, "tamis_udf.wasm"));
const glue = readFileSync(join(values.udf, "web/tamis_udf.js"));
const signature = udf.signature();

// --- the made-up job ---

const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const CATEGORIES = ["food_store", "restaurant", "dress_store", "tech_store", "big_purchase"];
const AMOUNTS = [0, 25, 50, 75, 100, 125, 150, 200, 300];
const WINDOW_MS = 10_000;

let nextId = 1001000;
const documents = [];
const started = new Date();
let deadLetters = 0;
let seq = 0;
const windows = new Map();
let recent = [];

function normal(mean, sd) {
  return mean + sd * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

function draw(list, weights) {
  let left = Math.random() * weights.reduce((sum, weight) => sum + weight, 0);
  const index = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return list[index] ?? list.at(-1);
}

/** About what `tamis generate` sends. */
function transaction() {
  const fraud = Math.random() < 0.1;
  const low = Math.random();
  const online = Math.random() < (fraud ? 0.42 : 0.3);
  const two = (value) => Math.round(value * 100) / 100;
  return {
    id: nextId++,
    date: new Date().toLocaleString("en-GB").replace(",", ""),
    amount: two(fraud ? (low < 0.3 ? normal(20, 5) : normal(200, 100)) : normal(100, 50)),
    old_balance: two(
      fraud ? (low < 0.5 ? normal(10000, 5000) : normal(200000, 100000)) : normal(100000, 50000),
    ),
    income: two(fraud ? (low < 0.3 ? normal(300, 800) : normal(2000, 1000)) : normal(2000, 1000)),
    credit: draw([0, 1, 2], fraud ? [0.3, 0.4, 0.3] : [0.3, 0.5, 0.2]),
    marital_status: draw([0, 1], fraud ? [0.7, 0.3] : [0.5, 0.5]),
    children: draw([0, 1, 2, 3, 4], fraud ? [0.4, 0.1, 0.1, 0.25, 0.15] : [0.35, 0.3, 0.2, 0.1, 0.05]),
    month: draw(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
      fraud ? [11, 6, 6, 6, 6, 6, 11, 11, 6, 6, 12, 13] : Array(12).fill(1),
    ),
    day_of_week: draw(DAYS, fraud ? [15, 10, 10, 10, 15, 20, 20] : [14, 14, 14, 14, 14, 16, 14]),
    category_recipient: draw(CATEGORIES, fraud ? [37, 7, 22, 22, 12] : [45, 15, 20, 15, 5]),
    transaction_type: online ? "online" : "onsite",
    transaction_method: online
      ? "internet_payement"
      : draw(
          ["phone", "card_with_contact", "card_without_contact", "other"],
          fraud ? [7, 48, 38, 7] : [5, 55, 35, 5],
        ),
    foreign_transaction: draw([0, 1], fraud ? [0.8, 0.2] : [0.9, 0.1]),
  };
}

function accept(event, time = Date.now()) {
  const { date, ...rest } = event;
  let score;
  try {
    [score] = udf.score([event]);
  } catch {
    deadLetters++;
    return;
  }
  const prediction = score >= signature.threshold ? 1 : 0;
  const { id, ...columns } = rest;
  const document = { id, date_of_transact: date, ...columns, prediction, score };
  documents.push(document);
  if (values.documents) appendFileSync(values.documents, `${JSON.stringify(document)}\n`);
  recent.push(time);
  const end = Math.ceil((time + 1) / WINDOW_MS) * WINDOW_MS;
  const window = windows.get(end) ?? {};
  if (prediction) window[event.category_recipient] = (window[event.category_recipient] ?? 0) + 1;
  windows.set(end, window);
}

function tally(title, column, labels, indexOf) {
  const all = labels.map(() => 0);
  const flagged = labels.map(() => 0);
  for (const document of documents) {
    const at = indexOf(document[column]);
    if (at < 0) continue;
    all[at]++;
    flagged[at] += document.prediction;
  }
  return { title, column, labels, all, flagged };
}

/** As the host does it: what lies outside the edges is shown once it occurs. */
function tallyBins(title, column, edges) {
  const bins = edges.slice(1).map((edge, at) => `${edges[at]}–${edge}`);
  const labels = [`under ${edges[0]}`, ...bins, `${edges.at(-1)} and more`];
  const counted = tally(title, column, labels, (value) => edges.filter((edge) => edge <= value).length);
  const shown = (_, at) => counted.all[at] > 0 || (at > 0 && at <= bins.length);
  return Object.fromEntries(
    Object.entries(counted).map(([key, it]) => [key, Array.isArray(it) ? it.filter(shown) : it]),
  );
}

function state() {
  const now = Date.now();
  recent = recent.filter((time) => time > now - 5000);
  const flagged = documents.reduce((sum, document) => sum + document.prediction, 0);
  const counts = Array(20).fill(0);
  for (const { score } of documents) counts[Math.min(19, Math.floor(score * 20))]++;
  const words = {
    flagged: "Predicted frauds",
    share: "Share of fraud",
    mark: "fraud",
    latest: "Latest transactions",
    row: "transaction",
  };
  return {
    seq: ++seq,
    time: new Date(now).toISOString(),
    job: {
      name: "fraud",
      started: started.toISOString(),
      documents: documents.length,
      dead_letters: deadLetters,
    },
    model: {
      name: signature.model.name,
      version: signature.model.version,
      sha256: createHash("sha256").update(wasm).digest("hex"),
      bytes: wasm.length,
      function: "prediction",
    },
    totals: {
      predictions: documents.length,
      flagged,
      share: documents.length ? flagged / documents.length : 0,
    },
    rates: {
      events_per_second: recent.length / 5,
      watermark_delay_seconds: documents.length ? 0.4 : null,
      backlog: 0,
    },
    breakdowns: [
      tally("Predicted frauds by day of week", "day_of_week", DAYS, (value) => DAYS.indexOf(value)),
      tallyBins("Predicted frauds by amount", "amount", AMOUNTS),
      tally(
        "Predicted frauds by month",
        "month",
        Array.from({ length: 12 }, (_, at) => String(at + 1)),
        (value) => (value >= 1 && value <= 12 ? value - 1 : -1),
      ),
    ],
    histogram: {
      column: "score",
      edges: Array.from({ length: 21 }, (_, at) => Math.round(at * 5) / 100),
      counts,
    },
    series: [
      {
        output: "outputFraudsByCategory",
        title: "Predicted frauds by category, per 10 s",
        time: "window_end",
        key: "category_recipient",
        value: "frauds",
        keys: CATEGORIES,
        points: [...windows]
          .filter(([end]) => end <= now)
          .slice(-60)
          .map(([end, counted]) => ({ time: new Date(end).toISOString(), values: counted })),
      },
    ],
    latest: documents.slice(-20).reverse(),
    ...(values.bare ? {} : { title: "Card transactions", words }),
  };
}

// --- serving ---

const listeners = new Set();
let dirty = true;
setInterval(() => {
  if (!dirty && recent.length === 0) return;
  dirty = false;
  const text = JSON.stringify(state());
  for (const listener of listeners) listener.write(`id: ${seq}\nevent: state\ndata: ${text}\n\n`);
}, 250);

const rate = Number(values.rate);
let owed = 0;
setInterval(() => {
  owed += rate / 20;
  for (; owed >= 1 && documents.length < (Number(values.count) || Infinity); owed--) {
    accept(transaction());
    dirty = true;
  }
}, 50);

if (values.documents && existsSync(values.documents)) {
  const lines = readFileSync(values.documents, "utf8").trim().split("\n").filter(Boolean);
  for (const line of lines) documents.push(JSON.parse(line));
  nextId += lines.length;
}

// Events of the past, so that a screenshot has something to show.
const past = Number(values.start);
for (let at = 0; at < past; at++) {
  accept(transaction(), Date.now() - 11_000 - Math.floor(((past - at) / past) * 585_000));
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const send = (status, type, body, headers = {}) =>
    response
      .writeHead(status, {
        "content-type": type,
        "content-security-policy": CSP,
        "x-content-type-options": "nosniff",
        ...headers,
      })
      .end(body);
  if (request.method === "POST" && pathname === "/realtimefdhub/messages") {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const batch = request.headers["content-type"]?.startsWith("application/vnd.microsoft.servicebus.json");
      try {
        const events = batch ? JSON.parse(body).map((event) => JSON.parse(event.Body)) : [JSON.parse(body)];
        for (const event of events) accept(event);
      } catch {
        deadLetters++;
      }
      dirty = true;
      send(201, "application/xml; charset=utf-8", "");
    });
  } else if (pathname === "/feed") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(`retry: 1000\nid: ${seq}\nevent: state\ndata: ${JSON.stringify(state())}\n\n`);
    listeners.add(response);
    request.on("close", () => listeners.delete(response));
  } else if (pathname === "/function.wasm") {
    send(200, "application/wasm", wasm, { "cache-control": "no-cache" });
  } else if (pathname === "/function/tamis_udf.js") {
    send(200, "text/javascript", glue, { "cache-control": "no-cache" });
  } else if (pathname === "/api/documents") {
    send(200, "application/x-ndjson", documents.map((document) => `${JSON.stringify(document)}\n`).join(""));
  } else {
    site(pathname, response);
  }
});
server.listen(Number(values.port), "127.0.0.1", () =>
  process.stdout.write(`http://127.0.0.1:${values.port}/ (a stand-in, made-up events)\n`),
);
