// Reads JSON without rounding.
import { EXACT_FIELDS, EXACT_MAPS } from "./schema.js";

/** The number that follows the name of a field. */
const NUMBER = /\s*:\s*(-?\d[\d.eE+-]*)/y;
/** The beginning of an object that follows the name of a field. */
const OBJECT = /\s*:\s*\{/y;

/**
 * Parses JSON. Exact numbers, such as `final_value`, become texts with all their digits, where `JSON.parse` would round
 * them. All others become numbers.
 *
 * @throws SyntaxError if it is no JSON.
 */
export function parse(text: string): unknown {
  return JSON.parse(quoted(text));
}

/** The same JSON with quotes around exact numbers. Only texts have quotes, so nothing within a text is taken for a field. */
function quoted(text: string): string {
  const parts: string[] = [];
  let done = 0;
  let before = 0;
  let isInMap = false;
  for (let open = text.indexOf('"'), close = end(text, open); close > 0; close = end(text, open)) {
    const name = text.slice(open + 1, close);
    // An object of numbers has no other objects in it.
    isInMap &&= !text.slice(before, open).includes("}");
    NUMBER.lastIndex = OBJECT.lastIndex = before = close + 1;
    const number = isInMap || EXACT_FIELDS.has(name) ? NUMBER.exec(text)?.[1] : undefined;
    isInMap ||= EXACT_MAPS.has(name) && OBJECT.test(text);
    if (number !== undefined) {
      const at = NUMBER.lastIndex - number.length;
      parts.push(text.slice(done, at), `"${number}"`);
      done = NUMBER.lastIndex;
    }
    open = text.indexOf('"', close + 1);
  }
  parts.push(text.slice(done));
  return parts.join("");
}

/** Where the text that opens here ends: at a quote that no backslash escapes; -1 if nowhere. */
function end(text: string, open: number): number {
  if (open < 0) return -1;
  for (let quote = text.indexOf('"', open + 1); quote > 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return quote;
  }
  return -1;
}

/** Whether a value is an object with these fields. */
export function has<Name extends string>(value: unknown, ...names: Name[]): value is Record<Name, unknown> {
  return typeof value === "object" && value !== null && names.every((name) => Object.hasOwn(value, name));
}
