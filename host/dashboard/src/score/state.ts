// What the page holds: a module, the rows that were pasted, what came of them.

import type { Opened, Run } from "../module/protocol.ts";
import type { Row } from "../module/rows.ts";

export interface State {
  /** Where the module came from: a file's name, or the host. */
  source: string | undefined;
  opened: Opened | undefined;
  text: string;
  rows: Row[];
  run: Run | undefined;
  busy: "opening" | "scoring" | undefined;
  /** What went wrong, and with what. */
  problem: { at: "module" | "rows"; message: string } | undefined;
}

export const empty: State = {
  source: undefined,
  opened: undefined,
  text: "",
  rows: [],
  run: undefined,
  busy: undefined,
  problem: undefined,
};
