// Flagged rows by the values of one column: a table whose bars are drawn in its cells, so that it reads the same
// with and without eyes.

import { html, type TemplateResult } from "lit-html";
import { count, name, percent } from "../format.ts";
import type { Breakdown } from "../state.ts";
import { vars } from "../vars.ts";

export function breakdown(it: Breakdown, flaggedWord: string): TemplateResult {
  const most = Math.max(1, ...it.flagged);
  const id = `breakdown-${it.column}`;
  return html`<section class="panel breakdown" aria-labelledby=${id}>
    <h2 id=${id}>${it.title}</h2>
    <table data-test=${id}>
      <thead>
        <tr>
          <th scope="col">${name(it.column)}</th>
          <td class="wide" aria-hidden="true"></td>
          <th scope="col" class="number" title=${flaggedWord}>count</th>
          <th scope="col" class="number" title="Of all rows with this value">share</th>
          <th scope="col" class="unseen">of all</th>
        </tr>
      </thead>
      <tbody>
        ${it.labels.map((label, index) => {
          const flagged = it.flagged[index] ?? 0;
          const all = it.all[index] ?? 0;
          return html`<tr
            data-test=${`${id}-row`} data-label=${label} data-flagged=${flagged} data-all=${all}
            title=${`${label}: ${count(flagged)} of ${count(all)}`}
          >
            <th scope="row">${name(label)}</th>
            <td class="wide" aria-hidden="true"><span class="bar" ${vars({ part: flagged / most })}></span></td>
            <td class="number">${count(flagged)}</td>
            <td class="number quiet">${all > 0 ? percent(flagged / all) : "–"}</td>
            <td class="unseen">${count(all)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </section>`;
}
