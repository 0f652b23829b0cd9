// The door before the Cosmos DB server: passes everything on, and disturbs writes as it is told.
//
//   POST /-/faults   {"every": N, "kinds": [...], "status": 401}    every Nth write meets the next kind; N = 0: none
//   GET  /-/faults   how many writes came, how many met which kind, and the authorization of the last request
//
// The kinds:
//   throttle   429 with a delay of 50 ms; the write is not done
//   busy       503; the write is not done
//   cut        the connection ends before an answer; the write is not done
//   lost       the write is done, and the connection ends before the answer
//   half       the write is done, and half of the answer comes before the connection ends
//   slow       the write is done, and the answer comes 1.5 s later
//   refuse     `status`, as if the server had decided so; the write is not done

import { createServer, request as send } from "node:http";

const RETRY_AFTER_MS = "50";
const SLOW_MS = 1500;

/** Opens the door on a free port before the server on `port`; answers the door's port. */
export function openDoor(port) {
  let faults = { every: 0, kinds: [], status: 500 };
  let seen = { writes: 0, met: {}, authorization: "" };

  const control = (request, response, body) => {
    if (request.method === "POST") {
      faults = { every: 0, kinds: [], status: 500, ...JSON.parse(body) };
      seen = { ...seen, writes: 0, met: {} };
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(seen));
  };

  /** The fault that this request meets, if any. */
  const fault = (request) => {
    seen.authorization = request.headers.authorization ?? "";
    const write = request.method === "POST" && /\/docs\/?$/.test(request.url) && request.headers["content-type"] !== "application/query+json";
    if (!write) return undefined;
    seen.writes += 1;
    if (!faults.every || seen.writes % faults.every !== 0) return undefined;
    const kind = faults.kinds[Math.floor(seen.writes / faults.every - 1) % faults.kinds.length];
    seen.met[kind] = (seen.met[kind] ?? 0) + 1;
    return kind;
  };

  const refuse = (response, status, headers, message) => {
    response.writeHead(status, { "content-type": "application/json", "x-ms-activity-id": "00000000-0000-0000-0000-000000000000", ...headers });
    response.end(JSON.stringify({ code: String(status), message }));
  };

  const pass = (request, response, body, kind) => {
    const headers = { ...request.headers, "content-length": String(body.length) };
    delete headers["transfer-encoding"];
    const onward = send({ host: "localhost", port, path: request.url, method: request.method, headers }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const text = Buffer.concat(chunks);
      if (kind === "lost") return request.socket.destroy();
      if (kind === "slow") await new Promise((done) => setTimeout(done, SLOW_MS));
      const passed = { ...answer.headers, "content-length": String(text.length) };
      delete passed["transfer-encoding"];
      response.writeHead(answer.statusCode, passed);
      if (kind !== "half") return response.end(text);
      response.write(text.subarray(0, text.length / 2), () => request.socket.destroy());
    });
    onward.on("error", () => request.socket.destroy());
    onward.end(body);
  };

  const door = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // The client went away: it was killed.
    }
    const body = Buffer.concat(chunks);
    if (request.url === "/-/faults") return control(request, response, body);
    const kind = fault(request);
    switch (kind) {
      case "throttle":
        return refuse(response, 429, { "x-ms-retry-after-ms": RETRY_AFTER_MS, "x-ms-substatus": "3200" }, "Request rate is large");
      case "busy":
        return refuse(response, 503, {}, "The service is busy");
      case "refuse":
        return refuse(response, faults.status, {}, "The door refuses");
      case "cut":
        return request.socket.destroy();
      default:
        return pass(request, response, body, kind);
    }
  });
  return new Promise((opened) => door.listen(0, "localhost", () => opened(door.address().port)));
}
