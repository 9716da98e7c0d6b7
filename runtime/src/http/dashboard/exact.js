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

  /** About how much it is: for drawing and for times, never for showing a value. */
  valueOf() {
    return Number(this.text);
  }
}

// A string, or else a number: within a string nothing is taken for a number.
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
// Numbers go through the parser as objects with this one key. A server that sends such an object itself gets it taken for
// a number, which does no harm: it is text all the same.
const KEY = "exact number";

/** The value of a JSON text. Throws a SyntaxError like `JSON.parse`. */
export function parse(text) {
  const marked = text.replace(TOKEN, (token) => (token[0] === '"' ? token : `{"${KEY}":"${token}"}`));
  return JSON.parse(marked, (_, value) => {
    const isMarked = value !== null && typeof value === "object" && typeof value[KEY] === "string";
    return isMarked ? new Exact(value[KEY]) : value;
  });
}

/** About how much a value is, for drawing: of a number, or of a text that is one; else null. */
export function approximate(value) {
  if (value instanceof Exact) return Number(value);
  if (typeof value === "string" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return Number(value);
  return null;
}

/** A value with all its digits. */
export function shown(value) {
  return value === null || value === undefined ? "–" : String(value);
}
