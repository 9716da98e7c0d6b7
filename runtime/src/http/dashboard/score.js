// Scores for people: a share in percent, a bar, and a colour that means the same everywhere.

import { drawn, element } from "./dom.js";
import { milliseconds } from "./format.js";
import { percent } from "./rounded.js";

const WIDTH = 56;

/** What a score means: `good` from 80 %, `fair` from 50 %, `poor` below. */
export function meaning(score) {
  const value = Number(score);
  return value >= 0.8 ? "good" : value >= 0.5 ? "fair" : "poor";
}

/** A score as a bar and in percent; its exact value is the title. */
export function scoreOf(score) {
  const bar = drawn("svg", { class: "bar", viewBox: `0 0 ${WIDTH} 8`, "aria-hidden": "true" });
  bar.append(
    drawn("rect", { class: "rest", width: WIDTH, height: 8, rx: 3 }),
    drawn("rect", { class: "part", width: Math.max(3, WIDTH * Number(score)), height: 8, rx: 3 }),
  );
  return element("span", { class: `score ${meaning(score)}`, title: String(score) }, bar, element("span", {}, percent(score)));
}

const BOX = { width: 560, height: 150, left: 40, right: 10, top: 12, bottom: 22 };

/** How a score went since its oldest blame: down at each blame, and up in between. */
export function scoreHistory(score, blames) {
  const span = Math.max(Number(blames[0].ago_ms), 1000) * 1.02;
  const x = (ago) => BOX.width - BOX.right - (Number(ago) / span) * (BOX.width - BOX.left - BOX.right);
  const y = (value) => BOX.top + (1 - Number(value)) * (BOX.height - BOX.top - BOX.bottom);
  const label = `The score since the oldest of the last blames: it was ${percent(blames[0].score_before)} and is ${percent(score)}.`;
  const svg = drawn("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": label });
  for (const value of [0, 0.5, 1]) {
    svg.append(
      drawn("line", { class: "grid", x1: BOX.left, x2: BOX.width - BOX.right, y1: y(value), y2: y(value) }),
      drawn("text", { class: "tick", x: BOX.left - 6, y: y(value) + 4, "text-anchor": "end" }, `${value * 100} %`),
    );
  }
  const point = (ago, value) => `${x(ago).toFixed(1)} ${y(value).toFixed(1)}`;
  const corners = blames.flatMap((blame) => [point(blame.ago_ms, blame.score_before), point(blame.ago_ms, blame.score)]);
  svg.append(
    drawn("path", { class: "aggregate", d: `M${[...corners, point(0, score)].join("L")}` }),
    drawn("path", { class: "blamed", d: blames.map(({ ago_ms, score }) => `M${point(ago_ms, score)}h0`).join("") }),
    drawn("text", { class: "tick", x: BOX.left, y: BOX.height - 5 }, `${milliseconds(Number(blames[0].ago_ms))} ago`),
    drawn("text", { class: "tick", x: BOX.width - BOX.right, y: BOX.height - 5, "text-anchor": "end" }, "now"),
  );
  return svg;
}
