// The page of one worker: what it is, why its score is what it is, and how its score went.

import { byId, cell, element, say } from "./dom.js";
import { ago, counted, nanoseconds } from "./format.js";
import { clipped, link } from "./links.js";
import { percent } from "./rounded.js";
import { scoreHistory, scoreOf } from "./score.js";
import { BLAMES, stateOf } from "./workers.js";

const COUNTS = [
  ["successes", "values in time"],
  ["failures", "failures"],
  ["timeouts", "silent until the deadline"],
  ["late", "late answers"],
  ["outliers", "outliers"],
  ["equivocations", "contradictions"],
];

/** Keeps the card of one worker up to date. */
export class WorkerCard {
  #register;
  #worker = null;

  constructor(register) {
    this.#register = register;
    register.addEventListener("change", () => this.#draw());
  }

  /** Shows this worker; null for none. */
  show(worker) {
    this.#worker = worker;
    this.#draw();
  }

  #draw() {
    if (this.#worker === null) return;
    const found = this.#register.workers().find(({ worker_id }) => worker_id === this.#worker);
    byId("worker-known").hidden = found === undefined;
    byId("worker-unknown").hidden = found !== undefined;
    if (found !== undefined) show(found);
  }
}

function show(worker) {
  const blames = worker.blames ?? [];
  byId("worker-state").replaceChildren(stateOf(worker));
  byId("worker-score").replaceChildren(scoreOf(worker.score));
  say(byId("worker-why"), why(worker, blames));
  byId("worker-counts").replaceChildren(...facts(worker));
  failure(worker.last_failure);
  byId("worker-blames").hidden = blames.length === 0;
  byId("worker-history").replaceChildren(...(blames.length === 0 ? [] : [scoreHistory(worker.score, blames)]));
  byId("worker-blame-rows").replaceChildren(...[...blames].reverse().map(blameRow));
}

/** The score in a sentence. */
function why(worker, blames) {
  if (blames.length === 0) return "Nothing has lowered its score lately.";
  const counts = new Map();
  for (const { blame } of blames) counts.set(blame, (counts.get(blame) ?? 0) + 1);
  const reasons = [...counts].map(([blame, count]) => `${BLAMES[blame] ?? blame}${count > 1 ? ` (${count}×)` : ""}`);
  const rest = worker.quarantined === true ? " It is in quarantine: its values are shown and not used." : "";
  return `The last ${counted(blames.length, "time")} its score was lowered: ${reasons.join(", ")}.${rest}`;
}

function facts(worker) {
  const times = worker.response_time;
  const quantiles = times ? ["p50", "p90", "p99"].map((name) => nanoseconds(times[name])).join(" / ") : "–";
  return [
    ...COUNTS.map(([field, words]) => [words, String(worker[field])]),
    ["response time, p50 / p90 / p99", quantiles],
    ["last seen", ago(Number(worker.last_heard_ms))],
    ["offers", (worker.queries ?? []).join(", ")],
  ].map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text)));
}

function failure(last) {
  const box = byId("worker-failure");
  box.hidden = !last;
  if (!last) return;
  const when = element("span", { class: "quiet" }, ` ${ago(Number(last.ago_ms))}, in `, link("request", last.request_id));
  box.replaceChildren(element("strong", {}, "Last failure: "), String(last.text), when);
}

function blameRow({ blame, request_id: request, score_before: before, score, ago_ms: since }) {
  return element(
    "tr",
    { role: "row" },
    element("th", { scope: "row", role: "rowheader" }, BLAMES[blame] ?? String(blame)),
    cell("Score", element("span", { title: `${before} → ${score}` }, `${percent(before)} → ${percent(score)}`), { class: "digits" }),
    cell("Request", link("request", request)),
    cell("When", clipped(ago(Number(since))), { class: "number" }),
  );
}
