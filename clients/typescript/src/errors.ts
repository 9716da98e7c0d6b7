// The errors: one class per error word of a coordinator, and those of the way to it.
import { has } from "./json.js";
import type { ErrorWord, Evidence } from "./types.js";

/** Any failure of this package. */
export class QuorateError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * The coordinator cannot be reached, or the connection broke off. Whether it received the request is unknown: ask again
 * under the same `id`. In a browser, also a coordinator that does not allow the page's origin.
 */
export class Unreachable extends QuorateError {}

/** The coordinator did not answer within the client's own time. Ask again under the same `id`. */
export class TimedOut extends QuorateError {}

/** What answered is not a coordinator, or one that this version does not understand. */
export class InvalidResponse extends QuorateError {}

/** The coordinator answered with an error. A word that this version does not know is of this class itself. */
export class ApiError extends QuorateError {
  /** What went wrong, as a word for programs. */
  readonly word: string;
  /** The HTTP status. */
  readonly code: number;
  /** What went wrong and what to do, for people. */
  readonly details: string;
  /** What the workers said, if the request was dispatched. */
  readonly evidence: Evidence | undefined;
  /** After how many seconds a retry may help, if the coordinator says so. */
  readonly retryAfterS: number | undefined;

  constructor(word: string, code: number, details: string, evidence?: Evidence, retryAfterS?: number) {
    super(`${word} (${code}): ${details}`);
    this.word = word;
    this.code = code;
    this.details = details;
    this.evidence = evidence;
    this.retryAfterS = retryAfterS;
  }
}

/** A field of the request is wrong; `details` names it. */
export class InvalidRequest extends ApiError {}
/** There is no such route: the address is not that of a coordinator, or of an older one. */
export class NotFound extends ApiError {}
/** Workers are live and none offers the query; `details` names the nearest that are offered. */
export class UnknownQuery extends ApiError {}
/** The route has another method. */
export class MethodNotAllowed extends ApiError {}
/** The coordinator did not receive the whole request in time. */
export class RequestTimeout extends ApiError {}
/** The `id` stands for another query. */
export class Conflict extends ApiError {}
/** The workers disagree, and `on_dispute` is `reject`. The evidence has what they said. */
export class Disputed extends ApiError {}
/** The request is too long. */
export class PayloadTooLarge extends ApiError {}
/** The request was not declared as JSON. */
export class UnsupportedMediaType extends ApiError {}
/** Fewer values than `min_responses` could be used. The evidence has what the workers said. */
export class InsufficientResponses extends ApiError {}
/** This address sends too many requests; `retryAfterS` says when to ask again. */
export class RateLimited extends ApiError {}
/** No worker listens for tasks, or those that offer the query are gone. */
export class NoWorkers extends ApiError {}
/** Fewer workers are live than every policy requires. */
export class TooFewWorkers extends ApiError {}
/** The coordinator has no room for the request. */
export class Overloaded extends ApiError {}
/** The coordinator is not connected to NATS. */
export class BusDown extends ApiError {}
/** The coordinator is about to stop: ask another one. */
export class Draining extends ApiError {}
/** The deadline passed without one usable value. The evidence has what the workers said. */
export class DeadlineExceeded extends ApiError {}
/** The coordinator has no store: start it with `--store`. */
export class NoStore extends ApiError {}
/** The store does not answer, so that nothing can be said or promised. */
export class StoreUnavailable extends ApiError {}

const CLASSES: Readonly<Record<ErrorWord, typeof ApiError>> = {
  invalid_request: InvalidRequest,
  not_found: NotFound,
  unknown_query: UnknownQuery,
  method_not_allowed: MethodNotAllowed,
  request_timeout: RequestTimeout,
  conflict: Conflict,
  disputed: Disputed,
  payload_too_large: PayloadTooLarge,
  unsupported_media_type: UnsupportedMediaType,
  insufficient_responses: InsufficientResponses,
  rate_limited: RateLimited,
  no_workers: NoWorkers,
  too_few_workers: TooFewWorkers,
  overloaded: Overloaded,
  bus_down: BusDown,
  draining: Draining,
  deadline_exceeded: DeadlineExceeded,
  no_store: NoStore,
  store_unavailable: StoreUnavailable,
};

/** The error that a body describes; nothing if it describes none. */
export function errorOf(body: unknown, status: number, retryAfter?: string | null): ApiError | undefined {
  if (!has(body, "error", "details") || typeof body.error !== "string" || typeof body.details !== "string") {
    return undefined;
  }
  const kind = Object.hasOwn(CLASSES, body.error) ? CLASSES[body.error as ErrorWord] : ApiError;
  const evidence = has(body, "worker_responses") ? (body as unknown as Evidence) : undefined;
  const seconds = retryAfter && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  return new kind(body.error, status, body.details, evidence, seconds);
}
