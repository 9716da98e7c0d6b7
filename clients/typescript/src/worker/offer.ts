// What a worker offers: the queries that it answers, and what answers each.
import { bytes, isPrintable } from "./text.js";

const MAX_PATTERNS = 256;
const MAX_BYTES = 16 * 1024;
export const MAX_QUERY_CHARACTERS = 256;

/**
 * Whether a query is one of a pattern, in which `*` stands for any characters, including none and `/`. The time is at worst
 * proportional to the product of both lengths.
 */
export function matches(pattern: string, query: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  const last = parts.pop();
  if (last === undefined) return pattern === query;
  if (!query.startsWith(first)) return false;
  let rest = query.slice(first.length);
  // The leftmost match of each part leaves the most to the parts after it.
  for (const part of parts) {
    const at = rest.indexOf(part);
    if (at < 0) return false;
    rest = rest.slice(at + part.length);
  }
  return rest.endsWith(last);
}

/** Patterns of queries, each with what answers it. The first that matches counts. */
export class Offer<T> {
  readonly #offered = new Map<string, T>();

  get patterns(): string[] {
    return [...this.#offered.keys()];
  }

  /**
   * Adds a pattern.
   *
   * @throws RangeError if coordinators would refuse it.
   */
  add(pattern: string, answeredBy: T): void {
    if (pattern === "" || [...pattern].length > MAX_QUERY_CHARACTERS || !isPrintable(pattern)) {
      const bounds = `1 to ${MAX_QUERY_CHARACTERS} characters, none of them a control character`;
      throw new RangeError(`${JSON.stringify(pattern)}: a query has ${bounds}`);
    }
    if (this.#offered.has(pattern)) throw new RangeError(`${pattern} is offered already`);
    const patterns = [...this.patterns, pattern];
    if (patterns.length > MAX_PATTERNS || patterns.reduce((sum, each) => sum + bytes(each), 0) > MAX_BYTES) {
      throw new RangeError(`a worker offers at most ${MAX_PATTERNS} queries, of ${MAX_BYTES} bytes together`);
    }
    this.#offered.set(pattern, answeredBy);
  }

  /** What answers the query; nothing if the worker does not offer it. */
  find(query: string): T | undefined {
    for (const [pattern, answeredBy] of this.#offered) if (matches(pattern, query)) return answeredBy;
    return undefined;
  }
}
