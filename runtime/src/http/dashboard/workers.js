// The table of workers: sorted, filtered, and no higher than the screen.

import { badge } from "./badges.js";
import { byId, cell, element, say } from "./dom.js";
import { ago, counted, nanoseconds } from "./format.js";
import { link } from "./links.js";
import { ORDERS, ordered } from "./order.js";
import { showRows } from "./rows.js";
import { scoreOf } from "./score.js";
import { meet } from "./slots.js";

const STATES = {
  live: ["good", "●", "live"],
  draining: ["fair", "◐", "draining"],
  left: ["gone", "○", "left"],
  expired: ["gone", "○", "expired"],
};

/** Why a score was lowered, in words. */
export const BLAMES = { outlier: "outlier", failure: "failure", silence: "silent", equivocation: "contradicted itself" };

/** Keeps the table of workers up to date. */
export class Workers {
  #register;
  #body = null;
  #isCurrent = true;
  #order = "worst";

  constructor(register) {
    this.#register = register;
    register.addEventListener("change", ({ detail }) => {
      this.#body = detail;
      meet(register.workers().map(({ worker_id }) => worker_id));
      this.#draw();
    });
    register.addEventListener("state", ({ detail }) => {
      this.#isCurrent = detail.state === "live" || detail.state === "nats";
      this.#note();
    });
    const select = byId("workers-order");
    select.append(...Object.entries(ORDERS).map(([name, { label }]) => element("option", { value: name }, label)));
    select.addEventListener("change", () => this.#sort(select.value));
    byId("workers-filter").addEventListener("input", () => this.#draw());
    for (const button of byId("workers-table").querySelectorAll("button[data-order]")) {
      button.addEventListener("click", () => this.#sort(this.#order === button.dataset.order ? "worst" : button.dataset.order));
    }
    this.#sort(this.#order);
  }

  #sort(order) {
    this.#order = order;
    byId("workers-order").value = order;
    for (const button of byId("workers-table").querySelectorAll("button[data-order]")) {
      const head = button.closest("th");
      const direction = ["name", "score"].includes(order) ? "ascending" : "descending";
      if (button.dataset.order === order) head.setAttribute("aria-sort", direction);
      else head.removeAttribute("aria-sort");
    }
    if (this.#body !== null) this.#draw();
  }

  #draw() {
    const workers = ordered(this.#register.workers(), this.#order).filter(isWanted(byId("workers-filter").value));
    showRows(byId("workers"), workers, { keyOf: (worker) => worker.worker_id, markOf, make: row, empty: () => this.#empty() });
    const live = this.#register.workers().filter(({ state }) => state === "live").length;
    const flight = Number(this.#body.in_flight);
    say(byId("facts"), `${counted(live, "live worker")}, ${counted(flight, "request")} in flight`);
    this.#note(workers.length);
  }

  #note(shown = null) {
    const absent = this.#body?.absent ?? [];
    const parts = [];
    if (!this.#isCurrent) parts.push("The coordinator says nothing new; this is what it said last.");
    const all = this.#register.workers().length;
    if (shown !== null && shown < all) parts.push(`${shown} of ${all} workers`);
    if (absent.length > 0) parts.push(`Expected, but not there: ${absent.join(", ")}`);
    say(byId("workers-note"), parts.join(" · "));
  }

  #empty() {
    const text =
      this.#register.workers().length > 0
        ? "No worker matches the filter."
        : "No worker is known. Start one that reaches the same bus, and it appears here.";
    return element("tr", { role: "row" }, element("td", { role: "cell", colspan: "8", class: "empty" }, text));
  }
}

/** Whether a worker's name, state or offer contains every word of the filter. */
function isWanted(filter) {
  const words = filter.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return (worker) => {
    const flags = ["quarantined", "suspect"].filter((flag) => worker[flag] === true);
    const text = [worker.worker_id, worker.state, ...flags, ...(worker.queries ?? [])].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/** The badges of a worker: its state, and whether it is in quarantine or suspect. */
export function stateOf(worker) {
  const state = element("span", { class: "badges" }, badge(...(STATES[worker.state] ?? ["fair", "?", String(worker.state)])));
  if (worker.quarantined === true) state.append(" ", badge("poor", "×", "quarantined"));
  if (worker.suspect === true) state.append(" ", badge("fair", "…", "suspect"));
  return state;
}

function isGone(worker) {
  return worker.state === "left" || worker.state === "expired";
}

function lastBlame(worker) {
  const last = (worker.blames ?? []).at(-1);
  return last === undefined ? "" : `${BLAMES[last.blame] ?? last.blame}, ${ago(Number(last.ago_ms))}`;
}

/** All that a row shows. */
function markOf(worker) {
  const { state, score, quarantined, suspect, response_time: times, last_heard_ms: heard } = worker;
  const quantiles = times ? [times.p50, times.p90, times.p99].map(String) : [];
  return JSON.stringify([state, String(score), quarantined, suspect, quantiles, ago(Number(heard)), lastBlame(worker)]);
}

function row(worker) {
  const quantile = (name) =>
    cell(name, worker.response_time ? nanoseconds(worker.response_time[name]) : "–", { class: "number" });
  return element(
    "tr",
    { role: "row", class: isGone(worker) ? "gone" : "", "data-worker": worker.worker_id, "data-state": worker.state },
    element("th", { scope: "row", role: "rowheader" }, link("worker", worker.worker_id)),
    cell("State", stateOf(worker)),
    cell("Score", scoreOf(worker.score), { class: "number" }),
    cell("Last blame", lastBlame(worker), { class: "quiet" }),
    quantile("p50"),
    quantile("p90"),
    quantile("p99"),
    cell("Last seen", ago(Number(worker.last_heard_ms)), { class: "number" }),
  );
}
