// The stream of events: kept open, resumed where it broke off, and closed while the page is hidden.

import { parse } from "./exact.js";

const KINDS = ["outcome", "worker", "observation", "missed"];
// The waits before each further attempt, in milliseconds.
const BACKOFF = [0, 500, 1000, 2000, 5000, 10000];
// How long a request waits for the stream, in milliseconds. Without the stream only its outcome is shown.
const OPEN_TIMEOUT = 1500;

/**
 * Dispatches `outcome`, `worker`, `observation` and `missed`, with the body as `detail`. The `detail` of `state` is
 * `connecting`, `live` or `waiting`.
 */
export class EventStream extends EventTarget {
  #source = null;
  #lastId = null;
  #watched = null;
  #tries = 0;
  #retry = null;
  #wanted = {};

  /** Streams this part of the events from now on: of one `query`, if any, beginning with the last `recent` ones. */
  want(wanted) {
    this.#wanted = wanted;
    this.#lastId = null;
    if (this.#source !== null) this.open();
  }

  /** Opens the stream, or resumes it where it broke off. */
  open() {
    this.close();
    const { query, recent } = this.#wanted;
    const parameters = new URLSearchParams();
    if (query !== undefined) parameters.set("query", query);
    if (this.#lastId === null) parameters.set("recent", String(recent));
    else parameters.set("last_event_id", this.#lastId);
    if (this.#watched !== null) parameters.set("request_id", this.#watched);
    const source = new EventSource(`events?${parameters}`);
    this.#source = source;
    this.#tell("state", "connecting");
    source.addEventListener("open", () => {
      this.#tries = 0;
      this.#tell("state", "live");
    });
    // The browser would reconnect by itself, but not after a refusal, and without a growing wait.
    source.addEventListener("error", () => this.#again());
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        if (event.lastEventId !== "") this.#lastId = event.lastEventId;
        this.#tell(kind, parse(event.data));
      });
    }
  }

  /** Closes the stream; `open` resumes it. */
  close() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  /** Also reports the results for a request from now on. Resolves once the stream is open, fails or takes too long. */
  watch(requestId) {
    this.#watched = requestId;
    this.open();
    const source = this.#source;
    return new Promise((resolve) => {
      source.addEventListener("open", resolve, { once: true });
      source.addEventListener("error", resolve, { once: true });
      setTimeout(resolve, OPEN_TIMEOUT);
    });
  }

  #again() {
    this.close();
    const wait = BACKOFF[Math.min(this.#tries, BACKOFF.length - 1)];
    this.#tries += 1;
    this.#tell("state", "waiting");
    this.#retry = setTimeout(() => this.open(), wait);
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
