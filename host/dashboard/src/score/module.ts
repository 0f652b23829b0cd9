// The module: where it comes from, and what it says of itself.

import { html, nothing, type TemplateResult } from "lit-html";
import { bytes } from "../format.ts";
import type { Column, Signature } from "../function/protocol.ts";
import type { Opened } from "../module/protocol.ts";
import { filePicker } from "./picker.ts";
import type { State } from "./state.ts";

export function modulePanel(state: State, on: { take(file: File): void; fromHost(): void }): TemplateResult {
  return html`<section class="panel" aria-labelledby="module-title">
    <div class="heading">
      <h2 id="module-title">Module</h2>
      <span class="examples">
        ${filePicker("Choose a .wasm", ".wasm,application/wasm", "choose-module", on.take)}
        <button type="button" data-test="use-host" @click=${on.fromHost}>Use this host's</button>
      </span>
    </div>
    ${state.busy === "opening" ? html`<p class="nothing">Opening ${state.source}…</p>` : nothing}
    ${
      state.problem?.at === "module"
        ? html`<p class="problem" role="alert" data-test="module-problem">${state.source}: ${state.problem.message}</p>`
        : nothing
    }
    ${state.opened ? described(state.source ?? "", state.opened) : hint(state)}
  </section>`;
}

function hint(state: State): TemplateResult | typeof nothing {
  if (state.busy || state.problem?.at === "module") return nothing;
  return html`<p class="nothing">Drop a <code>.wasm</code> here that <code>tamis pack</code> made. It runs in this page, and nothing leaves it.</p>`;
}

function described(source: string, { signature, sha256, bytes: size }: Opened): TemplateResult {
  const { model, columns, functions } = signature;
  return html`
    <dl class="facts" data-test="signature">
      <dt>model</dt>
      <dd><b data-test="model-name">${model.name} ${model.version}</b> <span class="quiet">from ${source}, ${bytes(size)}</span></dd>
      <dt>sha256</dt>
      <dd><code data-test="module-sha256" data-value=${sha256 ?? ""}>${sha256 ?? "the browser hashes on https or localhost only"}</code></dd>
      <dt>functions</dt>
      <dd>${functions.map(({ name, about }) => html`<div><code>${name}</code> <span class="quiet">${about}</span></div>`)}</dd>
      ${cards(signature)}
    </dl>
    <details>
      <summary>${columns.length} columns</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Columns of the module">
        <table class="numbers" data-test="module-columns">
          <thead><tr><th scope="col">column</th><th scope="col">type</th><th scope="col">no value</th><th scope="col">categories</th></tr></thead>
          <tbody>${columns.map(line)}</tbody>
        </table>
      </div>
    </details>`;
}

function line({ name, type, missing, unknown, categories }: Column): TemplateResult {
  const known = categories?.length
    ? `${categories.join(", ")}${unknown === "reject" ? " (no others)" : ""}`
    : "";
  return html`<tr><th scope="row">${name}</th><td>${type}</td><td>${missing === "accept" ? "has a score" : "rejected"}</td><td>${known}</td></tr>`;
}

/** What the model's maker says of it, as far as it is short enough to stand here. */
function cards(signature: Signature): TemplateResult | typeof nothing {
  const { card } = signature;
  if (card === undefined || card === null) return nothing;
  return html`<dt>card</dt><dd><details><summary>model card</summary><pre data-test="card">${
    typeof card === "string" ? card : JSON.stringify(card, null, 2)
  }</pre></details></dd>`;
}
