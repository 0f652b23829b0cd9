// Rows to start the form with: rows that went by, else rows made up from the signature.

import { isFlagged, pick, type Row, type State, scoreColumn } from "../state.ts";
import type { FunctionClient } from "./client.ts";
import type { Cell, Column, Rows, Signature } from "./protocol.ts";

export const EXAMPLES = ["typical", "flagged"] as const;
export type ExampleName = (typeof EXAMPLES)[number];

const DRAWS = 4000;

export async function example(
  name: ExampleName,
  state: State | undefined,
  signature: Signature,
  client: FunctionClient,
): Promise<Rows[number]> {
  const given = state && seen(name, state, signature);
  return given ? fit(given, signature) : drawn(name, signature, client);
}

/** The signature's columns of a row, by name; what the row lacks is null. */
export function fit(row: Row, signature: Signature): Rows[number] {
  return Object.fromEntries(signature.columns.map((column) => [column.name, pick(row, column.name) ?? null]));
}

function seen(name: ExampleName, state: State, signature: Signature): Row | undefined {
  const score = (row: Row) => Number(pick(row, scoreColumn(state)) ?? 0);
  const rows = state.latest
    .filter((row) => signature.columns.every((column) => (pick(row, column.name) ?? null) !== null))
    .filter((row) => isFlagged(state, row) === (name === "flagged"))
    .sort((one, other) => score(one) - score(other));
  return name === "flagged" ? rows.at(-1) : rows[Math.floor(rows.length / 2)];
}

/** Of many rows drawn by the columns' types and categories, one with a low or with the highest score. */
async function drawn(name: ExampleName, signature: Signature, client: FunctionClient): Promise<Rows[number]> {
  const rows = Array.from({ length: DRAWS }, () => sample(signature));
  const { scores } = await client.score(rows);
  const order = rows.map((_, index) => index).sort((one, other) => (scores[one] ?? 0) - (scores[other] ?? 0));
  const at = order[name === "flagged" ? DRAWS - 1 : Math.floor(DRAWS / 50)] ?? 0;
  return rows[at] ?? {};
}

/** A row drawn by the columns' types and categories. */
export function sample(signature: Signature): Rows[number] {
  return Object.fromEntries(signature.columns.map((column) => [column.name, draw(column)]));
}

function draw(column: Column): Cell {
  if (column.type === "bit") return Math.random() < 0.5;
  if (column.type === "bigint") return Math.floor(Math.random() * 3);
  if (column.type === "float") return Math.round(10 ** (1 + Math.random() * 4) * 100) / 100;
  const { categories = [] } = column;
  return categories[Math.floor(Math.random() * categories.length)] ?? "";
}
