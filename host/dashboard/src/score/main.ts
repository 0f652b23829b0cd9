// The page for anybody's module: drop a .wasm or take the host's, paste rows or CSV, see scores, reasons, signature and
// hash. The module runs in a worker that can be stopped; nothing leaves the page.

import { html, render } from "lit-html";
import { sample } from "../function/examples.ts";
import { mark } from "../mark.ts";
import { ModuleClient } from "../module/client.ts";
import { parse } from "../module/rows.ts";
import { modulePanel } from "./module.ts";
import { resultsPanel } from "./results.ts";
import { rowsPanel } from "./rows.ts";
import { empty, type State } from "./state.ts";

const root = document.getElementById("page") as HTMLElement;
const client = new ModuleClient();
let state: State = empty;
const EXAMPLES = 8;

function set(change: Partial<State>): void {
  state = { ...state, ...change };
  draw();
}

const said = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function open(source: string, bytes: Promise<ArrayBuffer>): Promise<void> {
  set({ source, opened: undefined, run: undefined, busy: "opening", problem: undefined });
  try {
    const opened = await client.open(await bytes);
    set({ opened, busy: undefined });
  } catch (error) {
    set({ busy: undefined, problem: { at: "module", message: said(error) } });
  }
}

async function fromHost(): Promise<ArrayBuffer> {
  const answer = await fetch("/function.wasm", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`The host has no function to give (it answers ${answer.status}).`);
  return answer.arrayBuffer();
}

async function take(file: File): Promise<void> {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const isModule = String.fromCharCode(...start) === "\0asm";
  if (isModule || file.name.endsWith(".wasm")) await open(file.name, file.arrayBuffer());
  else set({ text: await file.text(), run: undefined, problem: undefined });
}

async function run(): Promise<void> {
  if (!state.opened || state.busy) return;
  try {
    const rows = parse(state.text, state.opened.signature.columns);
    set({ rows, run: undefined, busy: "scoring", problem: undefined });
    set({ run: await client.run(rows), busy: undefined });
  } catch (error) {
    set({ busy: undefined, problem: { at: "rows", message: said(error) } });
  }
}

function examples(): void {
  if (!state.opened) return;
  const { signature } = state.opened;
  const lines = Array.from({ length: EXAMPLES }, () => JSON.stringify(sample(signature)));
  set({ text: lines.join("\n"), run: undefined, problem: undefined });
}

function page() {
  return html`
    <header class="top">
      <div class="brand">
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">${mark}</svg>
        <h1 title="Tamis: French for sieve">Tamis</h1>
        <span class="job"><b>Score rows</b> <span class="quiet">with any module, in this browser</span></span>
      </div>
      <nav><a href="/" data-test="to-live">Live page</a></nav>
    </header>
    <main class="score" @dragover=${(event: Event) => event.preventDefault()} @drop=${drop}>
      ${modulePanel(state, { take, fromHost: () => open("this host", fromHost()) })}
      ${rowsPanel(state, { edit: (text) => set({ text }), run, stop: () => client.stop("Stopped."), examples, take })}
      ${resultsPanel(state)}
    </main>
  `;
}

function drop(event: DragEvent): void {
  event.preventDefault();
  for (const file of event.dataTransfer?.files ?? []) take(file);
}

function draw(): void {
  render(page(), root);
}

draw();
