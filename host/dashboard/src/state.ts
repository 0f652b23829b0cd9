// What the feed says. Each `state` event carries all of it; nothing is added up here, so nothing drifts.

export type Value = string | number | boolean | null;
export type Row = Record<string, Value>;

export interface Breakdown {
  title: string;
  column: string;
  labels: string[];
  all: number[];
  flagged: number[];
}

export interface Histogram {
  column: string;
  edges: number[];
  counts: number[];
}

export interface Point {
  time: string;
  values: Record<string, number>;
}

export interface Series {
  output: string;
  title: string;
  time: string;
  key: string;
  value: string;
  keys: string[];
  points: Point[];
}

/** The job's own words for what is counted; each has a plain default. */
export interface Words {
  /** What a flagged row adds to: "Predicted frauds". */
  flagged?: string;
  /** The share of them: "Share of fraud". */
  share?: string;
  /** The mark on one flagged row: "fraud". */
  mark?: string;
  /** Above the table: "Latest transactions". */
  latest?: string;
  /** One row: "transaction". */
  row?: string;
}

export interface State {
  seq: number;
  time: string;
  /** What the page is called; the job's name when it says nothing. */
  title?: string | null;
  job: { name: string; started: string; documents: number; dead_letters: number };
  model: { name: string; version: string; sha256: string; bytes: number; function: string } | null;
  totals: { predictions: number; flagged: number; share: number };
  rates: { events_per_second: number; watermark_delay_seconds: number | null; backlog: number };
  /** The outputs that are neither the store nor the page. */
  outputs?: { name: string; behind: number; refuses: string | null }[];
  breakdowns: Breakdown[];
  histogram: Histogram | null;
  series: Series[];
  latest: Row[];
  words?: Words;
}

const DEFAULT_WORDS: Required<Words> = {
  flagged: "Flagged",
  share: "Share flagged",
  mark: "flagged",
  latest: "Latest rows",
  row: "row",
};

export function words(state: State | undefined): Required<Words> {
  return { ...DEFAULT_WORDS, ...state?.words };
}

/** Reads one event's data. Lists that a job does not have may be left out. */
export function parse(text: string): State {
  const state = JSON.parse(text) as State;
  return {
    ...state,
    model: state.model ?? null,
    histogram: state.histogram ?? null,
    breakdowns: state.breakdowns ?? [],
    series: state.series ?? [],
    latest: state.latest ?? [],
  };
}

/** A row's value by column name, without regard to case. */
export function pick(row: Row, column: string): Value | undefined {
  if (column in row) return row[column];
  const lower = column.toLowerCase();
  const key = Object.keys(row).find((name) => name.toLowerCase() === lower);
  return key === undefined ? undefined : row[key];
}

/** The column that holds the class: named as the function that the query calls. */
export function flagColumn(state: State): string {
  return state.model?.function ?? "prediction";
}

/** The column that holds the score. */
export function scoreColumn(state: State): string {
  return state.histogram?.column ?? "score";
}

export function isFlagged(state: State, row: Row): boolean {
  const value = pick(row, flagColumn(state));
  return value === true || (typeof value === "number" && value > 0);
}
