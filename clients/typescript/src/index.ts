// A client of Quorate, which asks many independent workers one question and answers with the evidence.
export { Client, type CallOptions, type ClientOptions } from "./client.js";
export {
  ApiError,
  BusDown,
  Conflict,
  DeadlineExceeded,
  Disputed,
  Draining,
  InsufficientResponses,
  InvalidRequest,
  InvalidResponse,
  MethodNotAllowed,
  NoStore,
  NotFound,
  NoWorkers,
  Overloaded,
  PayloadTooLarge,
  QuorateError,
  RateLimited,
  RequestTimeout,
  StoreUnavailable,
  TimedOut,
  TooFewWorkers,
  UnknownQuery,
  Unreachable,
  UnsupportedMediaType,
} from "./errors.js";
export type { Event } from "./events.js";
export type { FollowOptions } from "./following.js";
export type * from "./types.js";
