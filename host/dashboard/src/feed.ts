// The connection to the host: one EventSource that comes back by itself, also after the host was gone.

import { parse, type State } from "./state.ts";

export type Connection = "connecting" | "live" | "reconnecting";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
/** A connection can die without a word, as on a laptop that slept. Opening anew costs one state. */
const SILENCE_MS = 60_000;

export class Feed {
  connection: Connection = "connecting";
  state: State | undefined;
  readonly #url: string;
  readonly #changed: () => void;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = FIRST_WAIT_MS;

  constructor(url: string, changed: () => void) {
    this.#url = url;
    this.#changed = changed;
    addEventListener("online", () => this.open());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    this.open();
  }

  open(): void {
    this.#source?.close();
    const source = new EventSource(this.#url);
    this.#source = source;
    this.#openAgainAfter(SILENCE_MS);
    source.addEventListener("state", (event: MessageEvent<string>) => {
      this.#wait = FIRST_WAIT_MS;
      this.#openAgainAfter(SILENCE_MS);
      try {
        this.state = parse(event.data);
      } catch (error) {
        console.error("The feed sent a state that cannot be read.", error);
        return;
      }
      this.#become("live");
    });
    source.onerror = () => {
      if (source !== this.#source) return;
      // The browser tries again after a broken connection, but gives up after an answer that is no stream
      // (a proxy's 502 while the host starts).
      if (source.readyState === EventSource.CLOSED) {
        this.#openAgainAfter(this.#wait);
        this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
      }
      this.#become(this.state ? "reconnecting" : "connecting");
    };
  }

  #openAgainAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), milliseconds);
  }

  #become(connection: Connection): void {
    this.connection = connection;
    this.#changed();
  }
}
