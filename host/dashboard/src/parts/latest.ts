// The newest rows. The table holds still while somebody points at it or has the keyboard in it.

import { html, nothing, type TemplateResult } from "lit-html";
import { cell, NONE, name, score } from "../format.ts";
import type { Signature } from "../function/protocol.ts";
import { flagColumn, isFlagged, pick, type Row, type State, scoreColumn, words } from "../state.ts";

export class Latest {
  #held: Row[] | undefined;
  #rows: Row[] = [];
  readonly #changed: () => void;
  readonly #choose: (row: Row, key: string) => void;

  constructor(changed: () => void, choose: (row: Row, key: string) => void) {
    this.#changed = changed;
    this.#choose = choose;
  }

  #hold = (event: Event) => {
    if (event instanceof PointerEvent && event.pointerType !== "mouse") return;
    this.#held ??= this.#rows;
    this.#changed();
  };

  #release = (event: Event) => {
    const box = event.currentTarget as HTMLElement;
    if (
      event instanceof FocusEvent &&
      event.relatedTarget instanceof Node &&
      box.contains(event.relatedTarget)
    )
      return;
    if (event instanceof PointerEvent && box.contains(document.activeElement)) return;
    this.#held = undefined;
    this.#changed();
  };

  #resume = () => {
    this.#held = undefined;
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    this.#changed();
  };

  render(
    state: State | undefined,
    signature: Signature | undefined,
    chosen: string | undefined,
  ): TemplateResult {
    this.#rows = state?.latest ?? [];
    const rows = this.#held ?? this.#rows;
    const say = words(state);
    return html`<section class="panel latest" aria-labelledby="latest">
      <div class="heading">
        <h2 id="latest">${say.latest}</h2>
        ${
          this.#held
            ? html`<span class="quiet">held while you look <button type="button" class="link" @click=${this.#resume}>resume</button></span>`
            : rows.length > 0
              ? html`<span class="quiet">newest first</span>`
              : nothing
        }
      </div>
      <div
        class="scroll" role="region" aria-label=${`${say.latest}, table`} tabindex="0"
        @pointerenter=${this.#hold} @pointerleave=${this.#release} @focusin=${this.#hold} @focusout=${this.#release}
      >
        ${state && rows.length > 0 ? this.#table(state, rows, signature, chosen) : html`<p class="nothing">Nothing yet.</p>`}
      </div>
    </section>`;
  }

  #table(
    state: State,
    rows: Row[],
    signature: Signature | undefined,
    chosen: string | undefined,
  ): TemplateResult {
    const first = rows[0] as Row;
    const special = new Set([flagColumn(state), scoreColumn(state)].map((column) => column.toLowerCase()));
    const columns = Object.keys(first).filter((column) => !special.has(column.toLowerCase()));
    const [id = "", ...others] = columns;
    const floats = new Set(
      signature?.columns.filter((it) => it.type === "float").map((it) => it.name.toLowerCase()),
    );
    const fractions = new Map(
      columns.map((column) => [
        column,
        floats.has(column.toLowerCase()) ||
          rows.some((row) => typeof row[column] === "number" && !Number.isInteger(row[column])),
      ]),
    );
    const numeric = (column: string) => rows.some((row) => typeof row[column] === "number");
    const mark = words(state).mark;
    return html`<table data-test="latest">
      <thead>
        <tr>
          <th scope="col" class="id">${name(id)}</th>
          <th scope="col">${name(flagColumn(state))}</th>
          <th scope="col" class="number">${name(scoreColumn(state))}</th>
          ${others.map((column) => html`<th scope="col" class=${numeric(column) ? "number" : ""}>${name(column)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => {
          const flagged = isFlagged(state, row);
          const key = cell(row[id], false);
          const raw = pick(row, scoreColumn(state));
          return html`<tr
            class=${[flagged ? "flagged" : "", chosen === key ? "chosen" : ""].join(" ")}
            data-test="latest-row" data-id=${key} data-flagged=${flagged ? 1 : 0} data-score=${raw ?? ""}
            @click=${() => this.#choose(row, key)}
          >
            <th scope="row" class="id">
              <button type="button" class="link" title="Score this one here" aria-label=${`Score ${key} here`}>${key}</button>
            </th>
            <td>${
              flagged
                ? html`<span class="flag-mark"><svg viewBox="0 0 10 10" aria-hidden="true"><path d="M5 .8 9.6 9.2H.4z"></path></svg>${mark}</span>`
                : html`<span class="quiet" aria-label=${`not ${mark}`}>${NONE}</span>`
            }</td>
            <td class="number">${score(raw)}</td>
            ${others.map(
              (column) =>
                html`<td class=${numeric(column) ? "number" : ""} data-column=${column} data-value=${String(row[column])}>${cell(row[column], fractions.get(column) ?? false)}</td>`,
            )}
          </tr>`;
        })}
      </tbody>
    </table>`;
  }
}
