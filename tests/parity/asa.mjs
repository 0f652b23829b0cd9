// node asa.mjs SCRIPT STRICT UDF_FOLDER < request.json > answers.json: a function that `tamis export asa-javascript` wrote, in a
// context of its own that has nothing but ECMAScript 2015; and what odd rows come to, there and by the module's own door.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createContext, runInContext } from "node:vm";

const [script, strict, folder] = process.argv.slice(2);
const request = readFileSync(0, "utf8");
const door = createRequire(import.meta.url)(join(resolve(folder), "nodejs", "tamis_udf.js"));

const load = (path) => {
    const context = createContext({ request });
    runInContext("for (const name of ['WebAssembly', 'BigInt', 'SharedArrayBuffer', 'Atomics', 'globalThis', 'TextDecoder']) delete this[name];", context);
    runInContext(readFileSync(path, "utf8"), context);
    return context;
};

const context = load(script);
const start = performance.now();
const scores = runInContext("JSON.parse(request).rows.map(main)", context);
const seconds = (performance.now() - start) / 1e3;

const hex = (score) => {
    if (score === null) return null;
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, score);
    return view.getBigUint64(0).toString(16).padStart(16, "0");
};

const outcome = (run) => {
    try {
        return { score: hex(run()) };
    } catch (error) {
        return { error: error.message.replace(/^row 1, /, "") };
    }
};

// JSON has no NaN, no infinity and no undefined.
const revive = (row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value?.$ === undefined ? value : value.$ === "undefined" ? undefined : Number(value.$)]));

const throwing = load(strict);
const odd = JSON.parse(request).odd.map((row) => {
    // Objects of this context would be none of that one's.
    const here = (source) => runInContext(`main(${JSON.stringify(row)})`, source);
    const revived = revive(row);
    const call = (source) => (JSON.stringify(row).includes('"$"') ? source.main(revived) : here(source));
    return { null: call(context), thrown: outcome(() => call(throwing)), door: outcome(() => door.score([revived])[0]) };
});
process.stdout.write(JSON.stringify({ scores: scores.map(hex), seconds, odd }));
