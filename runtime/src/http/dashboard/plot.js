// Draws points over time: the answers as a line, each worker's values as dots of its colour, and what went wrong as marks.

import { drawn } from "./dom.js";
import { tickText, ticks } from "./scale.js";
import { colourOf } from "./slots.js";
import { period, timeTicks } from "./time.js";

const MARGIN = { top: 10, right: 12, bottom: 22, left: 10 };
/** The height of the lane below the values, in which failures are drawn. */
const LANE = 20;
const CHARACTER = 6.6;
const LABEL = 74;
// With more workers than this, lines between their values would only be a tangle.
const MAX_LINES = 12;

/**
 * Draws `points`, of which there is at least one, in a box of this size. `range` is what `domain` says of the points.
 * `cursor` is the place of the point that is described, and `unit` is written after each tick. Returns the drawing, and
 * where each point is.
 */
export function plot(points, range, { width, height, cursor, unit = "", label }) {
  const marks = ticks(range, Math.max(2, Math.round(height / 55)));
  const labels = marks.all.map((value) => tickText(value, marks.decimals) + unit);
  const left = MARGIN.left + Math.max(...labels.map((label) => label.length), 0) * CHARACTER;
  const right = width - MARGIN.right;
  const lane = height - MARGIN.bottom;
  const bottom = lane - LANE;
  const [from, to] = period(points);
  const x = (at) => left + 6 + ((at - from) / (to - from)) * (right - left - 12);
  const y = (value) => bottom - ((value - range[0]) / (range[1] - range[0])) * (bottom - MARGIN.top);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  marks.all.forEach((value, n) => {
    svg.append(
      drawn("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      drawn("text", { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, labels[n]),
    );
  });
  svg.append(drawn("line", { class: "axis", x1: left, x2: right, y1: lane, y2: lane }));
  for (const { at, text } of timeTicks([from, to], Math.max(1, Math.floor((right - left) / LABEL)))) {
    const anchor = x(at) < left + 30 ? "start" : x(at) > right - 30 ? "end" : "middle";
    svg.append(
      drawn("line", { class: "axis", x1: x(at), x2: x(at), y1: lane, y2: lane + 4 }),
      drawn("text", { class: "tick time", x: x(at), y: height - 5, "text-anchor": anchor, "data-at": at }, text),
    );
  }
  const places = points.map(({ at }) => x(at));
  const line = drawn("line", { class: "cursor", x1: places[cursor], x2: places[cursor], y1: MARGIN.top, y2: lane });
  svg.append(line, ...failures(points, places, lane), ...workers(points, places, y, range), ...answers(points, places, y));
  return { svg, places, cursor: line };
}

const number = (value) => value.toFixed(1);
/** Continues a line from the last place, or begins another: a line that led back in time would cross what it has drawn. */
const joint = (last, place) => (last === null || place < last ? "M" : "L");
const dot = (x, y) => `M${number(x)} ${number(y)}h0`;
const cross = (x, y) => `M${number(x - 3.5)} ${number(y - 3.5)}l7 7m0 -7l-7 7`;
const diamond = (x, y, size) => `M${number(x)} ${number(y - size)}l${size} ${size}l${-size} ${size}l${-size} ${-size}z`;
const arrow = (x, y, up) => `M${number(x - 4)} ${number(y + (up ? 5 : -5))}l4 ${up ? -6 : 6}l4 ${up ? 6 : -6}`;

/** One path, or none if there is nothing to draw. `count` is the number of its marks. */
function path(kind, marks, more = {}) {
  return marks.length === 0 ? [] : [drawn("path", { class: kind, d: marks.join(""), "data-count": marks.length, ...more })];
}

/** The values of each worker: used ones as dots on a thin line, excluded ones as crosses, those far away as arrows. */
function workers(points, places, y, [low, high]) {
  const of = new Map();
  points.forEach(({ values }, n) => {
    for (const value of values) {
      if (value.y === null) continue;
      if (!of.has(value.worker)) of.set(value.worker, { dots: [], crosses: [], arrows: [], line: [], last: null });
      const own = of.get(value.worker);
      const { dots, crosses, arrows, line } = own;
      const isFar = value.y < low || value.y > high;
      const [atX, atY] = [places[n], y(Math.min(Math.max(value.y, low), high))];
      if (isFar) arrows.push(arrow(atX, atY, value.y > high));
      else if (value.fate === "excluded") crosses.push(cross(atX, atY));
      else dots.push(dot(atX, atY));
      if (isFar) continue;
      line.push(`${joint(own.last, atX)}${number(atX)} ${number(atY)}`);
      own.last = atX;
    }
  });
  return [...of].map(([worker, { dots, crosses, arrows, line }]) => {
    const lines = of.size <= MAX_LINES && line.length > 1 ? path("thread", [line.join("")]) : [];
    const marks = [...lines, ...path("used", dots), ...path("excluded", crosses), ...path("excluded far", arrows)];
    return drawn("g", { class: `worker ${colourOf(worker)}`, "data-worker": worker }, ...marks);
  });
}

/** The answers: a line, broken where there was none, a diamond for each, and a larger one if it is disputed. */
function answers(points, places, y) {
  let line = "";
  let last = null;
  const [diamonds, disputed] = [[], []];
  points.forEach((point, n) => {
    if (point.y === null) {
      // The last report of a feed stands while its rounds are not reported.
      if (point.aside === undefined) last = null;
      else if (point.aside !== null) disputed.push(diamond(places[n], y(point.aside), 6));
      return;
    }
    line += `${joint(last, places[n])}${number(places[n])} ${number(y(point.y))}`;
    last = places[n];
    if (point.body.status === "disputed") disputed.push(diamond(places[n], y(point.y), 6));
    else diamonds.push(diamond(places[n], y(point.y), 3.5));
  });
  return [...path("aggregate", line === "" ? [] : [line]), ...path("answer", diamonds), ...path("disputed", disputed)];
}

/** In the lane: a bar for each outcome that lacks workers, as high as their share, and a cross if it has no answer. */
function failures(points, places, lane) {
  const [bars, crosses] = [[], []];
  points.forEach((point, n) => {
    const share = point.failed.length / Math.max(point.expected, 1);
    if (share > 0) bars.push(`M${number(places[n])} ${lane}v${number(-3 - share * (LANE - 9))}`);
    if (point.text === null) crosses.push(cross(places[n], lane - 10));
  });
  return [...path("failures", bars), ...path("unanswered", crosses)];
}
