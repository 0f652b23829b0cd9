// Runs before a script. Everything is hidden in one closure; what the host calls stands in __tamis.
(() => {
  "use strict";
  // Local time is UTC, as in the cloud, wherever this machine stands.
  const Native = Date;
  const P = Native.prototype;
  for (const part of ["Date", "FullYear", "Hours", "Milliseconds", "Minutes", "Month", "Seconds"]) {
    P["get" + part] = P["getUTC" + part];
    P["set" + part] = P["setUTC" + part];
  }
  P.getDay = P.getUTCDay;
  P.getYear = function getYear() { return this.getUTCFullYear() - 1900; };
  P.getTimezoneOffset = function getTimezoneOffset() { return this.getTime() * 0; };
  P.toString = P.toUTCString;
  // A text without a zone is UTC too; one with a zone is no date any more with another one behind it.
  const parse = text => {
    const zoned = Native.parse(text + "Z");
    return Number.isNaN(zoned) ? Native.parse(text) : zoned;
  };
  function Utc(...parts) {
    if (!new.target) return new Utc().toString();
    let [first] = parts;
    if (parts.length > 1) parts = [Native.UTC(...parts)];
    else if (typeof first === "string") parts = [parse(first)];
    return Reflect.construct(Native, parts, new.target);
  }
  Utc.prototype = P;
  Object.defineProperty(Utc, "name", { value: "Date" });
  Object.defineProperty(Utc, "length", { value: 7 });
  Object.defineProperty(P, "constructor", { value: Utc, writable: true, configurable: true });
  for (const [name, value] of [["UTC", Native.UTC], ["now", Native.now], ["parse", parse]])
    Object.defineProperty(Utc, name, { value, writable: true, configurable: true });
  Object.defineProperty(globalThis, "Date", { value: Utc, writable: true, configurable: true });

  // An aggregate's state is its own data: JSON, with a mark on what JSON does not have. Its methods come from main().
  const { stringify, parse: read } = JSON;
  const marked = (kind, value) => ({ $: kind, value });
  const write = function (key, value) {
    const own = this[key];
    if (own instanceof Native) return marked("date", own.getTime());
    if (own instanceof Map) return marked("map", [...own]);
    if (own instanceof Set) return marked("set", [...own]);
    if (typeof own === "bigint") return marked("bigint", String(own));
    if (typeof own === "number" && !(Number.isFinite(own) && !Object.is(own, -0))) return marked("number", Object.is(own, -0) ? "-0" : String(own));
    if (own === undefined) return { $: "undefined" };
    if (own !== null && typeof own === "object" && "$" in own) return marked("object", Object.entries(own));
    return value;
  };
  const revive = (_, value) => {
    if (value === null || typeof value !== "object" || !("$" in value)) return value;
    switch (value.$) {
      case "date": return new Native(value.value);
      case "map": return new Map(value.value);
      case "set": return new Set(value.value);
      case "bigint": return BigInt(value.value);
      case "number": return Number(value.value);
      case "object": return Object.fromEntries(value.value);
      default: return value;
    }
  };
  // JSON.parse drops what it revives as undefined, so that is put back by hand.
  const fill = value => {
    if (value === null || typeof value !== "object" || value instanceof Native) return value;
    if (value.$ === "undefined") return undefined;
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [fill(key), fill(item)]));
    if (value instanceof Set) return new Set([...value].map(fill));
    for (const key of Object.keys(value)) value[key] = fill(value[key]);
    return value;
  };

  const states = new Map();
  const methods = ["init", "accumulate", "deaccumulate", "deaccumulateState", "computeResult"];
  const kept = {
    entry: undefined,
    plain: Object.prototype,
    states,
    has: method => typeof Reflect.construct(kept.entry, [])[method] === "function",
    open: id => { const state = new kept.entry(); state.init(); states.set(id, state); },
    accumulate: (id, value, time) => { states.get(id).accumulate(value, time); },
    deaccumulate: (id, value, time) => { states.get(id).deaccumulate(value, time); },
    deaccumulateState: (id, other) => { states.get(id).deaccumulateState(states.get(other)); },
    computeResult: id => states.get(id).computeResult(),
    close: id => { states.delete(id); },
    save: id => {
      const data = Object.entries(states.get(id)).filter(([name, value]) => !(typeof value === "function" && methods.includes(name)));
      const wrong = data.find(([, value]) => typeof value === "function" || typeof value === "symbol");
      if (wrong) throw new TypeError(`'this.${wrong[0]}' is a ${typeof wrong[1]}, which cannot be saved; keep data in the state`);
      return stringify(Object.fromEntries(data), write);
    },
    restore: (id, text) => { states.set(id, Object.assign(new kept.entry(), fill(read(text, revive)))); },
    isDate: value => value instanceof Native,
    date: time => new Native(time),
    tag: value => Object.prototype.toString.call(value),
  };
  Object.defineProperty(globalThis, "__tamis", { value: Object.seal(kept) });
})();
