// The answer to a request made on this page: worker by worker as they answer, then as a whole.

import { badges, share, verdictText } from "./badges.js";
import { byId, element, say } from "./dom.js";
import { fateRow, fates, said, took } from "./evidence.js";
import { clock, nanoseconds } from "./format.js";
import { link } from "./links.js";
import { byName } from "./order.js";
import { answerOf, exactAnswer, rounded } from "./rounded.js";
import { showValue } from "./value.js";

/** Shows a request, first while its workers are awaited. */
export class Answer {
  #rows = new Map();
  #query;

  constructor(query, expected) {
    this.#query = query;
    byId("answer").hidden = false;
    byId("answer-value").replaceChildren(element("span", { class: "pending" }, "waiting for the workers"));
    for (const id of ["answer-badges", "answer-note", "answer-fine"]) byId(id).replaceChildren();
    say(byId("answer-summary"), `Asking ${query}`);
    for (const worker of expected) this.#set({ worker, text: "", fate: "waiting" });
    this.#draw();
  }

  /** Shows the result of one worker. */
  observed(body) {
    this.#set({ worker: body.worker_id, text: said(body), fate: body.err === undefined ? "answered" : "failed", time: took(body) });
    this.#draw();
  }

  /** Shows how the request ended: with an answer, or with an error that may have evidence. */
  ended(body) {
    // Whoever has not answered is not awaited any longer. If the coordinator asked nobody, nobody is shown.
    if (body.workers !== undefined) this.#rows.clear();
    for (const [worker, { fate }] of this.#rows) if (fate === "waiting") this.#rows.delete(worker);
    fates(body).forEach((row) => this.#set(row));
    this.#draw();
    showOutcome("answer", body);
    say(byId("answer-summary"), summary(this.#query, body));
  }

  #set(row) {
    this.#rows.set(row.worker, row);
  }

  #draw() {
    const rows = [...this.#rows.values()].sort((one, other) => byName(one.worker, other.worker));
    byId("answer-scroll").hidden = rows.length === 0;
    byId("answer-workers").replaceChildren(...rows.map(fateRow));
  }
}

/** Shows an outcome, except what each worker said, in the elements whose ids begin with `prefix`. */
export function showOutcome(prefix, body) {
  const problem = body.error === undefined ? null : String(body.details ?? body.error);
  showValue(byId(`${prefix}-value`), problem === null ? { text: answerOf(body), exact: exactAnswer(body) } : { problem });
  byId(`${prefix}-badges`).replaceChildren(...badges(body));
  const note = String(body.reliability_note ?? "");
  // The details of an error may end with the note.
  byId(`${prefix}-note`).textContent = problem?.includes(note) ? "" : note;
  byId(`${prefix}-fine`).replaceChildren(...fine(body));
}

/** The rest of what the coordinator said, in one line. */
function fine(body) {
  const parts = [];
  if (body.strategy !== undefined) parts.push(String(body.strategy).replaceAll("_", " "));
  if (body.agreement !== undefined) parts.push(`agreement ${rounded(body.agreement, 2)}`);
  if (body.spread) parts.push(`from ${body.spread.min} to ${body.spread.max}`);
  if (body.elapsed !== undefined) parts.push(`answered in ${nanoseconds(body.elapsed)}`);
  if (body.oldest_observed_at !== undefined) parts.push(observed(body));
  if (body.request_id === undefined) return [parts.join(" · ")];
  return [[...parts, "id "].join(" · "), link("request", body.request_id)];
}

/** When the values were observed that the answer rests on. */
function observed({ oldest_observed_at: oldest, newest_observed_at: newest }) {
  const [from, to] = [oldest, newest].map((at) => clock(Date.parse(at), true));
  return from === to ? `observed at ${from}` : `observed from ${from} to ${to}`;
}

function summary(query, body) {
  if (body.error !== undefined) return `${query}: no answer. ${body.details ?? body.error}`;
  return `${query} is ${answerOf(body)}: ${verdictText(body)}, ${share(body)}`;
}
