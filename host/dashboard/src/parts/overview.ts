// The figures at the top. The disc is a sieve seen from above: of its hundred holes, as many are filled as rows
// in a hundred were flagged.

import { html, nothing, svg, type TemplateResult } from "lit-html";
import { count, percent, rate, seconds } from "../format.ts";
import { type State, words } from "../state.ts";

const HOLES = 100;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const holes = Array.from({ length: HOLES }, (_, index) => {
  const radius = 50 * Math.sqrt((index + 0.5) / HOLES);
  return [
    60 + radius * Math.cos(index * GOLDEN_ANGLE),
    60 + radius * Math.sin(index * GOLDEN_ANGLE),
  ] as const;
});

function disc(share: number): TemplateResult {
  const filled = Math.round((Number.isFinite(share) ? share : 0) * HOLES);
  return html`<svg class="disc" viewBox="0 0 120 120" aria-hidden="true">
    <circle class="hoop" cx="60" cy="60" r="57.5"></circle>
    ${holes.map(
      ([x, y], index) => svg`<circle class=${index < filled ? "held" : "hole"}
      cx=${x.toFixed(2)} cy=${y.toFixed(2)} r=${index < filled ? 3.3 : 2.1}></circle>`,
    )}
  </svg>`;
}

export function overview(state: State | undefined): TemplateResult {
  const say = words(state);
  const totals = state?.totals;
  const rates = state?.rates;
  const letters = state?.job.dead_letters ?? 0;
  const late = (state?.outputs ?? []).filter((it) => it.behind > 0 || it.refuses !== null);
  const behind = late.reduce((sum, it) => sum + it.behind, 0);
  const share = totals && totals.predictions > 0 ? totals.share : Number.NaN;
  return html`<section class="panel overview" aria-label="Overview">
    ${disc(share)}
    <dl class="figures main">
      ${figure("flagged", say.flagged, totals?.flagged, count(totals?.flagged), "flag")}
      ${figure("predictions", "Predictions", totals?.predictions, count(totals?.predictions))}
      ${figure("share", say.share, totals?.share, percent(share, 2))}
    </dl>
    <dl class="figures running">
      ${figure("events-per-second", "Events per second", rates?.events_per_second, rates ? rate(rates.events_per_second) : "–")}
      ${figure(
        "watermark-delay",
        "Watermark delay",
        rates?.watermark_delay_seconds,
        seconds(rates?.watermark_delay_seconds),
        "",
        rates && rates.backlog > 0 ? `${count(rates.backlog)} events behind` : "",
      )}
      ${figure(
        "dead-letters",
        "Dead letters",
        state ? letters : undefined,
        state ? count(letters) : "–",
        letters > 0 ? "warn" : "",
        letters > 0 ? "kept with their reasons" : "",
      )}
      ${late.length > 0 ? figure("rows-behind", "Rows behind", behind, count(behind), "warn", late.map((it) => it.name).join(", ")) : nothing}
      ${figure("documents", "Documents stored", state?.job.documents, count(state?.job.documents))}
    </dl>
  </section>`;
}

function figure(
  id: string,
  label: string,
  raw: number | null | undefined,
  text: string,
  tone = "",
  note = "",
): TemplateResult {
  return html`<div class=${tone}>
    <dt>${label}</dt>
    <dd><span data-test=${id} data-value=${raw ?? ""}>${text}</span>${note ? html`<small>${note}</small>` : nothing}</dd>
  </div>`;
}
