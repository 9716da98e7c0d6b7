// The card with the chart: which query, which part of the past, values or deviations, and which outcome is described.

import { badges } from "./badges.js";
import { byId, element, renew } from "./dom.js";
import { counted } from "./format.js";
import { legend } from "./legend.js";
import { link } from "./links.js";
import { byName } from "./order.js";
import { deviations, pointOf } from "./points.js";
import { plot } from "./plot.js";
import { readout } from "./readout.js";
import { pointOfRound } from "./rounds.js";
import { domain } from "./scale.js";

const NARROW = 260;
const WIDE = 340;
// How many times as long as a drawing took the next one waits, and how long at most, in milliseconds.
const REST = 3;
const MAX_WAIT = 1000;

/** The chart, redrawn at most once a frame, and less often if that takes long. */
export class Chart {
  #past;
  #rounds;
  /** Whether the rounds of a feed are shown, and not the past of a query. */
  #isOfFeed = false;
  #points = [];
  #query = null;
  #chosen = false;
  /** The number of the outcome that is described; null for the newest. */
  #described = null;
  #drawing = null;
  #planned = false;
  /** How long the last drawing took, in milliseconds. */
  #cost = 0;

  constructor(past, rounds) {
    this.#past = past;
    this.#rounds = rounds;
    for (const source of [past, rounds]) source.addEventListener("change", () => this.#plan());
    byId("chart-query").addEventListener("change", ({ target }) => {
      this.#chosen = true;
      this.#turnTo(target.value);
    });
    for (const id of ["chart-span", "chart-what"]) byId(id).addEventListener("change", () => this.#plan());
    byId("chart-step").addEventListener("input", ({ target }) => this.#describe(Number(target.value)));
    byId("chart").addEventListener("pointermove", (event) => this.#point(event));
    new ResizeObserver(() => this.#plan()).observe(byId("chart"));
    this.#plan();
  }

  /** Shows only this query, or with null whichever was answered last, until one is chosen. */
  show(query) {
    this.#isOfFeed = false;
    this.#chosen = query !== null;
    this.#turnTo(query);
  }

  /** Shows the rounds of a feed. */
  showRounds() {
    this.#isOfFeed = true;
    this.#turnTo(null);
  }

  #turnTo(query) {
    this.#query = query;
    this.#described = null;
    this.#plan();
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    // A chart of many workers takes long to draw. The page has the rest of the time to itself.
    const wait = Math.min(this.#cost * REST, MAX_WAIT);
    setTimeout(() => requestAnimationFrame((frame) => {
      this.#planned = false;
      this.#draw();
      this.#cost = performance.now() - frame;
    }), wait);
  }

  #draw() {
    if (!this.#chosen && !this.#isOfFeed) this.#query = this.#past.all().at(-1)?.body.query ?? null;
    choices(this.#past.queries(), this.#query);
    const all = this.#isOfFeed ? this.#rounds.all() : this.#query === null ? [] : this.#past.of(this.#query);
    const outcomes = within(all, byId("chart-span").value);
    this.#points = outcomes.map(this.#isOfFeed ? pointOfRound : pointOf);
    const isRelative = byId("chart-what").value === "deviation";
    const points = isRelative ? deviations(this.#points) : this.#points;
    const range = domain(points);
    const box = byId("chart");
    if (range === null) {
      this.#drawing = null;
      box.replaceChildren(nothing(points, this.#isOfFeed));
    } else {
      const width = Math.max(box.clientWidth, 200);
      const height = width > 700 ? WIDE : NARROW;
      const unit = isRelative ? " %" : "";
      this.#drawing = plot(points, range, { width, height, cursor: this.#place(), unit, label: description(this.#points) });
      box.replaceChildren(this.#drawing.svg);
    }
    legend(byId("chart-legend"), byId("chart"), points);
    this.#tell();
  }

  /** The index of the point that is described. */
  #place() {
    const found = this.#points.findIndex(({ number }) => number === this.#described);
    return found < 0 ? this.#points.length - 1 : found;
  }

  /** Describes the point that is nearest to the pointer. */
  #point({ clientX }) {
    if (this.#drawing === null) return;
    const x = clientX - this.#drawing.svg.getBoundingClientRect().left;
    const distances = this.#drawing.places.map((place) => Math.abs(place - x));
    this.#describe(distances.indexOf(Math.min(...distances)));
  }

  /** Describes the point at this place; the last one means whichever is the newest. */
  #describe(place) {
    const last = this.#points.length - 1;
    this.#described = place < last ? (this.#points[place]?.number ?? null) : null;
    const at = this.#drawing?.places[this.#place()];
    if (at !== undefined) ["x1", "x2"].forEach((end) => this.#drawing.cursor.setAttribute(end, String(at)));
    this.#tell();
  }

  #tell() {
    const place = this.#place();
    const count = this.#points.length;
    byId("chart-stepper").hidden = count < 2;
    const input = byId("chart-step");
    input.max = String(Math.max(0, count - 1));
    if (Number(input.value) !== place) input.value = String(Math.max(0, place));
    input.setAttribute("aria-valuetext", `${place + 1} of ${count}`);
    const point = this.#points[place];
    byId("chart-badges").replaceChildren(...(point === undefined ? [] : badges(point.body)));
    readout(byId("chart-readout"), point);
    renew(byId("chart-link"), ...(this.#query === null ? [] : [link("query", this.#query)]));
  }
}

/**
 * The outcomes of the last `span` minutes before the newest; all of them if there is no span. Outcomes that are as far
 * ahead of the newest ended before a clock was set back.
 */
function within(outcomes, span) {
  if (span === "" || outcomes.length === 0) return outcomes;
  const newest = outcomes.at(-1).at;
  return outcomes.filter(({ at }) => Math.abs(newest - at) <= Number(span) * 60_000);
}

function choices(queries, current) {
  const select = byId("chart-query");
  const all = [...new Set(current === null ? queries : [...queries, current])].sort(byName);
  const have = [...select.options].map((option) => option.value);
  if (have.length !== all.length || have.some((query, n) => query !== all[n])) {
    select.replaceChildren(...all.map((query) => element("option", { value: query }, shortened(query))));
  }
  if (current !== null && select.value !== current) select.value = current;
  select.disabled = all.length === 0;
}

/** A list of options is as wide as its longest text. */
function shortened(query) {
  return query.length > 48 ? `${query.slice(0, 47)}…` : query;
}

function nothing(points, isOfFeed) {
  const text = {
    none: isOfFeed ? "No round of this feed is on record yet." : "Nothing was asked yet.",
    unanswered: "No request for this query has had an answer yet.",
    texts: "The answers to this query are not numbers.",
  };
  const isText = points.some((point) => point.text !== null || point.values.length > 0);
  return element("p", { class: "empty" }, text[points.length === 0 ? "none" : isText ? "texts" : "unanswered"]);
}

function description(points) {
  const last = points.at(-1);
  const disputes = points.filter((point) => point.disagrees).length;
  const unanswered = points.filter((point) => point.text === null).length;
  const newest = last.text === null ? "the newest has no answer" : `the newest is ${last.text}`;
  return `${counted(points.length, "outcome")} of ${last.body.query}; ${newest}; sources disagreed in ${disputes}; ${unanswered} without an answer.`;
}
