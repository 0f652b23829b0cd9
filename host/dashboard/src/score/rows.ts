// The rows: pasted, dropped, or made up from the signature.

import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { filePicker } from "./picker.ts";
import type { State } from "./state.ts";

interface On {
  edit(text: string): void;
  run(): void;
  stop(): void;
  examples(): void;
  take(file: File): void;
}

export function rowsPanel(state: State, on: On): TemplateResult {
  const ready = state.opened !== undefined && state.busy === undefined;
  return html`<section class="panel entry-panel" aria-labelledby="rows-title">
    <div class="heading">
      <h2 id="rows-title">Rows</h2>
      <span class="examples">
        ${filePicker("Choose a file", ".json,.jsonl,.ndjson,.csv,.txt", "choose-rows", on.take)}
        <button type="button" ?disabled=${!state.opened} data-test="examples" @click=${on.examples}>Examples</button>
      </span>
    </div>
    <textarea
      aria-labelledby="rows-title" spellcheck="false" rows="10" data-test="rows"
      placeholder='[{"amount": 18.2, …}]   or lines of JSON   or CSV with a header'
      .value=${live(state.text)}
      @input=${(event: Event) => on.edit((event.target as HTMLTextAreaElement).value)}
    ></textarea>
    ${
      state.problem?.at === "rows"
        ? html`<p class="problem" role="alert" data-test="rows-problem">${state.problem.message}</p>`
        : nothing
    }
    <div class="actions">
      <button type="button" class="main" ?disabled=${!ready} data-test="score" @click=${on.run}>Score</button>
      ${
        state.busy === "scoring"
          ? html`<span class="quiet" role="status">Scoring…</span> <button type="button" data-test="stop" @click=${on.stop}>Stop</button>`
          : nothing
      }
    </div>
  </section>`;
}
