// node node.mjs UDF_FOLDER < request.json > answers.json: the function in Node.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

import { answers } from "./answers.mjs";

const udf = createRequire(import.meta.url)(join(resolve(process.argv[2]), "nodejs", "tamis_udf.js"));
process.stdout.write(JSON.stringify(answers(udf, JSON.parse(readFileSync(0, "utf8")))));
