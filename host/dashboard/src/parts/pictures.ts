// The two drawn charts, each with its numbers as a table under it.

import { html, type TemplateResult } from "lit-html";
import { keyColour } from "../charts/plot.ts";
import { shownKeys, valuesOf } from "../charts/series.ts";
import { clock, count, name } from "../format.ts";
import type { Histogram, Series } from "../state.ts";
import { vars } from "../vars.ts";
import "../charts/histogram.ts";

export function series(it: Series): TemplateResult {
  const keys = shownKeys(it);
  const id = `series-${it.output}`;
  const total = it.points.reduce(
    (sum, point) => sum + valuesOf(it, point.values).reduce((a, b) => a + b, 0),
    0,
  );
  const newest = it.points.toReversed();
  return html`<section class="panel picture wide" aria-labelledby=${id} data-test=${id}>
    <h2 id=${id}>${it.title}</h2>
    <div class="frame">
      <tamis-series .series=${it} aria-label=${`${it.title}: ${it.points.length} windows, ${count(total)} in all. The numbers are in the table below.`}></tamis-series>
      ${it.points.length === 0 ? html`<p class="nothing">No window has closed yet.</p>` : ""}
    </div>
    <ul class="keys">
      ${keys.map((key, index) => html`<li><i class="swatch" ${vars({ colour: `var(${keyColour(index)})` })}></i>${name(key)}</li>`)}
    </ul>
    <details class="numbers">
      <summary>Numbers</summary>
      <div class="scroll" tabindex="0" role="region" aria-label=${`${it.title}, numbers`}>
        <table>
          <thead>
            <tr><th scope="col">${name(it.time)}</th>${keys.map((key) => html`<th scope="col" class="number">${name(key)}</th>`)}</tr>
          </thead>
          <tbody>
            ${newest.map(
              (point) => html`<tr data-test=${`${id}-point`} data-time=${point.time}>
                <th scope="row">${clock(new Date(point.time))}</th>
                ${valuesOf(it, point.values).map((value, index) => html`<td class="number" data-key=${keys[index]} data-value=${value}>${count(value)}</td>`)}
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </section>`;
}

export function histogram(it: Histogram, threshold: number | undefined, mark: string): TemplateResult {
  const total = it.counts.reduce((sum, value) => sum + value, 0);
  const above = it.counts.reduce(
    (sum, value, index) => sum + ((it.edges[index] ?? 0) >= (threshold ?? 2) - 1e-12 ? value : 0),
    0,
  );
  const split =
    threshold === undefined ? "" : `, ${count(above)} of them at or above the threshold ${threshold}`;
  return html`<section class="panel picture" aria-labelledby="histogram" data-test="histogram">
    <h2 id="histogram">${`Rows by ${name(it.column)}`}</h2>
    <div class="frame">
      <tamis-histogram .shown=${{ histogram: it, threshold, mark }} aria-label=${`Histogram of ${name(it.column)}: ${count(total)} rows${split}. The numbers are in the table below.`}></tamis-histogram>
      ${total === 0 ? html`<p class="nothing">No scores yet.</p>` : ""}
    </div>
    <ul class="keys">
      <li><i class="swatch calm"></i>below</li>
      <li><i class="swatch flagged"></i>${mark}</li>
      <li class="quiet">square-root scale</li>
    </ul>
    <details class="numbers">
      <summary>Numbers</summary>
      <div class="scroll" tabindex="0" role="region" aria-label=${`Histogram of ${name(it.column)}, numbers`}>
        <table>
          <thead><tr><th scope="col">${name(it.column)}</th><th scope="col" class="number">rows</th></tr></thead>
          <tbody>
            ${it.counts.map(
              (value, index) => html`<tr>
                <th scope="row">${(it.edges[index] ?? 0).toFixed(2)} to ${(it.edges[index + 1] ?? 1).toFixed(2)}</th>
                <td class="number" data-test="histogram-count" data-index=${index} data-value=${value}>${count(value)}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </section>`;
}
