// Maps values to positions on the chart's vertical axis.

import { heights } from "./points.js";

// An excluded value that is farther from the others than this many times their range is drawn at the edge.
const FAR = 1;

/** The range to draw: all answers and used values, and excluded values unless they would flatten the rest. */
export function domain(points) {
  const counted = heights(points, ["used"]);
  const all = heights(points, ["used", "excluded"]);
  if (all.length === 0) return null;
  const [low, high] = bounds(counted.length > 0 ? counted : all);
  const room = Math.max(high - low, Math.abs(high) * 1e-3, Number.MIN_VALUE) * FAR;
  const [least, most] = bounds(all);
  return padded(Math.max(least, low - room), Math.min(most, high + room));
}

function bounds(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

function padded(low, high) {
  const padding = high > low ? (high - low) * 0.08 : Math.max(Math.abs(high) * 1e-3, 1e-9);
  return [low - padding, high + padding];
}

/** About `count` round numbers within a range, and the number of decimals that tells them apart. */
export function ticks([low, high], count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough;
  const decimals = Math.min(20, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const all = [];
  for (let at = Math.ceil(low / step); at * step <= high && all.length < 20; at += 1) all.push(at * step || 0);
  return { all, decimals };
}

/** A tick's label: short, because it is only for orientation; values are written out elsewhere. */
export function tickText(value, decimals) {
  if (Math.abs(value) >= 1e9 || (value !== 0 && Math.abs(value) < 1e-6)) return value.toExponential(2);
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
