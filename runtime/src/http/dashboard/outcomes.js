// The last outcomes, newest first.

import { badges } from "./badges.js";
import { byId, cell, element, say } from "./dom.js";
import { shown } from "./exact.js";
import { clock, counted, nanoseconds } from "./format.js";

const MAX_ROWS = 20;

/** Shows outcomes as they arrive, redrawn at most once a frame, and not while paused. */
export class Outcomes {
  #rows = [];
  #missed = 0;
  #paused = false;
  #planned = false;

  constructor() {
    const button = byId("pause");
    button.addEventListener("click", () => {
      this.#paused = !this.#paused;
      button.setAttribute("aria-pressed", String(this.#paused));
      this.#plan();
    });
    this.#draw();
  }

  add(body, time) {
    this.#rows.unshift({ body, time });
    this.#rows.length = Math.min(this.#rows.length, MAX_ROWS);
    this.#plan();
  }

  /** Counts events that came too fast for this page. `count` is null if their number is unknown. */
  missed(count) {
    this.#missed += Number(count ?? 0);
    this.#plan();
  }

  #plan() {
    if (this.#planned || this.#paused) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      this.#draw();
    });
  }

  #draw() {
    const rows = this.#rows.map(({ body, time }) => row(body, time));
    byId("outcomes").replaceChildren(...(rows.length > 0 ? rows : [empty()]));
    say(byId("missed"), this.#missed > 0 ? `${counted(this.#missed, "more event")} came too fast to be shown` : "");
  }
}

function row(body, time) {
  const failed = body.error !== undefined;
  return element(
    "tr",
    { role: "row", class: failed ? "failed" : "" },
    cell("Time", time === null ? "earlier" : clock(time), { class: "quiet" }),
    element("th", { scope: "row", role: "rowheader" }, shown(body.query)),
    cell("Answer", failed ? "no answer" : shown(body.final_value), { class: "digits" }),
    cell("Status", element("span", { class: "badges" }, ...badges(body))),
    cell("Workers", `${body.succeeded} / ${body.expected}`, { class: "number" }),
    cell("Took", nanoseconds(body.elapsed), { class: "number" }),
  );
}

function empty() {
  const text = "No request has ended yet. What anybody asks this coordinator appears here.";
  return element("tr", { role: "row" }, element("td", { role: "cell", colspan: "6", class: "empty" }, text));
}
