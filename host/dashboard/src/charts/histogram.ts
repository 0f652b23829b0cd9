// How many rows got which score. A good model's scores sit at both ends, thousands beside a handful, so heights
// grow with the square root: small bins stay visible, and zero stays zero.

import uPlot from "uplot";
import { count, short } from "../format.ts";
import type { Histogram } from "../state.ts";
import { colour, Plot } from "./plot.ts";

interface Shown {
  histogram: Histogram;
  threshold: number | undefined;
  mark: string;
}

export class HistogramChart extends Plot {
  #shown: Shown | undefined;

  set shown(shown: Shown) {
    this.#shown = shown;
    this.update();
  }

  protected override shape(): string {
    return `${this.#shown?.histogram.edges.join()} ${this.#shown?.threshold}`;
  }

  protected override data(): uPlot.AlignedData | undefined {
    if (!this.#shown) return undefined;
    const { histogram, threshold } = this.#shown;
    const { edges, counts } = histogram;
    const above = counts.map(
      (_, index) => threshold !== undefined && (edges[index] ?? 0) >= threshold - 1e-12,
    );
    return [
      counts.map((_, index) => ((edges[index] ?? 0) + (edges[index + 1] ?? 1)) / 2),
      counts.map((value, index) => (above[index] ? null : value)),
      counts.map((value, index) => (above[index] ? value : null)),
    ];
  }

  protected override lines(index: number) {
    const { histogram } = this.#shown as Shown;
    const [from, to] = [histogram.edges[index] ?? 0, histogram.edges[index + 1] ?? 1];
    const flagged = this.data()?.[2]?.[index] != null;
    return {
      title: `${from.toFixed(2)} to ${to.toFixed(2)}`,
      rows: [[flagged ? "--flag" : "--calm", count(histogram.counts[index])] as [string, string]],
    };
  }

  protected override options(): Omit<uPlot.Options, "width" | "height"> {
    const { histogram, threshold } = this.#shown as Shown;
    const first = histogram.edges[0] ?? 0;
    const last = histogram.edges.at(-1) ?? 1;
    const bars = uPlot.paths.bars?.({ size: [0.86, 60], radius: 0.15 });
    const bar = (name: string): uPlot.Series => ({
      fill: colour(this, name),
      stroke: colour(this, name),
      width: 0,
      points: { show: false },
      ...(bars ? { paths: bars } : {}),
    });
    return {
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      padding: [18, 6, 0, 0],
      scales: {
        x: { time: false, range: [first, last] },
        y: {
          distr: 100,
          fwd: (value) => Math.sqrt(Math.max(value, 0)),
          bwd: (value) => value * value,
          range: (_plot, _min, max) => [0, Math.max(max, 4)],
        },
      },
      axes: [
        this.axis({
          grid: { show: false },
          size: 26,
          values: (_plot, splits) => splits.map((value) => String(Number(value.toFixed(2)))),
        }),
        this.axis({
          size: 44,
          splits: (_plot, _axis, _min, max) => roundHeights(max),
          // On scales of its own kind uPlot leaves out what is no power of ten.
          filter: (_plot, splits) => splits,
          values: (_plot, splits) => splits.map(short),
        }),
      ],
      series: [{}, bar("--calm"), bar("--flag")],
      plugins:
        threshold === undefined ? [] : [{ hooks: { draw: (plot) => this.#drawThreshold(plot, threshold) } }],
    };
  }

  #drawThreshold(plot: uPlot, threshold: number): void {
    const { ctx, bbox } = plot;
    const x = Math.round(plot.valToPos(threshold, "x", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = colour(this, "--muted");
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillStyle = colour(this, "--muted");
    ctx.font = `${12 * devicePixelRatio}px ${getComputedStyle(this).fontFamily}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.fillText(`threshold ${threshold}`, x, bbox.top - 3 * devicePixelRatio);
    ctx.restore();
  }
}

/** Round numbers at about a sixteenth, a quarter, nine sixteenths and all of the height: even steps of the root. */
function roundHeights(max: number): number[] {
  const heights = [0];
  for (const part of [1 / 16, 1 / 4, 9 / 16, 1]) {
    const value = roundDown(max * part);
    if (value > (heights.at(-1) ?? 0)) heights.push(value);
  }
  return heights;
}

function roundDown(value: number): number {
  if (value < 1) return 0;
  const unit = 10 ** Math.floor(Math.log10(value));
  const digit = value / unit;
  const nice = [8, 6, 5, 4, 3, 2, 1.5].find((it) => it <= digit) ?? 1;
  return Math.floor(nice * unit);
}

customElements.define("tamis-histogram", HistogramChart);
