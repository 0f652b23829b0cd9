// The raw door of a module: five exports over 32-bit pointers (udf/frame/src/lib.rs). It needs no JavaScript of the
// module's own, so any module that keeps the contract can be loaded, whoever made it.

import type { Cell, Column, Signature } from "../function/protocol.ts";
import { decode, encode, type FrameColumn, type Values } from "./frame.ts";
import type { Row } from "./rows.ts";

/** The version of the contract that this page speaks. */
const ABI = 1;

interface Exports {
  memory: WebAssembly.Memory;
  tamis_abi(): number;
  tamis_alloc(length: number): number;
  tamis_free(at: number, length: number): void;
  tamis_signature(): bigint;
  tamis_call(call: number, at: number, length: number): bigint;
}

/** What a function answered for one row: a value, or why there is none. */
export type Answer = { value: Cell } | { rejected: string };

export class Module {
  readonly signature: Signature;
  readonly #exports: Exports;

  private constructor(exports: Exports) {
    this.#exports = exports;
    this.signature = JSON.parse(
      new TextDecoder().decode(this.#bytes(exports.tamis_signature())),
    ) as Signature;
  }

  /** @throws Error that says what is missing. */
  static async load(bytes: BufferSource): Promise<Module> {
    let module: WebAssembly.Module;
    try {
      module = await WebAssembly.compile(bytes);
    } catch (error) {
      throw new Error(`This is no WebAssembly module: ${(error as Error).message}`);
    }
    const { exports } = await WebAssembly.instantiate(module, refusing(module));
    for (const name of ["memory", "tamis_abi", "tamis_alloc", "tamis_free", "tamis_signature", "tamis_call"])
      if (!(name in exports))
        throw new Error(`The module does not have the export '${name}'; was it made by tamis pack?`);
    const door = exports as unknown as Exports;
    const theirs = door.tamis_abi();
    if (theirs !== ABI)
      throw new Error(`The module speaks contract version ${theirs}, this page speaks ${ABI}.`);
    return new Module(door);
  }

  /** One answer a row. Rows whose values have other types than the first ones' go in a call of their own. */
  call(name: string, rows: Row[]): Answer[] {
    const number = this.signature.functions.findIndex((it) => it.name === name);
    if (number < 0) throw new Error(`The module has no function '${name}'.`);
    const names = this.signature.columns.map((column) => column.name);
    const picked = rows.map((row) => names.map((name) => pick(row, name)));
    const answers: Answer[] = new Array(rows.length);
    const groups = new Map<string, number[]>();
    picked.forEach((cells, row) => {
      const odd = cells.findIndex((cell) => typeof cell === "object" && cell !== null);
      if (odd >= 0) {
        const { name, type } = this.signature.columns[odd] as Column;
        const given = Array.isArray(cells[odd]) ? "array" : "record";
        answers[row] = { rejected: `column '${name}': ${type} is expected, ${given} was given` };
        return;
      }
      const kinds = cells.map(kind).join();
      const known = groups.get(kinds);
      if (known) known.push(row);
      else groups.set(kinds, [row]);
    });
    for (const group of groups.values()) {
      const columns = names.map(
        (name, at): FrameColumn =>
          column(
            name,
            group.map((row) => picked[row]?.[at] ?? null),
          ),
      );
      this.#once(number, columns, group.length).forEach((answer, at) => {
        answers[group[at] as number] = answer;
      });
    }
    return answers;
  }

  #once(number: number, columns: FrameColumn[], rows: number): Answer[] {
    const { tamis_alloc, tamis_free, tamis_call, memory } = this.#exports;
    const frame = encode({ rows, columns });
    const at = tamis_alloc(frame.length) >>> 0;
    if (at === 0) throw new Error(`The module has no memory for ${rows} rows.`);
    new Uint8Array(memory.buffer).set(frame, at);
    const packed = tamis_call(number, at, frame.length);
    if (packed === 0n) throw new Error("The module has no memory for its answer.");
    const reply = decode(this.#bytes(packed));
    tamis_free(at, frame.length);
    tamis_free(Number(packed >> 32n), Number(packed & 0xffffffffn));
    if (reply.rows !== rows)
      throw new Error(`The module answered ${reply.rows} rows where ${rows} were given.`);
    const results = reply.columns.find((it) => it.name === "result");
    const reasons = reply.columns.find((it) => it.name === "rejected");
    if (!results) throw new Error("The module's reply has no column 'result'.");
    return Array.from({ length: rows }, (_, row) => {
      const reason = reasons && value(reasons, row);
      return typeof reason === "string" ? { rejected: reason } : { value: value(results, row) };
    });
  }

  #bytes(packed: bigint): Uint8Array {
    const at = Number((packed >> 32n) & 0xffffffffn);
    return new Uint8Array(this.#exports.memory.buffer).slice(at, at + Number(packed & 0xffffffffn));
  }
}

/** The imports of the module's JavaScript door, which the raw door never calls. */
function refusing(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function")
      throw new Error(`The module asks for a ${kind} '${name}'; a function of the contract brings its own.`);
    imports[from] ??= {};
    imports[from][name] = () => {
      throw new Error(`The module called '${name}', which it may not.`);
    };
  }
  return imports;
}

function pick(row: Row, name: string): Cell {
  if (name in row) return row[name] ?? null;
  const other = Object.keys(row).find((key) => key.toLowerCase() === name.toLowerCase());
  return other === undefined ? null : (row[other] ?? null);
}

/** JSON has one kind of number; what is whole is an integer. */
function kind(cell: Cell): Values["type"] | "none" {
  if (cell === null) return "none";
  if (typeof cell === "boolean") return "bit";
  if (typeof cell === "bigint") return "bigint";
  if (typeof cell === "number") return Number.isSafeInteger(cell) ? "bigint" : "float";
  return "text";
}

function column(name: string, cells: Cell[]): FrameColumn {
  switch (kind(cells[0] ?? null)) {
    case "none":
      return {
        name,
        data: { type: "float", values: new Float64Array(cells.length) },
        valid: cells.map(() => false),
      };
    case "bit":
      return { name, data: { type: "bit", values: cells.map((cell) => cell === true) } };
    case "bigint":
      return {
        name,
        data: {
          type: "bigint",
          values: BigInt64Array.from(cells, (cell) => BigInt(cell as number | bigint)),
        },
      };
    case "float":
      return { name, data: { type: "float", values: Float64Array.from(cells, Number) } };
    case "text":
      return { name, data: { type: "text", values: cells.map(String) } };
  }
}

function value({ data, valid }: FrameColumn, row: number): Cell {
  if (valid && !valid[row]) return null;
  const value = data.values[row] ?? null;
  return typeof value === "bigint" ? Number(value) : value;
}
