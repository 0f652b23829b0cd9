// The page: a feed comes in, the whole state is drawn again. There is no other state of the job here.

import { html, nothing, render, type TemplateResult } from "lit-html";
import { Feed } from "./feed.ts";
import { FunctionClient } from "./function/client.ts";
import type { Rows } from "./function/protocol.ts";
import { breakdown } from "./parts/breakdown.ts";
import { header } from "./parts/header.ts";
import { Latest } from "./parts/latest.ts";
import { overview } from "./parts/overview.ts";
import { histogram, series } from "./parts/pictures.ts";
import { TryIt } from "./parts/tryit.ts";
import { words } from "./state.ts";

const root = document.getElementById("page") as HTMLElement;
const client = new FunctionClient(draw);
const tryIt = new TryIt(client, draw);
const latest = new Latest(draw, (row, key) => feed.state && tryIt.choose(row, key, feed.state));
const feed = new Feed("/feed", changed);
let frame = 0;
let connection = feed.connection;

function changed(): void {
  const state = feed.state;
  if (state?.model) {
    // What could not be loaded while the host was away is there again with it.
    if (connection !== "live" && feed.connection === "live" && client.error !== undefined) client.reload();
    client.use(state.model.sha256);
  }
  connection = feed.connection;
  document.title = state ? `${state.title ?? state.job.name} · Tamis` : "Tamis";
  draw();
}

function draw(): void {
  // A page in the background gets no frames; it draws when it is looked at.
  if (frame === 0) {
    frame = requestAnimationFrame(() => {
      frame = 0;
      render(page(), root);
    });
  }
}

function page(): TemplateResult {
  const state = feed.state;
  const say = words(state);
  const signature = client.loaded?.signature;
  return html`
    ${header(state, feed.connection, client.loaded, copy)}
    <main>
      ${state && state.totals.predictions === 0 ? empty() : nothing}
      ${overview(state)}
      ${
        state
          ? html`<div class="pictures">
                ${state.series.map((it) => series(it))}
                ${state.histogram ? histogram(state.histogram, signature?.threshold, say.mark) : nothing}
              </div>
              <div class="breakdowns">${state.breakdowns.map((it) => breakdown(it, say.flagged))}</div>
              <div class="rows">${latest.render(state, signature, tryIt.chosen)}${state.model ? tryIt.render(state) : nothing}</div>`
          : nothing
      }
    </main>
  `;
}

function empty(): TemplateResult {
  return html`<p class="panel empty" data-test="empty">
    <b>No events yet.</b> Send some from a terminal: <code>tamis generate --rate 50 --to ${location.origin}</code>
  </p>`;
}

function copy(text: string): void {
  navigator.clipboard?.writeText(text).catch(() => {});
}

// An open sheet closes on Escape and on a click elsewhere.
addEventListener("keydown", (event) => event.key === "Escape" && closeSheet());
addEventListener("click", (event) => {
  if (!(event.target as Element).closest(".model")) closeSheet();
});
function closeSheet(): void {
  document.querySelector("details.model[open]")?.removeAttribute("open");
}

draw();

declare global {
  interface Window {
    /** For the console and for tests: the function in this page, and what the page was told last. */
    tamis: {
      score(rows: Rows): Promise<number[]>;
      run(rows: Rows): Promise<number[]>;
      function(): FunctionClient["loaded"];
      state(): Feed["state"];
    };
  }
}

window.tamis = {
  score: async (rows) => (await client.score(rows)).scores,
  run: async (rows) => (await client.score(rows)).predictions,
  function: () => client.loaded,
  state: () => feed.state,
};
