// send.mjs ADDRESS HUB KEY_NAME KEY: sends events the way the documentation of Event Hubs' REST shows for JavaScript, and
// prints the status of each request. Events come on standard input, one a line.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const [address, hub, keyName, key] = process.argv.slice(2);
const events = readFileSync(0, "utf8").trim().split("\n");

function token(uri) {
  const encoded = encodeURIComponent(uri);
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const hash = createHmac("sha256", key).update(`${encoded}\n${expiry}`, "utf8").digest("base64");
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(hash)}&se=${expiry}&skn=${keyName}`;
}

async function post(path, scope, headers, body) {
  const answer = await fetch(`${address}/${hub}/${path}?timeout=60&api-version=2014-01`, {
    method: "POST",
    headers: { Authorization: token(`https://contoso.servicebus.windows.net/${scope}`), ...headers },
    body,
  });
  console.log(`${answer.status} ${path} ${(await answer.text()).length}`);
}

const single = { "Content-Type": "application/atom+xml;type=entry;charset=utf-8" };
const batch = { "Content-Type": "application/vnd.microsoft.servicebus.json" };
await post("messages", hub, { ...single, BrokerProperties: '{"PartitionKey": "device 7"}', Alert: "Strong Wind" }, events[0]);
await post("partitions/2/messages", `${hub}/partitions/2`, single, events[1]);
await post("publishers/device-7/messages", `${hub}/publishers/device-7`, single, events[2]);
const items = events.slice(3).map((Body, number) => ({
  Body: number % 2 ? Buffer.from(Body).toString("base64") : Body,
  IsBodyBase64: number % 2 === 1,
  UserProperties: { Alert: "Strong Wind", number },
  BrokerProperties: { PartitionKey: `device ${number % 3}` },
}));
await post("messages", "", batch, JSON.stringify(items));
