// The answer to a request made on this page: worker by worker as they answer, then as a whole.

import { badges, share, verdictText } from "./badges.js";
import { byId, cell, element, say } from "./dom.js";
import { shown } from "./exact.js";
import { nanoseconds } from "./format.js";

const SIGNS = { used: "✓", excluded: "×", failed: "!", late: "…", missing: "–", answered: "•", waiting: "…" };

/** Shows a request, first while its workers are awaited. */
export class Answer {
  #rows = new Map();
  #query;

  constructor(query, expected) {
    this.#query = query;
    byId("answer").hidden = false;
    byId("answer-value").replaceChildren(element("span", { class: "pending" }, "waiting for the workers"));
    byId("answer-badges").replaceChildren();
    byId("answer-note").replaceChildren();
    byId("answer-fine").replaceChildren();
    say(byId("answer-summary"), `Asking ${query}`);
    for (const worker of expected) this.#set(worker, "", "waiting");
    this.#draw();
  }

  /** Shows the result of one worker. */
  observed(body) {
    this.#set(body.worker_id, said(body), body.err === undefined ? "answered" : "failed", took(body));
    this.#draw();
  }

  /** Shows how the request ended: with an answer, or with an error that may have evidence. */
  ended(body) {
    const responses = new Map((body.worker_responses ?? []).map((response) => [response.worker_id, response]));
    if (body.workers !== undefined) this.#rows.clear();
    // Nobody is awaited any longer, even if the coordinator did not say what became of anybody.
    for (const [worker, { fate }] of this.#rows) if (fate === "waiting") this.#rows.delete(worker);
    for (const { worker_id, fate, reason, age_ms } of body.workers ?? []) {
      const response = responses.get(worker_id);
      const age = age_ms === undefined ? undefined : `${age_ms} ms old`;
      const why = [reason, silence(body, worker_id), age].filter((word) => word !== undefined);
      this.#set(worker_id, response ? said(response) : "", fate, response ? took(response) : "", why.join(", "));
    }
    this.#draw();
    const failed = body.error !== undefined;
    const value = failed ? String(body.details ?? body.error) : shown(body.final_value);
    const look = failed ? "error" : value.length > 16 ? "final long" : "final";
    byId("answer-value").replaceChildren(element("span", { class: look }, value));
    byId("answer-badges").replaceChildren(...badges(body));
    const note = String(body.reliability_note ?? "");
    // The details of an error may end with the note.
    byId("answer-note").textContent = value.includes(note) ? "" : note;
    byId("answer-fine").textContent = fine(body);
    say(byId("answer-summary"), summary(this.#query, body));
  }

  #set(worker, text, fate, time = "", why = "") {
    this.#rows.set(worker, { text, fate, time, why });
  }

  #draw() {
    const rows = [...this.#rows].sort(([one], [other]) => (one < other ? -1 : 1));
    byId("answer-workers").replaceChildren(
      ...rows.map(([worker, { text, fate, time, why }]) =>
        element(
          "tr",
          { role: "row", class: `fate ${fate}`, "data-worker": worker },
          element("th", { scope: "row", role: "rowheader" }, worker),
          cell("Said", text, { class: "digits" }),
          cell("Fate", fateOf(fate, why)),
          cell("Took", time, { class: "number" }),
        ),
      ),
    );
  }
}

function fateOf(fate, why) {
  const sign = element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[fate] ?? "?");
  return element("span", {}, sign, ` ${fate}`, why === "" ? null : element("span", { class: "why" }, ` ${why}`));
}

/** Why a missing worker was not waited for, if it was not. */
function silence(body, worker) {
  if ((body.absent ?? []).includes(worker)) return "not there";
  if ((body.suspects ?? []).includes(worker)) return "silent for longer than usual";
  return undefined;
}

function said(response) {
  return response.err === undefined ? shown(response.value) : String(response.err);
}

function took(response) {
  return nanoseconds(response.response_time);
}

function fine(body) {
  const parts = [];
  if (body.strategy !== undefined) parts.push(String(body.strategy).replaceAll("_", " "));
  if (body.agreement !== undefined) parts.push(`agreement ${body.agreement}`);
  if (body.spread) parts.push(`from ${body.spread.min} to ${body.spread.max}`);
  if (body.elapsed !== undefined) parts.push(`answered in ${nanoseconds(body.elapsed)}`);
  if (body.request_id !== undefined) parts.push(`id ${body.request_id}`);
  return parts.join(" · ");
}

function summary(query, body) {
  if (body.error !== undefined) return `${query}: no answer. ${body.details ?? body.error}`;
  return `${query} is ${shown(body.final_value)}: ${verdictText(body)}, ${share(body)}`;
}
