// The workers as the coordinator knows them, polled while the page is visible.

import { badge } from "./badges.js";
import { byId, cell, element, say } from "./dom.js";
import { parse } from "./exact.js";
import { ago, counted, nanoseconds } from "./format.js";

const EVERY = 1500;
const STATES = {
  live: ["good", "●", "live"],
  draining: ["fair", "◐", "draining"],
  left: ["gone", "○", "left"],
  expired: ["gone", "○", "expired"],
};

/** Keeps the table of workers up to date. */
export class Workers {
  #live = [];
  #timer = null;
  #asking = false;

  /** The names of the workers that a request for `query` made now would expect. */
  offering(query) {
    const offers = (worker) => (worker.queries ?? ["*"]).some((pattern) => matches(String(pattern), query));
    return this.#live.filter(offers).map((worker) => worker.worker_id);
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
      const response = await fetch("workers", { signal: AbortSignal.timeout(5000) });
      const body = parse(await response.text());
      if (!response.ok) throw new Error(String(body.details));
      this.#draw(body);
    } catch {
      say(byId("workers-note"), "The coordinator does not answer; this is what it said last.");
    }
  }

  #draw({ workers, absent, in_flight }) {
    this.#live = workers.filter((worker) => worker.state === "live");
    byId("workers").replaceChildren(...(workers.length > 0 ? workers.map(row) : [empty()]));
    say(byId("workers-note"), (absent ?? []).length > 0 ? `Expected, but not there: ${absent.join(", ")}` : "");
    say(byId("facts"), `${counted(this.#live.length, "live worker")}, ${counted(Number(in_flight), "request")} in flight`);
  }
}

function row(worker) {
  const [kind, sign, text] = STATES[worker.state] ?? ["fair", "?", String(worker.state)];
  const state = element("span", { class: "badges" }, badge(kind, sign, text));
  if (worker.quarantined === true) state.append(badge("poor", "×", "quarantined"));
  if (worker.suspect === true) state.append(badge("fair", "…", "suspect"));
  const quantile = (name) =>
    cell(name, worker.response_time ? nanoseconds(worker.response_time[name]) : "–", { class: "number" });
  return element(
    "tr",
    { role: "row", class: kind === "gone" ? "gone" : "", "data-worker": worker.worker_id, "data-state": worker.state },
    element("th", { scope: "row", role: "rowheader" }, worker.worker_id),
    cell("State", state),
    cell("Reliability", score(worker), { class: "number" }),
    quantile("p50"),
    quantile("p90"),
    quantile("p99"),
    cell("Last seen", ago(Number(worker.last_heard_ms)), { class: "number" }),
  );
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

/** The score as a bar and as a number. */
function score({ score }) {
  const bar = element("meter", { min: "0", max: "1", low: "0.5", high: "0.8", optimum: "1", value: score });
  bar.setAttribute("aria-hidden", "true");
  return element("span", { class: "score" }, bar, String(score).replace(/\.0+$|(\.\d*[1-9])0+$/, "$1"));
}

function empty() {
  const text = "No worker is known. Start one that reaches the same bus, and it appears here.";
  return element("tr", { role: "row" }, element("td", { role: "cell", colspan: "7", class: "empty" }, text));
}
