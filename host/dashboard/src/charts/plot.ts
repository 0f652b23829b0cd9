// What both charts share: a uPlot that follows the element's width and the colour scheme, and a tooltip.

import uPlot from "uplot";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** A colour of the style sheet. */
export function colour(element: Element, name: string): string {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

/** Colours of the n-th key; the style sheet has as many as `KEY_COLOURS`. */
export const KEY_COLOURS = 7;
export function keyColour(index: number): string {
  return `--key-${(index % KEY_COLOURS) + 1}`;
}

export abstract class Plot extends HTMLElement {
  protected plot: uPlot | undefined;
  #shape = "";
  #frame = 0;
  readonly #observer = new ResizeObserver(() => this.#resize());
  readonly #restyle = () => this.rebuild();
  readonly #tip = document.createElement("div");

  connectedCallback(): void {
    this.setAttribute("role", "img");
    this.#tip.className = "tip";
    this.#tip.hidden = true;
    this.#observer.observe(this);
    dark.addEventListener("change", this.#restyle);
    this.update();
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    dark.removeEventListener("change", this.#restyle);
    this.plot?.destroy();
    this.plot = undefined;
  }

  /** What must be the same for new data to go into the chart as it is. */
  protected abstract shape(): string;
  protected abstract options(): Omit<uPlot.Options, "width" | "height">;
  protected abstract data(): uPlot.AlignedData | undefined;
  /** The tooltip's lines for the position under the pointer. */
  protected abstract lines(index: number): { title: string; rows: [colour: string, text: string][] };

  protected update(): void {
    if (!this.isConnected) return;
    const data = this.data();
    if (!data) return;
    const shape = this.shape();
    if (this.plot && shape === this.#shape) {
      this.plot.setData(data);
    } else {
      this.#shape = shape;
      this.#build(data);
    }
  }

  protected rebuild(): void {
    this.#shape = "";
    this.update();
  }

  #build(data: uPlot.AlignedData): void {
    this.plot?.destroy();
    this.plot = new uPlot(
      {
        ...this.options(),
        width: Math.max(this.clientWidth, 120),
        height: Math.max(this.clientHeight, 120),
        legend: { show: false },
        hooks: { setCursor: [(plot) => this.#point(plot)] },
      },
      data,
      this,
    );
    this.plot.over.append(this.#tip);
    this.plot.over.addEventListener("pointerleave", () => {
      this.#tip.hidden = true;
    });
  }

  #resize(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      if (!this.plot || this.clientWidth === 0) return;
      if (this.plot.width !== this.clientWidth || this.plot.height !== this.clientHeight) {
        this.plot.setSize({ width: this.clientWidth, height: this.clientHeight });
      }
    });
  }

  #point(plot: uPlot): void {
    const { idx, left } = plot.cursor;
    this.#tip.hidden = idx === null || idx === undefined || left === undefined || left < 0;
    if (this.#tip.hidden) return;
    const { title, rows } = this.lines(idx as number);
    const heading = document.createElement("b");
    heading.textContent = title;
    this.#tip.replaceChildren(
      heading,
      ...rows.map(([key, text]) => {
        const line = document.createElement("span");
        const swatch = document.createElement("i");
        swatch.style.background = `var(${key})`;
        line.append(swatch, text);
        return line;
      }),
    );
    const half = plot.over.clientWidth / 2;
    const at = left as number;
    this.#tip.style.left = at < half ? `${at + 14}px` : "auto";
    this.#tip.style.right = at < half ? "auto" : `${plot.over.clientWidth - at + 14}px`;
  }

  /** An axis in the page's font and colours. */
  protected axis(more: uPlot.Axis): uPlot.Axis {
    const style = getComputedStyle(this);
    return {
      stroke: colour(this, "--muted"),
      font: `12px ${style.fontFamily}`,
      ticks: { show: false },
      grid: { stroke: colour(this, "--line"), width: 1 },
      ...more,
    };
  }
}
