// What has ended: the outcomes that the coordinator still has, and those that arrived since.

import { approximate } from "./exact.js";

/** As many as a coordinator keeps by default. */
export const MAX_OUTCOMES = 1024;

/** Dispatches `change` when outcomes have come or gone. They are ordered as they ended. */
export class Past extends EventTarget {
  #outcomes = [];
  #count = 0;

  /** Adds an outcome as it came over the wire. */
  add(body) {
    this.#count += 1;
    this.#outcomes.push({ body, number: this.#count, at: Date.parse(body.answered_at) });
    if (this.#outcomes.length > MAX_OUTCOMES) this.#outcomes.shift();
    this.dispatchEvent(new Event("change"));
  }

  /** Forgets all of them, because another part of the past is about to come. */
  clear() {
    this.#outcomes = [];
    this.dispatchEvent(new Event("change"));
  }

  all() {
    return this.#outcomes;
  }

  of(query) {
    return this.#outcomes.filter(({ body }) => body.query === query);
  }

  /** The outcomes that a worker took part in. */
  with(worker) {
    return this.#outcomes.filter(({ body }) => (body.workers ?? []).some(({ worker_id }) => worker_id === worker));
  }

  /** The last outcome of the request with this id. */
  request(id) {
    return this.#outcomes.findLast(({ body }) => body.request_id === id);
  }

  queries() {
    return [...new Set(this.#outcomes.map(({ body }) => body.query))];
  }
}

/** The number that an outcome's answer can be drawn as; null if it has none. */
export function heightOf(body) {
  return body.error === undefined ? approximate(body.final_value) : null;
}
