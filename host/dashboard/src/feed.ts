// The connection to the host: one EventSource that comes back by itself, also after the host was gone.

import { parse, type State } from "./state.ts";

export type Connection = "connecting" | "live" | "reconnecting";

const REOPEN_MS = 1000;

export class Feed {
  connection: Connection = "connecting";
  state: State | undefined;
  readonly #url: string;
  readonly #changed: () => void;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, changed: () => void) {
    this.#url = url;
    this.#changed = changed;
    addEventListener("online", () => this.open());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    this.open();
  }

  open(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener("state", (event: MessageEvent<string>) => {
      this.state = parse(event.data);
      this.#become("live");
    });
    source.onerror = () => {
      this.#become(this.state ? "reconnecting" : "connecting");
      // The browser tries again after a broken connection, but gives up after an answer that is no stream
      // (a proxy's 502 while the host starts).
      if (source.readyState === EventSource.CLOSED && source === this.#source) {
        this.#timer = setTimeout(() => this.open(), REOPEN_MS);
      }
    };
  }

  #become(connection: Connection): void {
    this.connection = connection;
    this.#changed();
  }
}
