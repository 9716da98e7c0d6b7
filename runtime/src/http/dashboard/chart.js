// The values of one query: each worker's value as a dot, the answers as a line.

import { badges } from "./badges.js";
import { byId, drawn, element } from "./dom.js";
import { shown } from "./exact.js";
import { clock, counted } from "./format.js";
import { domain, tickText, ticks } from "./scale.js";
import { Series } from "./series.js";

const HEIGHT = 260;
const MARGIN = { top: 12, right: 14, bottom: 24, left: 12 };
const CHARACTER = 6.6;

/** The chart, redrawn at most once a frame. */
export class Chart {
  #series = new Series();
  #query = null;
  #chosen = false;
  /** The index of the point that is described; null for the newest. */
  #step = null;
  #planned = false;

  constructor() {
    byId("chart-query").addEventListener("change", ({ target }) => {
      this.#chosen = true;
      this.#step = null;
      this.#query = target.value;
      this.#plan();
    });
    byId("chart-step").addEventListener("input", ({ target }) => {
      const last = Number(target.max);
      this.#step = Number(target.value) < last ? Number(target.value) : null;
      this.#plan();
    });
    new ResizeObserver(() => this.#plan()).observe(byId("chart"));
    this.#plan();
  }

  /** Adds an outcome. Until a query is chosen, the query of the newest outcome is shown. */
  add(body, time) {
    if (body.query === undefined) return;
    this.#series.add(body, time);
    if (!this.#chosen) this.#query = body.query;
    this.#plan();
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      this.#draw();
    });
  }

  #draw() {
    const queries = this.#series.queries();
    const points = this.#series.points(this.#query);
    choices(queries, this.#query);
    const at = Math.min(this.#step ?? points.length - 1, points.length - 1);
    const range = domain(points);
    byId("chart").replaceChildren(range === null ? nothing(points) : picture(points, range, at, byId("chart").clientWidth));
    stepper(points.length, at);
    byId("chart-badges").replaceChildren(...(at < 0 ? [] : badges(points[at].body)));
    byId("chart-readout").replaceChildren(...(at < 0 ? [] : readout(points[at])));
  }
}

function choices(queries, current) {
  const select = byId("chart-query");
  const have = [...select.options].map((option) => option.value);
  if (have.length !== queries.length || have.some((query, n) => query !== queries[n])) {
    select.replaceChildren(...queries.map((query) => element("option", { value: query }, query)));
  }
  if (current !== null && select.value !== current) select.value = current;
  select.disabled = queries.length === 0;
}

function nothing(points) {
  const text = points.length === 0 ? "Nothing was asked yet." : "The answers to this query are not numbers.";
  return element("p", { class: "empty" }, text);
}

function stepper(count, at) {
  byId("chart-stepper").hidden = count < 2;
  const input = byId("chart-step");
  input.max = String(Math.max(0, count - 1));
  if (Number(input.value) !== at) input.value = String(Math.max(0, at));
  input.setAttribute("aria-valuetext", `${at + 1} of ${count}`);
}

/** One outcome in words, with all digits. */
function readout({ body, time, text, values }) {
  const when = time === null ? "" : `${clock(time)}: `;
  const first = element("strong", { class: "digits" }, text ?? "no answer");
  const rest = values.map(({ worker, text, fate, reason }) =>
    element(
      "span",
      { class: "said" },
      `${worker} `,
      element("span", { class: "digits" }, text),
      fate === "used" ? null : ` (${fate}${reason ? `: ${reason}` : ""})`,
    ),
  );
  return [`${when}${shown(body.query)} `, first, ...rest];
}

function picture(points, range, at, width) {
  const marks = ticks(range, 5);
  const labels = marks.all.map((value) => tickText(value, marks.decimals));
  const left = MARGIN.left + Math.max(...labels.map((label) => label.length), 0) * CHARACTER;
  const right = Math.max(width, 200) - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const gap = (right - left - 16) / Math.max(points.length - 1, 12);
  // The newest point is at the right edge.
  const x = (index) => right - 8 - (points.length - 1 - index) * gap;
  const y = (value) => bottom - ((value - range[0]) / (range[1] - range[0])) * (bottom - MARGIN.top);
  const svg = drawn("svg", {
    viewBox: `0 0 ${Math.max(width, 200)} ${HEIGHT}`,
    width: Math.max(width, 200),
    height: HEIGHT,
    role: "img",
    "aria-label": description(points),
  });
  marks.all.forEach((value, n) => {
    svg.append(
      drawn("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      drawn("text", { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, labels[n]),
    );
  });
  svg.append(drawn("line", { class: "cursor", x1: x(at), x2: x(at), y1: MARGIN.top, y2: bottom }));
  svg.append(...lines(points, x, y));
  points.forEach((point, index) => svg.append(...dots(point, x(index), y, range)));
  const first = points[0].time === null ? "earlier" : clock(points[0].time);
  const last = points.at(-1).time;
  svg.append(drawn("text", { class: "tick", x: x(0), y: HEIGHT - 6, "text-anchor": points.length < 4 ? "end" : "start" }, first));
  if (last !== null && points.length >= 4) {
    svg.append(drawn("text", { class: "tick", x: right, y: HEIGHT - 6, "text-anchor": "end" }, clock(last)));
  }
  return svg;
}

/** The answers as a line, which breaks where there was no answer. */
function lines(points, x, y) {
  let path = "";
  let pen = "M";
  points.forEach((point, index) => {
    if (point.y === null) {
      pen = "M";
    } else {
      path += `${pen}${x(index).toFixed(1)} ${y(point.y).toFixed(1)}`;
      pen = "L";
    }
  });
  return path === "" ? [] : [drawn("path", { class: "aggregate", d: path })];
}

function dots(point, x, y, [low, high]) {
  const marks = point.values
    .filter((value) => value.y !== null)
    .map((value) => {
      const title = drawn("title", {}, `${value.worker}: ${value.text}, ${value.fate}`);
      const at = { x, y: y(Math.min(Math.max(value.y, low), high)) };
      if (value.y < low || value.y > high) return drawn("path", { class: "excluded far", d: arrow(at, value.y > high) }, title);
      if (value.fate === "excluded") return drawn("path", { class: "excluded", d: cross(at) }, title);
      return drawn("circle", { class: "used", cx: at.x, cy: at.y, r: 3 }, title);
    });
  if (point.y !== null) {
    const at = { x, y: y(point.y) };
    const title = drawn("title", {}, `answer: ${point.text}`);
    const [kind, size] = point.body.status === "disputed" ? ["disputed", 6] : ["answer", 3.5];
    marks.push(drawn("path", { class: kind, d: diamond(at, size) }, title));
  }
  return marks;
}

const cross = ({ x, y }) => `M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7`;
const diamond = ({ x, y }, size) => `M${x} ${y - size}l${size} ${size}l${-size} ${size}l${-size} ${-size}z`;
const arrow = ({ x, y }, up) => `M${x - 4} ${y + (up ? 4 : -4)}l4 ${up ? -7 : 7}l4 ${up ? 7 : -7}`;

function description(points) {
  const query = shown(points[0].body.query);
  const last = points.at(-1);
  const disputes = points.filter((point) => point.disagrees).length;
  const newest = last.text === null ? "the newest has no answer" : `the newest is ${last.text}`;
  return `${counted(points.length, "outcome")} of ${query}; ${newest}; sources disagreed in ${disputes}.`;
}
