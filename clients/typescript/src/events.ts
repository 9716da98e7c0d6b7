// What a coordinator streams to its followers.
import { errorOf, InvalidResponse, type ApiError } from "./errors.js";
import { has, parse } from "./json.js";
import type { ServerSentEvent } from "./sse.js";
import type { Outcome, WorkerRecord } from "./types.js";

/** What a follower receives. `id` names an event, to continue after it. */
export type Event =
  /** A request ended with an answer. */
  | { readonly kind: "answered"; readonly id: string; readonly outcome: Outcome }
  /** A request ended without an answer. The error carries the evidence. */
  | { readonly kind: "failed"; readonly id: string; readonly query: string; readonly error: ApiError }
  /** A worker is new, or its state has changed. */
  | { readonly kind: "worker"; readonly id: string; readonly worker: WorkerRecord }
  /**
   * Events are left out here: the follower was too slow, or away for too long, or the coordinator was restarted. `count`
   * is null if their number is unknown.
   */
  | { readonly kind: "missed"; readonly count: number | null };

/** The event; nothing if it is none, or this version does not know its kind. */
export function read({ id, name, data }: ServerSentEvent): Event | undefined {
  if (data === undefined || !["outcome", "worker", "missed"].includes(name)) return undefined;
  let body: unknown;
  try {
    body = parse(data);
  } catch (error) {
    throw new InvalidResponse(`GET /events: the event ${name} is no JSON`, { cause: error });
  }
  if (name === "missed" && has(body, "count")) {
    return { kind: "missed", count: typeof body.count === "number" ? body.count : null };
  }
  if (name === "worker" && has(body, "worker_id", "state")) {
    return { kind: "worker", id, worker: body as unknown as WorkerRecord };
  }
  if (name === "outcome" && has(body, "error", "code", "query")) {
    const error = errorOf(body, Number(body.code));
    if (error) return { kind: "failed", id, query: String(body.query), error };
  }
  if (name === "outcome" && has(body, "final_value", "query")) {
    return { kind: "answered", id, outcome: body as unknown as Outcome };
  }
  throw new InvalidResponse(`GET /events: the event ${name} is not as a coordinator sends it`);
}
