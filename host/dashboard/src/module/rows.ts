// Pasted text to rows: a JSON array of objects, `{"data": …}`, an object of columns, JSON lines, or CSV with a header.

import Papa from "papaparse";
import type { Cell, Column } from "../function/protocol.ts";

export type Row = Record<string, Cell>;
export const MOST_ROWS = 1_000_000;

/** @throws Error that names the line at fault. */
export function parse(text: string, columns: Column[]): Row[] {
  const trimmed = text.trim();
  if (trimmed === "") throw new Error("Paste rows as JSON or CSV, or drop a file with them.");
  const rows = /^[[{]/.test(trimmed) ? fromJson(trimmed) : fromCsv(trimmed, columns);
  if (rows.length > MOST_ROWS)
    throw new Error(`${rows.length} rows were given; the page takes ${MOST_ROWS} at once.`);
  return rows;
}

function fromJson(text: string): Row[] {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (error) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length < 2) throw new Error(`This is no JSON: ${(error as Error).message}`);
    return lines.map((line, index) => {
      try {
        return row(JSON.parse(line), index);
      } catch (error) {
        throw new Error(`Line ${index + 1} is no JSON object: ${(error as Error).message}`);
      }
    });
  }
  return table(whole);
}

function table(value: unknown): Row[] {
  if (Array.isArray(value)) return value.map(row);
  if (!isObject(value)) throw new Error("Rows are JSON objects.");
  const { data, Inputs } = value;
  if (Array.isArray(data) || isObject(data)) return table(data);
  if (isObject(Inputs) && Array.isArray(Inputs.WebServiceInput0)) return table(Inputs.WebServiceInput0);
  const lists = Object.entries(value).filter((entry): entry is [string, Cell[]] => Array.isArray(entry[1]));
  if (lists.length === 0) return [row(value, 0)];
  const count = lists[0]?.[1].length ?? 0;
  const other = lists.find(([, values]) => values.length !== count);
  if (other)
    throw new Error(
      `Columns differ in length: '${lists[0]?.[0]}' has ${count} values, '${other[0]}' has ${other[1].length}.`,
    );
  return Array.from({ length: count }, (_, at) =>
    Object.fromEntries(lists.map(([name, values]) => [name, values[at] ?? null])),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function row(value: unknown, index: number): Row {
  if (!isObject(value)) throw new Error(`Row ${index + 1} is no JSON object.`);
  return value as Row;
}

/** CSV has nothing but text; a column that the model reads as numbers is read as such, and what is no number stays text. */
function fromCsv(text: string, columns: Column[]): Row[] {
  const { data, errors } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  const wrong = errors.find(({ type }) => type !== "Delimiter");
  if (wrong)
    throw new Error(`CSV, ${wrong.row === undefined ? "header" : `row ${wrong.row + 1}`}: ${wrong.message}`);
  const types = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]));
  return data.map((line) =>
    Object.fromEntries(
      Object.entries(line).map(([name, value]) => [name, typed(value, types.get(name.toLowerCase()))]),
    ),
  );
}

function typed(text: string, type: Column["type"] | undefined): Cell {
  if (text === "") return null;
  if (type === "float" || type === "bigint")
    return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : text;
  if (type === "bit") return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : text;
  return text;
}
