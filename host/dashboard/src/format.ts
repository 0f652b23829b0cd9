// Numbers and names as people read them.

import type { Value } from "./state.ts";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const NONE = "–";

export function count(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : whole.format(value);
}

export function short(value: number): string {
  return Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value);
}

export function percent(share: number, digits = 1): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : NONE;
}

export function rate(value: number): string {
  if (!Number.isFinite(value)) return NONE;
  return value < 100 ? value.toFixed(1) : whole.format(value);
}

export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value < 60) return `${value.toFixed(1)} s`;
  const total = Math.round(value);
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  if (total < 86_400) return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
  return `${Math.floor(total / 86_400)} d ${Math.floor((total % 86_400) / 3600)} h`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  return value < 1_000_000 ? `${Math.round(value / 1000)} kB` : `${(value / 1_000_000).toFixed(1)} MB`;
}

export function clock(time: Date, withSeconds = true): string {
  return time.toLocaleTimeString("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" } : {}),
  });
}

/** `category_recipient` reads as "category recipient". */
export function name(column: string): string {
  return column.replaceAll("_", " ");
}

export function score(value: Value | undefined): string {
  return typeof value === "number" ? value.toFixed(4) : NONE;
}

/** A table's cell. In a column with fractions every number gets two decimals. */
export function cell(value: Value | undefined, fractions: boolean): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "number") return fractions ? money.format(value) : String(value);
  return String(value);
}
