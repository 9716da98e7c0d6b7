// How times and counts are written.

/** A duration that is given in nanoseconds. */
export function nanoseconds(value) {
  const ms = Number(value) / 1e6;
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return milliseconds(ms);
}

/** A duration that is given in milliseconds, to three digits at most. */
export function milliseconds(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = seconds / 60;
  return minutes < 120 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`;
}

/** How long ago something was. */
export function ago(ms) {
  return ms < 2000 ? "now" : `${milliseconds(Math.floor(ms / 1000) * 1000)} ago`;
}

const pad = (number, length = 2) => String(number).padStart(length, "0");

/** The time of day, to the second, or to the millisecond if it is `exact`. */
export function clock(ms, exact = false) {
  const date = new Date(ms);
  const second = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return exact ? `${second}.${pad(date.getMilliseconds(), 3)}` : second;
}

/** The date, as ISO 8601 writes it. */
export function day(ms) {
  const date = new Date(ms);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** A count and its noun. */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
