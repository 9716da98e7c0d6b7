// The stream of events: kept open, resumed where it broke off, and closed while nobody looks.

import { parse } from "./exact.js";

const KINDS = ["outcome", "worker", "observation", "missed"];
// How many of the last events a page begins with: as many as come at once.
const RECENT = 32;
// After a pause of so many milliseconds, what comes within this time of the return happened during the pause.
const PAUSE = 3000;
const RETURN = 300;
// Waits before each further try, in milliseconds.
const BACKOFF = [0, 500, 1000, 2000, 5000, 10000];
// How long a question waits for the stream, in milliseconds; without it only the answer is seen.
const OPEN_TIMEOUT = 1500;

/**
 * Tells `outcome`, `worker`, `observation` and `missed`, whose `detail` has the `body`, and the `time` at which it came or
 * null if it happened while nobody listened. And `state`, whose `detail` is `connecting`, `live` or `waiting`.
 */
export class EventStream extends EventTarget {
  #source = null;
  #lastId = null;
  #watched = null;
  #tries = 0;
  #retry = null;
  /** When the stream was last open. */
  #heard = -Infinity;
  /** Until when events are old ones. */
  #oldUntil = 0;

  /** Opens the stream, or reopens it where it was. */
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
    // The browser would try again by itself, but not after a refusal, and without a growing wait.
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

  /** Also tells what each worker says to a request from now on. Ends when that is sure, or when it takes too long. */
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
