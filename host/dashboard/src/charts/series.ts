// A windowed output over time: one stacked bar a window, one colour a key.

import uPlot from "uplot";
import { clock, count, name, short } from "../format.ts";
import type { Series } from "../state.ts";
import { colour, KEY_COLOURS, keyColour, Plot } from "./plot.ts";

const SLOTS = [24, 36, 48, 60];
const STEPS = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];
const MINUTES_FROM = 360;

interface Stacked {
  /** The keys that are shown; when there are more than colours, the last one gathers the rest. */
  keys: string[];
  step: number;
  from: number;
  to: number;
  times: number[];
  values: number[][];
}

export function shownKeys(series: Series): string[] {
  return series.keys.length <= KEY_COLOURS
    ? series.keys
    : [...series.keys.slice(0, KEY_COLOURS - 1), "others"];
}

/** The value of each shown key in one window. */
export function valuesOf(series: Series, values: Record<string, number>): number[] {
  const keys = shownKeys(series);
  if (keys.length === series.keys.length) return keys.map((key) => values[key] ?? 0);
  const rest = series.keys.slice(KEY_COLOURS - 1).reduce((sum, key) => sum + (values[key] ?? 0), 0);
  return [...keys.slice(0, -1).map((key) => values[key] ?? 0), rest];
}

function stack(series: Series): Stacked {
  const points = series.points
    .map((point) => ({ time: Date.parse(point.time) / 1000, values: valuesOf(series, point.values) }))
    .filter((point) => Number.isFinite(point.time))
    .sort((one, other) => one.time - other.time);
  let step = Number.POSITIVE_INFINITY;
  for (let index = 1; index < points.length; index++) {
    const gap = (points[index]?.time ?? 0) - (points[index - 1]?.time ?? 0);
    if (gap > 0) step = Math.min(step, gap);
  }
  if (!Number.isFinite(step)) step = 10;
  // The newest window stands at the right; what lies further back than the last slot has left the picture.
  const last = points.at(-1)?.time ?? Date.now() / 1000;
  const oldest = points.find((point) => point.time > last - 60 * step)?.time ?? last;
  const slots = SLOTS.find((slot) => (last - oldest) / step < slot) ?? 60;
  const from = last - (slots - 0.5) * step;
  const seen = points.filter((point) => point.time > from);
  return {
    keys: shownKeys(series),
    step,
    from,
    to: last + step / 2,
    times: seen.map((point) => point.time),
    values: seen.map((point) => point.values),
  };
}

export class SeriesChart extends Plot {
  #stacked: Stacked | undefined;

  set series(series: Series) {
    this.#stacked = stack(series);
    this.update();
  }

  protected override shape(): string {
    return this.#stacked?.keys.join() ?? "";
  }

  /** Each key's bar reaches from zero to the sum up to it; the tallest is drawn first. */
  protected override data(): uPlot.AlignedData | undefined {
    const stacked = this.#stacked;
    if (!stacked) return undefined;
    const sums = stacked.keys.map((_, upTo) =>
      stacked.values.map((values) => values.slice(0, upTo + 1).reduce((sum, value) => sum + value, 0)),
    );
    return [stacked.times, ...sums.reverse()];
  }

  protected override lines(index: number) {
    const { times, values, keys } = this.#stacked as Stacked;
    const row = values[index] ?? [];
    return {
      title: `${clock(new Date((times[index] ?? 0) * 1000))}  ·  ${count(row.reduce((sum, value) => sum + value, 0))}`,
      rows: keys
        .map((key, at) => [keyColour(at), `${name(key)} ${count(row[at] ?? 0)}`] as [string, string])
        .reverse(),
    };
  }

  protected override options(): Omit<uPlot.Options, "width" | "height"> {
    const keys = this.#stacked?.keys ?? [];
    const bars: uPlot.Series.PathBuilder = (plot, series, first, last) => {
      const { from, to, step } = this.#stacked as Stacked;
      const slot = (plot.bbox.width / (to - from)) * step;
      const size = Math.max(1, (slot * 0.76) / devicePixelRatio);
      return uPlot.paths.bars?.({ size: [0.76, size, Math.min(size, 3)] })(plot, series, first, last) ?? null;
    };
    return {
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      padding: [10, 26, 0, 0],
      scales: {
        x: { range: () => [this.#stacked?.from ?? 0, this.#stacked?.to ?? 1] },
        y: { range: (_plot, _min, max) => [0, Math.max(Math.ceil((max ?? 0) * 1.08), 4)] },
      },
      axes: [
        this.axis({
          grid: { show: false },
          size: 26,
          // From six minutes on the labels are whole minutes, without seconds, and need less room.
          space: (_plot, _axis, from, to) => (to - from < MINUTES_FROM ? 66 : 48),
          incrs: (_plot, _axis, from, to) =>
            to - from < MINUTES_FROM ? STEPS : STEPS.filter((it) => it >= 60),
          values: (_plot, splits, _axis, _space, every) =>
            splits.map((value) => clock(new Date(value * 1000), every < 60)),
        }),
        this.axis({
          size: 44,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6],
          values: (_plot, splits) => splits.map(short),
        }),
      ],
      series: [
        {},
        ...keys
          .map((_, index) => ({
            fill: colour(this, keyColour(index)),
            stroke: colour(this, "--panel"),
            width: 1,
            points: { show: false },
            paths: bars,
          }))
          .reverse(),
      ],
    };
  }
}

customElements.define("tamis-series", SeriesChart);
