// The stream of events: kept open, resumed where it broke off, and closed while the page is hidden.
//
// It is read with `fetch`. An `EventSource` hides why a coordinator refuses it, and the ids of events without data, which
// say how many events of other queries have been passed over.

import { parse } from "./exact.js";
import { Frames } from "./frames.js";

// The waits before each further attempt, in milliseconds.
const BACKOFF = [0, 500, 1000, 2000, 5000, 10000];
// How long a request waits for the stream, in milliseconds. Without the stream only its outcome is shown.
const OPEN_TIMEOUT = 1500;

/**
 * Dispatches the events of its route (`outcome`, `worker`, `observation`, `missed`, or `record` of feeds), with the body as `detail`. The `detail` of `state` is
 * `{ state }`, which is `live`, `waiting` for the next attempt, or `refused` with the coordinator's words as `details`.
 */
export class EventStream extends EventTarget {
  /** Ends the current connection, or the attempt at one; null while the stream is closed. */
  #connection = null;
  #lastId = null;
  #watched = null;
  #tries = 0;
  #retry = null;
  #wanted = {};
  #route;

  constructor(route = "events") {
    super();
    this.#route = route;
  }

  /** Streams this part of the events from now on: of one `query` or `feed`, if any, beginning with the last `recent` ones. */
  want(wanted) {
    this.#wanted = wanted;
    this.#lastId = null;
    if (this.#connection !== null) this.open();
  }

  /** Opens the stream, or resumes it where it broke off. Resolves once it is open or has failed. */
  async open() {
    this.close();
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    try {
      const response = await fetch(`${this.#route}?${this.#parameters()}`, { signal, cache: "no-store" });
      if (response.ok) {
        this.#tries = 0;
        this.#tell("state", { state: "live" });
        this.#follow(response.body, signal);
      } else {
        const { details } = parse(await response.text());
        if (!signal.aborted) this.#refused(response.status, String(details));
      }
    } catch {
      if (!signal.aborted) this.#again({ state: "waiting" });
    }
  }

  /** Closes the stream; `open` resumes it. */
  close() {
    clearTimeout(this.#retry);
    this.#connection?.abort();
    this.#connection = null;
  }

  /** Also reports the results for a request from now on. Resolves once the stream is open, fails or takes too long. */
  watch(requestId) {
    this.#watched = requestId;
    return Promise.race([this.open(), new Promise((resolve) => setTimeout(resolve, OPEN_TIMEOUT))]);
  }

  #parameters() {
    const { query, feed, recent } = this.#wanted;
    const parameters = new URLSearchParams();
    if (query !== undefined) parameters.set("query", query);
    if (feed !== undefined) parameters.set("feed", feed);
    if (this.#lastId !== null) parameters.set("last_event_id", this.#lastId);
    else if (recent !== undefined) parameters.set("recent", String(recent));
    if (this.#watched !== null) parameters.set("request_id", this.#watched);
    return parameters;
  }

  /** Reads an open connection to its end. */
  async #follow(body, signal) {
    const frames = new Frames();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || signal.aborted) break;
        frames.take(value).forEach((frame) => this.#take(frame));
      }
    } catch {
      // It broke off.
    }
    if (!signal.aborted) this.#again({ state: "waiting" });
  }

  #take({ id, event, data }) {
    if (id !== undefined) this.#lastId = id;
    if (data !== undefined) this.#tell(event, parse(data));
  }

  #refused(status, details) {
    // An address that is wrong stays wrong. Other reasons pass.
    if (status === 400) this.#tell("state", { state: "refused", details });
    else this.#again({ state: "refused", details });
  }

  #again(state) {
    const wait = BACKOFF[Math.min(this.#tries, BACKOFF.length - 1)];
    this.#tries += 1;
    this.#tell("state", state);
    this.#retry = setTimeout(() => this.open(), wait);
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
