// Name, job, connection, and which model runs.

import { html, nothing, type TemplateResult } from "lit-html";
import type { Connection } from "../feed.ts";
import { bytes, clock } from "../format.ts";
import type { Loaded } from "../function/protocol.ts";
import { mark } from "../mark.ts";
import type { State } from "../state.ts";

const CONNECTION: Record<Connection, string> = {
  connecting: "connecting…",
  live: "live",
  reconnecting: "reconnecting…",
};

export function header(
  state: State | undefined,
  connection: Connection,
  loaded: Loaded | undefined,
  copy: (text: string) => void,
): TemplateResult {
  const since = connection === "reconnecting" && state ? `numbers of ${clock(new Date(state.time))}` : "";
  return html`<header class="top">
    <div class="brand">
      <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">${mark}</svg>
      <h1 title="Tamis: French for sieve">Tamis</h1>
      ${
        state
          ? html`<span class="job"><b data-test="title">${state.title ?? state.job.name}</b>
              <span class="quiet">job <span data-test="job">${state.job.name}</span></span></span>`
          : nothing
      }
      <span class="connection" role="status" data-test="connection" data-state=${connection} data-value=${connection}>
        <i aria-hidden="true"></i>${CONNECTION[connection]}<span class="since">${since}</span>
      </span>
    </div>
    <nav>
      <a href="/score.html" data-test="to-score">Score rows</a>
      ${state?.model ? model(state.model, loaded, copy) : nothing}
    </nav>
  </header>`;
}

function model(
  it: NonNullable<State["model"]>,
  loaded: Loaded | undefined,
  copy: (text: string) => void,
): TemplateResult {
  return html`<details class="model" data-test="model">
    <summary title=${`sha256 of the wasm: ${it.sha256}`}>
      <span class="quiet">model</span> <b data-test="model-name">${it.name} ${it.version}</b>
      <code data-test="model-sha256" data-value=${it.sha256}>${it.sha256.slice(0, 10)}…</code>
      <span class="quiet" data-test="model-bytes" data-value=${it.bytes}>${bytes(it.bytes)}</span>
    </summary>
    <dl class="sheet">
      <dt>sha256 of the wasm</dt>
      <dd><code>${it.sha256}</code> <button type="button" @click=${() => copy(it.sha256)}>Copy</button></dd>
      <dt>wasm</dt>
      <dd><a href="/function.wasm" download=${`${it.name}-${it.version}.wasm`}>function.wasm</a>, ${bytes(it.bytes)}</dd>
      ${
        loaded
          ? html`<dt>made from a model with sha256</dt>
              <dd><code>${loaded.signature.model.sha256}</code></dd>
              <dt>threshold</dt>
              <dd>${loaded.signature.threshold}</dd>
              <dt>functions</dt>
              ${loaded.signature.functions.map((it) => html`<dd><code>${it.name}</code> ${it.about}</dd>`)}`
          : nothing
      }
    </dl>
  </details>`;
}
