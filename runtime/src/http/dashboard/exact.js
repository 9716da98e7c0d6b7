// Reads JSON without losing a digit: every number becomes an `Exact`, which keeps the text it was written as.
// `JSON.parse` alone would round a number of 29 digits to the nearest binary float.

/** A number as it was written. */
export class Exact {
  constructor(text) {
    this.text = text;
    Object.freeze(this);
  }

  /** All its digits. */
  toString() {
    return this.text;
  }

  /** Its approximate value, for drawing and for times, never for showing a value. */
  valueOf() {
    return Number(this.text);
  }
}

// The distance and the ratio of larger numbers may be infinite, as a label like 1e999 is by itself.
const LARGEST = 1e150;
// A string or else a number: nothing within a string is taken for a number.
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
// Numbers pass through the parser as objects with this one key. If a server sends such an object itself, it is taken
// for a number, which does no harm: it is shown as text all the same.
const KEY = "exact number";

/** Parses a JSON text. Throws a SyntaxError like `JSON.parse`. */
export function parse(text) {
  const marked = text.replace(TOKEN, (token) => (token[0] === '"' ? token : `{"${KEY}":"${token}"}`));
  return JSON.parse(marked, (_, value) => {
    const isMarked = value !== null && typeof value === "object" && typeof value[KEY] === "string";
    return isMarked ? new Exact(value[KEY]) : value;
  });
}

/** The approximate value of a number, or of a text that is a number, for drawing; null if it is neither or too large. */
export function approximate(value) {
  const isNumber = value instanceof Exact || (typeof value === "string" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value));
  const number = isNumber ? Number(value) : NaN;
  return Math.abs(number) <= LARGEST ? number : null;
}

/** A value with all its digits. */
export function shown(value) {
  return value === null || value === undefined ? "–" : String(value);
}

/** A value as JSON for people, with all digits of its numbers. */
export function written(value, margin = "") {
  if (value instanceof Exact) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const inner = `${margin}  `;
  const parts = Object.entries(value).map(([name, part]) => `${isList ? "" : `${JSON.stringify(name)}: `}${written(part, inner)}`);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  return parts.length === 0 ? open + close : `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${margin}${close}`;
}
