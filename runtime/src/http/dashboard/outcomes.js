// The last outcomes, newest first: of everything, of one query, or of one worker.

import { badges } from "./badges.js";
import { byId, cell, element, say } from "./dom.js";
import { fates, fateText } from "./evidence.js";
import { clock, counted, day, nanoseconds } from "./format.js";
import { clipped, link } from "./links.js";
import { showRows } from "./rows.js";
import { answerOf, exactAnswer } from "./rounded.js";

const MAX_ROWS = 100;

/** Shows outcomes as they arrive, redrawn at most once a frame, and not while paused. */
export class Outcomes {
  #past;
  #view = { kind: "overview", key: "" };
  /** How many events this page missed; null for an unknown number. */
  #missed = 0;
  #paused = false;
  #planned = false;

  constructor(past) {
    this.#past = past;
    past.addEventListener("change", () => this.#plan());
    const button = byId("pause");
    button.addEventListener("click", () => {
      this.#paused = !this.#paused;
      button.setAttribute("aria-pressed", String(this.#paused));
      this.#plan();
    });
    this.#plan();
  }

  /** Shows the outcomes that belong on this page. */
  show(view) {
    this.#view = view;
    this.#missed = 0;
    const isOfWorker = view.kind === "worker";
    for (const head of byId("outcomes-table").querySelectorAll("th[data-for]")) {
      head.hidden = (head.dataset.for === "worker") !== isOfWorker;
    }
    byId("outcomes").replaceChildren();
    // A page that has just been opened shows what there is, paused or not.
    this.#plan({ isPaused: false });
  }

  /** Counts events of all kinds that this page missed. `count` is null if their number is unknown. */
  missed(count) {
    this.#missed = count === null || this.#missed === null ? null : this.#missed + Number(count);
    this.#plan();
  }

  #plan({ isPaused } = { isPaused: this.#paused }) {
    if (this.#planned || isPaused) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      this.#draw();
    });
  }

  #draw() {
    const { kind, key } = this.#view;
    const all = { query: () => this.#past.of(key), worker: () => this.#past.with(key) }[kind]?.() ?? this.#past.all();
    const make = kind === "worker" ? (outcome) => rowOfWorker(outcome, key) : row;
    const newest = all.slice(-MAX_ROWS).reverse();
    showRows(byId("outcomes"), newest, { keyOf: ({ number }) => String(number), markOf: () => "", make, empty });
    const shown = all.length > MAX_ROWS ? `the last ${MAX_ROWS} of ${all.length}` : "";
    say(byId("missed"), [shown, missedText(this.#missed, kind)].filter((part) => part !== "").join(" · "));
  }
}

/** What a page of this kind missed. A coordinator does not know what the events were about that it no longer has. */
function missedText(count, kind) {
  if (count === 0) return "";
  if (count === null) return "some events may have passed unseen";
  if (kind !== "query") return `${counted(count, "event")} passed unseen`;
  return `${counted(count, "event")} of all queries passed unseen; some may have been of this one`;
}

function when({ body, at }) {
  const made = link("request", body.request_id, clock(at));
  made.title = `${day(at)} ${clock(at, true)}`;
  return cell("Time", made, { class: "time" });
}

/** The answer of an outcome in a cell, with all its digits in its title. */
function answer(body) {
  if (body.error !== undefined) return cell("Answer", "no answer", { class: "digits" });
  return cell("Answer", clipped(answerOf(body), { title: exactAnswer(body) }), { class: "digits" });
}

function row(outcome) {
  const { body } = outcome;
  return element(
    "tr",
    { role: "row", class: body.error === undefined ? "" : "failed" },
    when(outcome),
    element("th", { scope: "row", role: "rowheader" }, link("query", body.query)),
    answer(body),
    cell("Status", element("span", { class: "badges" }, ...badges(body))),
    cell("Workers", `${body.succeeded} / ${body.expected}`, { class: "number" }),
    cell("Took", nanoseconds(body.elapsed), { class: "number" }),
  );
}

/** An outcome as it concerns one worker. */
function rowOfWorker(outcome, worker) {
  const { body } = outcome;
  const { text, off, fate, why, time } = fates(body).find((one) => one.worker === worker);
  return element(
    "tr",
    { role: "row", class: `fate ${fate}` },
    when(outcome),
    element("th", { scope: "row", role: "rowheader" }, link("query", body.query)),
    cell("Said", clipped(text), { class: "digits" }),
    cell("Off by", off, { class: "number" }),
    cell("Fate", fateText(fate, why)),
    answer(body),
    cell("Took", time, { class: "number" }),
  );
}

function empty() {
  const text = "No request has ended yet. What anybody asks this coordinator appears here.";
  return element("tr", { role: "row" }, element("td", { role: "cell", colspan: "7", class: "empty" }, text));
}
