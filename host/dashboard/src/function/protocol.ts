// What crosses between the page and the worker that holds the function.

export interface Column {
  name: string;
  type: "float" | "bigint" | "nvarchar(max)" | "bit";
  categories?: string[];
  missing: "reject" | "accept";
  unknown: "reject" | "accept";
}

/** What the module says of itself. */
export interface Signature {
  abi: number;
  model: { name: string; version: string; sha256: string };
  threshold: number;
  columns: Column[];
  functions: { name: string; returns: string; about: string }[];
  /** What contributions add up to, when the module gives reasons. */
  explain?: { unit: "log-odds" | "score"; base: number };
  /** The model's card, when it was packed with one. */
  card?: unknown;
}

export interface Loaded {
  signature: Signature;
  /** SHA-256 of the bytes that run here; null where the browser offers no hashing (no secure context). */
  sha256: string | null;
  bytes: number;
}

export interface Scored {
  scores: number[];
  predictions: number[];
  milliseconds: number;
}

export type Cell = string | number | bigint | boolean | null;
export type Rows = Record<string, Cell>[];

export type Request = { id: number } & ({ call: "load"; version: string } | { call: "score"; rows: Rows });
export type Reply = { id: number } & ({ ok: Loaded | Scored } | { error: string });
