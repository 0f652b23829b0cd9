// What crosses between the page and the worker that holds somebody's module.

import type { Signature } from "../function/protocol.ts";
import type { Answer } from "./raw.ts";
import type { Row } from "./rows.ts";

export interface Opened {
  signature: Signature;
  /** SHA-256 of the bytes; null where the browser offers no hashing (no secure context). */
  sha256: string | null;
  bytes: number;
}

export interface Run {
  /** For each function of the signature, in its order: one answer a row. */
  answers: { name: string; answers: Answer[] }[];
  /** Of the first function alone. */
  milliseconds: number;
}

export type Request = { id: number } & ({ call: "open"; bytes: ArrayBuffer } | { call: "run"; rows: Row[] });
export type Reply = { id: number } & ({ ok: Opened | Run } | { error: string });
