// The workers as the coordinator knows them, and whether it reaches NATS, polled while the page is visible.

import { parse } from "./exact.js";
import { byName } from "./order.js";

const EVERY = 1500;
const TIMEOUT = 5000;

/**
 * Dispatches `change` with the body of `GET /workers`. The `detail` of `state` is `{ state }`, which is `live`, `nats`
 * without NATS, `waiting`, or `refused` with the coordinator's words as `details`.
 */
export class Register extends EventTarget {
  #workers = [];
  #timer = null;
  #asking = false;

  /** The known workers, by name. */
  workers() {
    return this.#workers;
  }

  /** The names of the workers that a request for `query` made now would expect. */
  offering(query) {
    const offers = (worker) => (worker.queries ?? ["*"]).some((pattern) => matches(String(pattern), query));
    return this.#workers.filter((worker) => worker.state === "live" && offers(worker)).map(({ worker_id }) => worker_id);
  }

  /** Refreshes now, and regularly from then on. */
  async start() {
    this.stop();
    if (!this.#asking) {
      this.#asking = true;
      await this.#refresh();
      this.#asking = false;
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.start(), EVERY);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  async #refresh() {
    try {
      const [health, register] = await Promise.all([got("health"), got("workers")]);
      this.#workers = register.workers.sort((one, other) => byName(one.worker_id, other.worker_id));
      this.#tell("state", { state: health.nats === true ? "live" : "nats" });
      this.#tell("change", register);
    } catch (error) {
      this.#tell("state", error instanceof Refusal ? { state: "refused", details: error.message } : { state: "waiting" });
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** The coordinator answers, but with an error. */
class Refusal extends Error {}

/** The JSON of a route. */
export async function got(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT) });
  const body = parse(await response.text());
  if (!response.ok) throw new Refusal(String(body.details));
  return body;
}

/** Whether a pattern, in which `*` stands for any characters, matches a query. */
function matches(pattern, query) {
  const [start, ...parts] = pattern.split("*");
  if (parts.length === 0) return pattern === query;
  if (!query.startsWith(start)) return false;
  const end = parts.pop();
  let from = start.length;
  for (const part of parts) {
    const at = query.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return query.length - from >= end.length && query.endsWith(end);
}
