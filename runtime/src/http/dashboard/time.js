// The chart's time axis.

import { clock, day } from "./format.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
// The steps between ticks that people read at a glance, in milliseconds.
const STEPS = [
  100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE,
  10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 28 * DAY,
];
// A period that is shorter than this is widened, in milliseconds.
const SHORTEST = 2 * SECOND;

/**
 * The period to draw: from the earliest point to the latest. They are not the first and the last if a clock was set back,
 * or if two coordinators behind one address do not agree on the time.
 */
export function period(points) {
  const times = points.map(({ at }) => at);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  return to - from >= SHORTEST ? [from, to] : [to - SHORTEST, to];
}

/** At most `count` round times within a period, in local time, with their labels. */
export function timeTicks([from, to], count) {
  const step = STEPS.find((step) => (to - from) / step <= count) ?? 28 * DAY * Math.ceil((to - from) / (28 * DAY * count));
  // Round in local time, so that ticks of hours and days are where people expect them.
  const offset = new Date(from).getTimezoneOffset() * MINUTE;
  const all = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) all.push({ at, text: label(at, step) });
  return all;
}

function label(at, step) {
  if (step >= DAY) return day(at);
  if (step >= MINUTE) return clock(at).slice(0, 5);
  return step >= SECOND ? clock(at) : clock(at, true).slice(0, -2);
}
