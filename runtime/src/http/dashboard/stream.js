// The stream of events: kept open, resumed where it broke off, and closed while the page is hidden.

import { parse } from "./exact.js";

const KINDS = ["outcome", "worker", "observation", "missed"];
// How many of the last events a new page asks for: as many as one batch holds.
const RECENT = 32;
// In milliseconds: after a pause of at least `PAUSE`, what arrives within `RETURN` happened during the pause.
const PAUSE = 3000;
const RETURN = 300;
// The waits before each further attempt, in milliseconds.
const BACKOFF = [0, 500, 1000, 2000, 5000, 10000];
// How long a request waits for the stream, in milliseconds. Without the stream only its outcome is shown.
const OPEN_TIMEOUT = 1500;

/**
 * Dispatches `outcome`, `worker`, `observation` and `missed`. Their `detail` has the `body`, and the `time` of arrival
 * or null if it happened while the stream was closed. The `detail` of `state` is `connecting`, `live` or `waiting`.
 */
export class EventStream extends EventTarget {
  #source = null;
  #lastId = null;
  #watched = null;
  #tries = 0;
  #retry = null;
  /** When the stream was last open. */
  #heard = -Infinity;
  /** Until when the events that arrive are old ones. */
  #oldUntil = 0;

  /** Opens the stream, or resumes it where it broke off. */
  open() {
    this.close();
    const parameters = new URLSearchParams();
    if (this.#lastId === null) parameters.set("recent", String(RECENT));
    else parameters.set("last_event_id", this.#lastId);
    if (this.#watched !== null) parameters.set("request_id", this.#watched);
    const source = new EventSource(`events?${parameters}`);
    this.#source = source;
    this.#tell("state", "connecting");
    source.addEventListener("open", () => {
      const now = performance.now();
      this.#oldUntil = now - this.#heard > PAUSE ? now + RETURN : 0;
      this.#tries = 0;
      this.#tell("state", "live");
    });
    // The browser would reconnect by itself, but not after a refusal, and without a growing wait.
    source.addEventListener("error", () => this.#again());
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        if (event.lastEventId !== "") this.#lastId = event.lastEventId;
        const time = performance.now() < this.#oldUntil ? null : new Date();
        this.#tell(kind, { body: parse(event.data), time });
      });
    }
  }

  /** Closes the stream; `open` resumes it. */
  close() {
    clearTimeout(this.#retry);
    if (this.#source?.readyState === EventSource.OPEN) this.#heard = performance.now();
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
