// "Try it": a form made from the function's signature. What is typed is scored in this browser, in a worker, by the
// same bytes that the host runs.

import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { NONE, name } from "../format.ts";
import type { FunctionClient } from "../function/client.ts";
import { EXAMPLES, type ExampleName, example, fit } from "../function/examples.ts";
import type { Cell, Column, Rows, Signature } from "../function/protocol.ts";
import { flagColumn, pick, type Row, type State, scoreColumn, words } from "../state.ts";
import { vars } from "../vars.ts";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NOT_FINITE = /^[+-]?(nan|infinity)$/i;
const OTHER = "\u0000other";
const BUSY_AFTER_MS = 300;

interface Outcome {
  score: number;
  prediction: number;
  milliseconds: number;
}

interface Origin {
  key: string;
  score: unknown;
  prediction: unknown;
}

export class TryIt {
  /** The row of the table that fills the form, as long as nothing was changed in it. */
  chosen: string | undefined;
  readonly #client: FunctionClient;
  readonly #changed: () => void;
  readonly #texts = new Map<string, string>();
  readonly #free = new Set<string>();
  #state: State | undefined;
  #signature: Signature | undefined;
  #origin: Origin | undefined;
  #outcome: Outcome | undefined;
  #error: string | undefined;
  #busy = false;
  #turn = 0;

  constructor(client: FunctionClient, changed: () => void) {
    this.#client = client;
    this.#changed = changed;
  }

  /** Fills the form with a row of the table and compares the host's score with this browser's. */
  choose(row: Row, key: string, state: State): void {
    if (!this.#signature) return;
    this.#fill(fit(row, this.#signature));
    this.chosen = key;
    this.#origin = { key, score: pick(row, scoreColumn(state)), prediction: pick(row, flagColumn(state)) };
    this.#run();
    if (matchMedia("(max-width: 1099px)").matches) {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      document.getElementById("try")?.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
    }
  }

  #fill(row: Rows[number]): void {
    this.#free.clear();
    for (const column of this.#signature?.columns ?? []) {
      const value = row[column.name] ?? null;
      const text = value === null ? "" : String(value);
      this.#texts.set(column.name, text);
      if (column.categories?.length && !column.categories.includes(text)) this.#free.add(column.name);
    }
  }

  async #example(which: ExampleName): Promise<void> {
    if (!this.#signature) return;
    this.#forget();
    try {
      this.#fill(await example(which, this.#state, this.#signature, this.#client));
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#run();
  }

  #forget(): void {
    this.chosen = undefined;
    this.#origin = undefined;
  }

  #edit(column: Column, text: string): void {
    this.#forget();
    this.#texts.set(column.name, text);
    this.#run();
  }

  async #run(): Promise<void> {
    const turn = ++this.#turn;
    const busy = setTimeout(() => {
      this.#busy = true;
      this.#changed();
    }, BUSY_AFTER_MS);
    try {
      const columns = this.#signature?.columns ?? [];
      const row = Object.fromEntries(
        columns.map((it) => [it.name, value(it, this.#texts.get(it.name) ?? "")]),
      );
      const { scores, predictions, milliseconds } = await this.#client.score([row]);
      if (turn !== this.#turn) return;
      this.#outcome = {
        score: scores[0] ?? Number.NaN,
        prediction: predictions[0] ?? Number.NaN,
        milliseconds,
      };
      this.#error = undefined;
    } catch (error) {
      if (turn === this.#turn) this.#fail(error);
    } finally {
      clearTimeout(busy);
      if (turn === this.#turn) this.#busy = false;
      this.#changed();
    }
  }

  #fail(error: unknown): void {
    this.#outcome = undefined;
    this.#error = error instanceof Error ? error.message : String(error);
    this.#changed();
  }

  render(state: State | undefined): TemplateResult {
    this.#state = state;
    const loaded = this.#client.loaded;
    if (loaded && loaded.signature !== this.#signature) {
      const first = this.#signature === undefined;
      this.#signature = loaded.signature;
      if (first || this.#texts.size === 0) queueMicrotask(() => this.#example("typical"));
      else queueMicrotask(() => this.#run());
    }
    return html`<section class="panel try" id="try" aria-labelledby="try-title" data-test="tryit">
      <div class="heading">
        <h2 id="try-title">Try a ${words(state).row}</h2>
        <span class="examples">
          ${
            loaded
              ? EXAMPLES.map(
                  (it) =>
                    html`<button type="button" data-test=${`tryit-${it}`} @click=${() => this.#example(it)}>${
                      it === "flagged" ? words(state).mark : it
                    }</button>`,
                )
              : nothing
          }
        </span>
      </div>
      ${loaded ? this.#panel(loaded.signature) : this.#waiting()}
      ${this.#bytes(state)}
    </section>`;
  }

  #waiting(): TemplateResult {
    return this.#client.error === undefined
      ? html`<p class="nothing" data-test="tryit-loading">Loading the function…</p>`
      : html`<p class="problem" role="alert" data-test="tryit-unavailable">
          The function cannot be loaded: ${this.#client.error}
          <button type="button" @click=${() => this.#again()}>Try again</button>
        </p>`;
  }

  #again(): void {
    this.#client.reload();
    this.#changed();
  }

  #panel(signature: Signature): TemplateResult {
    return html`
      ${this.#result(signature)}
      <form @submit=${this.#submit} autocomplete="off">
        ${signature.columns.map((column) => this.#field(column))}
        <button type="submit" class="main" data-test="tryit-submit">Score</button>
      </form>`;
  }

  /** What is typed is scored as it is typed; the button is for those who look for one, and for a second try. */
  #submit = (event: Event) => {
    event.preventDefault();
    this.#run();
  };

  #result(signature: Signature): TemplateResult {
    const outcome = this.#outcome;
    const { threshold } = signature;
    const flagged = (outcome?.prediction ?? 0) > 0;
    const about = signature.functions.find((it) => it.name === "score")?.about;
    const at = outcome ? Math.min(1, Math.max(0, outcome.score)) : 0;
    return html`<div class=${`result ${outcome && flagged ? "flagged" : ""} ${this.#error === undefined ? "" : "failed"}`}>
      <div class="answer" aria-live="polite" aria-atomic="true">
        <div class="verdict">
          <output data-test="tryit-score" data-value=${outcome?.score ?? ""}>${outcome ? outcome.score.toFixed(4) : NONE}</output>
          <p ?hidden=${this.#error !== undefined}>
            <b data-test="tryit-prediction" data-value=${outcome?.prediction ?? ""}>${
              outcome ? `${name(this.#flagName())} ${outcome.prediction}` : "…"
            }</b>
            <span class="quiet" data-test="tryit-threshold" data-value=${threshold}>
              ${flagged ? "at or above" : "below"} the threshold ${threshold}</span>
          </p>
          ${
            this.#error === undefined
              ? nothing
              : html`<p class="problem" id="tryit-problem" role="alert" data-test="tryit-error">${plain(this.#error)}</p>`
          }
        </div>
      </div>
      <div class="scale" aria-hidden="true" ${vars({ at, threshold })}>
        ${outcome ? html`<i class="needle"></i>` : nothing}<i class="limit"></i>
      </div>
      <p class="compare" data-test="tryit-compare" data-same=${this.#same() ?? ""}>${this.#comparison(about)}</p>
      ${
        this.#busy
          ? html`<p class="busy">Scoring… <button type="button" @click=${() => this.#stop()}>Stop</button></p>`
          : nothing
      }
    </div>`;
  }

  #stop(): void {
    this.#client.stop("Stopped.");
    this.#client.reload();
  }

  #flagName(): string {
    return this.#state ? flagColumn(this.#state) : "prediction";
  }

  #same(): boolean | undefined {
    if (!this.#origin || !this.#outcome) return undefined;
    return typeof this.#origin.score === "number"
      ? Object.is(this.#origin.score, this.#outcome.score)
      : Number(this.#origin.prediction) === this.#outcome.prediction;
  }

  #comparison(about: string | undefined): TemplateResult | string {
    const same = this.#same();
    if (same === undefined || !this.#origin || !this.#outcome) return about ? `The score is ${about}.` : "";
    const scores = typeof this.#origin.score === "number";
    const host = scores ? this.#origin.score : this.#origin.prediction;
    const here = scores ? this.#outcome.score : this.#outcome.prediction;
    return html`<span class="quiet">${this.#origin.key}, host</span> <code>${host}</code>
      <span class="quiet">this browser</span> <code>${here}</code>
      <b class=${same ? "same" : "differs"}>${same ? "✓ identical" : "✕ different"}</b>`;
  }

  #field(column: Column): TemplateResult {
    const id = `try-field-${column.name}`;
    const text = this.#texts.get(column.name) ?? "";
    const wrong = this.#error?.includes(`'${column.name}'`) ?? false;
    const label = html`<label for=${id}>${name(column.name)} <small>${kind(column)}</small></label>`;
    const choices = column.type === "bit" ? ["true", "false"] : (column.categories ?? []);
    if (choices.length > 0 && !this.#free.has(column.name)) {
      const choose = (event: Event) => {
        const chosen = (event.target as HTMLSelectElement).value;
        if (chosen === OTHER) this.#setFree(column, id);
        else this.#edit(column, chosen);
      };
      return html`<div class="field">${label}
        <select id=${id} name=${column.name} aria-invalid=${wrong} aria-describedby=${wrong ? "tryit-problem" : nothing} .value=${live(text)} @change=${choose}>
          ${choices.map((it) => html`<option value=${it} ?selected=${it === text}>${name(it)}</option>`)}
          <option value=${OTHER}>another value…</option>
        </select></div>`;
    }
    const numeric = column.type === "float" || column.type === "bigint";
    return html`<div class="field">${label}
      <span class="entry">
        <input
          id=${id} name=${column.name} type="text" spellcheck="false"
          aria-invalid=${wrong} aria-describedby=${wrong ? "tryit-problem" : nothing}
          inputmode=${numeric ? "decimal" : "text"} .value=${live(text)}
          @input=${(event: Event) => this.#edit(column, (event.target as HTMLInputElement).value)}
        />
        ${
          choices.length > 0
            ? html`<button type="button" aria-label=${`${name(column.name)}: choose from the list`} title="Choose from the list"
                @click=${() => this.#setListed(column, choices[0] ?? "", id)}>list</button>`
            : nothing
        }
      </span></div>`;
  }

  #setFree(column: Column, id: string): void {
    this.#free.add(column.name);
    this.#edit(column, "");
    this.#changed();
    requestAnimationFrame(() => document.getElementById(id)?.focus());
  }

  #setListed(column: Column, first: string, id: string): void {
    this.#free.delete(column.name);
    this.#edit(column, first);
    this.#changed();
    requestAnimationFrame(() => document.getElementById(id)?.focus());
  }

  #bytes(state: State | undefined): TemplateResult {
    const here = this.#client.loaded?.sha256;
    const host = state?.model?.sha256;
    const speed = this.#outcome ? ` · ${milliseconds(this.#outcome.milliseconds)}` : "";
    let text: string;
    let tone = "";
    if (here === undefined) text = "Nothing you type leaves this page.";
    else if (here === null) text = "Hash not compared: the browser hashes on https or localhost only.";
    else if (here === host) {
      text = `same bytes as the host, sha256 ${here.slice(0, 10)}…${speed}`;
      tone = "same";
    } else {
      text = `other bytes than the host's: ${here.slice(0, 10)}… here, ${host?.slice(0, 10) ?? "none"}… there`;
      tone = "differs";
    }
    return html`<p class="bytes">
      <span class=${tone} data-test="tryit-bytes" data-value=${here ?? ""}>${tone === "same" ? "✓ " : tone === "differs" ? "✕ " : ""}${text}</span>
    </p>`;
  }
}

/** Browsers' clocks tick in tenths of a millisecond. */
function milliseconds(value: number): string {
  return value < 0.1 ? "under 0.1 ms" : `${value.toFixed(1)} ms`;
}

const KINDS = { float: "number", bigint: "whole number", "nvarchar(max)": "text", bit: "true or false" };

function kind(column: Column): string {
  return KINDS[column.type];
}

/** The function speaks of rows and of the query's types; the form has one row, and says "whole number". */
function plain(error: string): string {
  return error
    .replace(/^row 1, column '([^']*)'/, (_, column: string) => name(column))
    .replace(/(float|bigint) (?=[-+\d]|NaN|inf)/gi, "")
    .replace(/(float|bigint)(?= (is|beyond) )/g, (type) => `a ${KINDS[type as keyof typeof KINDS]}`)
    .replace("nvarchar(max) is", "text is")
    .replace("bit is", "true or false is");
}

/** What was typed, as JSON would carry it. Text in a number's place stays text, for the function to judge. */
function value(column: Column, text: string): Cell {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (column.type === "bit") return trimmed === "true" ? true : trimmed === "false" ? false : text;
  if (column.type === "nvarchar(max)") return text;
  if (NOT_FINITE.test(trimmed)) {
    if (/nan/i.test(trimmed)) return Number.NaN;
    return trimmed.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (!NUMBER.test(trimmed)) return text;
  const number = Number(trimmed);
  return column.type === "bigint" && /^[+-]?\d+$/.test(trimmed) && !Number.isSafeInteger(number)
    ? BigInt(trimmed.replace("+", ""))
    : number;
}
