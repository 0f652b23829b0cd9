// What came of the rows: one line a row, with the reasons or why it was rejected.

import { html, nothing, type TemplateResult } from "lit-html";
import { count, NONE } from "../format.ts";
import type { Cell } from "../function/protocol.ts";
import type { Run } from "../module/protocol.ts";
import type { Answer } from "../module/raw.ts";
import type { State } from "./state.ts";

const SHOWN = 200;
/** The function whose answers are reasons. */
const EXPLAIN = "explain";

/** What one column adds to a row's value. */
interface Reason {
  column: string;
  value: Cell;
  contribution: number;
  code: string;
  text: string;
}

/** A row's reasons: `base`, `rest` and the contributions add up to `value`. */
interface Reasons {
  base: number;
  value: number;
  rest: number;
  reasons: Reason[];
}

export function resultsPanel(state: State): TemplateResult | typeof nothing {
  const { run, rows } = state;
  if (!run) return nothing;
  const columns = run.answers.filter(({ name }) => name !== EXPLAIN);
  const reasons = run.answers.find(({ name }) => name === EXPLAIN)?.answers;
  const first = columns[0]?.answers ?? [];
  const rejected = first.filter((answer) => "rejected" in answer).length;
  const unit = state.opened?.signature.explain?.unit;
  const speed =
    run.milliseconds > 0.2 ? `, ${count((rows.length / run.milliseconds) * 1000)} rows a second` : "";
  return html`<section class="panel results" aria-labelledby="results-title">
    <div class="heading">
      <h2 id="results-title">Results</h2>
      <span class="quiet" data-test="summary" data-rows=${rows.length} data-rejected=${rejected}>
        ${count(rows.length)} rows${rejected > 0 ? `, ${count(rejected)} rejected` : ""}${speed}
        <button type="button" class="link" data-test="download" @click=${() => download(state, run)}>download</button>
      </span>
    </div>
    <div class="scroll" role="region" aria-label="Results, table" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">row</th>
            ${columns.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}
            <th scope="col" class="wide">why${unit ? `, in ${unit}` : ""}</th>
          </tr>
        </thead>
        <tbody>
          ${rows.slice(0, SHOWN).map((_, row) => line(row, columns, first[row], reasons?.[row]))}
        </tbody>
      </table>
    </div>
    ${rows.length > SHOWN ? html`<p class="quiet">The first ${SHOWN} are shown; the download has all.</p>` : nothing}
  </section>`;
}

function line(
  row: number,
  columns: Run["answers"],
  first: Answer | undefined,
  reasons: Answer | undefined,
): TemplateResult {
  const rejected = first && "rejected" in first ? first.rejected : undefined;
  return html`<tr data-test="result" data-row=${row} class=${rejected === undefined ? "" : "rejected"}>
    <th scope="row" class="number">${row + 1}</th>
    ${columns.map(({ name, answers }) => {
      const answer = answers[row];
      const value = answer && "value" in answer ? answer.value : null;
      return html`<td class="number" data-column=${name} data-value=${String(value ?? "")}>${shown(value)}</td>`;
    })}
    <td>${rejected === undefined ? list(reasons) : html`<span class="problem" data-test="rejected">${rejected}</span>`}</td>
  </tr>`;
}

function shown(value: Cell): string {
  if (value === null) return NONE;
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(6) : String(value);
}

function list(answer: Answer | undefined): TemplateResult | typeof nothing {
  const told = answer && "value" in answer ? parsed(answer.value) : undefined;
  if (!told) return nothing;
  const { base, value: sum, rest, reasons } = told;
  return html`<ul class="reasons">
    ${reasons.map(
      ({ code, column, contribution, text, value }) =>
        html`<li data-test="reason" data-reason=${column} data-code=${code} data-contribution=${contribution} title=${text}>
          <code class=${contribution > 0 ? "up" : "down"}>${signed(contribution)}</code>
          ${column} is ${value ?? "missing"}
        </li>`,
    )}
    <li class="quiet" data-test="reason-sum" data-base=${base} data-rest=${rest} data-sum=${sum}>
      <code>${signed(sum)}</code> in all: ${signed(base)} before any column is known, ${signed(rest)} by the others
    </li>
  </ul>`;
}

function signed(number: number): string {
  return `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
}

/** Reasons as the module wrote them, whose form is not trusted. */
function parsed(cell: Cell): Reasons | undefined {
  if (typeof cell !== "string") return undefined;
  try {
    const { base, value, rest, reasons } = JSON.parse(cell) as Partial<Reasons>;
    const numbers = [base, value, rest, ...(reasons ?? []).map(({ contribution }) => contribution)];
    if (!reasons || !numbers.every((number) => typeof number === "number")) return undefined;
    return { base, value, rest, reasons } as Reasons;
  } catch {
    return undefined;
  }
}

/** The rows with their answers, as JSON lines. */
function download({ rows }: State, { answers }: Run): void {
  const lines = rows.map((row, at) => {
    const own = answers.map(({ name, answers }) => {
      const answer = answers[at];
      if (!answer || "rejected" in answer) return ["rejected", answer?.rejected ?? null];
      return [name, name === EXPLAIN ? (parsed(answer.value) ?? answer.value) : answer.value];
    });
    return JSON.stringify({ ...row, ...Object.fromEntries(own) });
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "application/x-ndjson" }));
  link.download = "scored.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
