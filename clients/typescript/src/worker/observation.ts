// What a function has observed, in the form in which it is sent.
import { bytes, cut } from "./text.js";

const MAX_VALUE_BYTES = 4096;
const MAX_ERROR_BYTES = 1024;

/** A number or a text. A text that spells a number counts as one and keeps its digits, which a number may not. */
export type Value = number | bigint | string;

/** What a function of a worker returns: a value, alone or with the time of its observation or its age. */
export type Observation = Value | { readonly value: Value; readonly observedAt?: Date; readonly ageMs?: number };

/** A value or a failure, ready to be sent, now or again. */
export interface Observed {
  /** The value as JSON; undefined in a failure. */
  readonly value?: string;
  /** Why there is no value. */
  readonly err?: string;
  /** Whether the task was refused for lack of room. */
  readonly overloaded?: true;
  /** When the value was observed, or how old it was, if the function said so. */
  readonly observedAt?: Date;
  readonly ageMs?: number;
}

/**
 * What a function has returned.
 *
 * @throws TypeError if that cannot be sent.
 */
export function observed(returned: unknown): Observed {
  if (typeof returned !== "object" || returned === null) return { value: json(returned) };
  const { value, observedAt, ageMs } = returned as Record<string, unknown>;
  if (observedAt !== undefined && !(observedAt instanceof Date && !Number.isNaN(observedAt.getTime()))) {
    throw new TypeError("observedAt is no valid Date");
  }
  if (ageMs !== undefined && !(typeof ageMs === "number" && Number.isFinite(ageMs) && ageMs >= 0)) {
    throw new TypeError("ageMs is no number of milliseconds");
  }
  return {
    value: json(value),
    ...(observedAt === undefined ? {} : { observedAt }),
    ...(ageMs === undefined ? {} : { ageMs }),
  };
}

/** The failure of a function. */
export function failed(error: unknown): Observed {
  return { err: cut(String(error) || "failed", MAX_ERROR_BYTES) };
}

export const REFUSED: Observed = { err: "worker is overloaded", overloaded: true };

/** The fields of a result beside the value, when it is sent so long after the function has returned. */
export function fields(observed: Observed, sinceMs: number): Record<string, unknown> {
  if (observed.value === undefined) {
    return { value: null, err: observed.err, ...(observed.overloaded ? { overloaded: true } : {}) };
  }
  const age = Math.floor((observed.ageMs ?? 0) + sinceMs);
  if (observed.ageMs === undefined && observed.observedAt) return { observed_at: observed.observedAt.toISOString() };
  return observed.ageMs !== undefined || age > 0 ? { age_ms: age } : {};
}

function json(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === "string") {
    if (bytes(value) > MAX_VALUE_BYTES) throw new TypeError(`a text has at most ${MAX_VALUE_BYTES} bytes`);
    if (/\p{Surrogate}/u.test(value)) throw new TypeError("a text has half a character");
    return JSON.stringify(value);
  }
  throw new TypeError(
    `${typeof value === "object" ? JSON.stringify(value) : String(value)} is neither a number nor a text`,
  );
}
