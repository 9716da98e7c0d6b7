// A follower of events without a connection: where it continues, what it passes on, and how long it waits.
import { ApiError, Draining, InvalidResponse, Overloaded, RateLimited, TimedOut, Unreachable } from "./errors.js";
import { type Event, read } from "./events.js";
import { MAX_LENGTH } from "./http.js";
import { Parser, TooLong } from "./sse.js";

/** The wait before the first reconnection, unless the coordinator names one, and the longest wait. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** What may pass by itself. */
const PASSING = [Unreachable, TimedOut, Overloaded, RateLimited, Draining];

/** Where a follower begins. */
export interface FollowOptions {
  /** Begin with so many past events, of the query if there is one, instead of with the next event. */
  readonly recent?: number;
  /** Begin after the event with this id. */
  readonly lastEventId?: string;
  /** Ends the follower: iterating then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** One follower over all its connections. */
export class Following {
  readonly #query: string | undefined;
  readonly #recent: number | undefined;
  #lastId: string;
  #waitMs = FIRST_WAIT_MS;
  #losses = 0;
  #connections = 0;
  #pieces = 0;
  #parser = new Parser(MAX_LENGTH);

  constructor(query: string | undefined, options: FollowOptions) {
    this.#query = query;
    this.#recent = options.recent;
    this.#lastId = options.lastEventId ?? "";
  }

  /** The address of the next connection. Parameters, unlike headers, need no permission in a browser. */
  get path(): string {
    const parameters = new URLSearchParams();
    if (this.#query !== undefined) parameters.set("query", this.#query);
    if (this.#lastId !== "") parameters.set("last_event_id", this.#lastId);
    else if (this.#recent !== undefined && this.#connections === 0) parameters.set("recent", String(this.#recent));
    return parameters.size > 0 ? `/events?${parameters}` : "/events";
  }

  /** A connection is open. Without an event to continue after, what came since the last one is unknown. */
  *opened(): Generator<Event, void> {
    this.#parser = new Parser(MAX_LENGTH);
    this.#connections += 1;
    this.#pieces = 0;
    if (this.#connections > 1 && this.#lastId === "") yield { kind: "missed", count: null };
  }

  /** The events that end in this piece of the stream. */
  *received(piece: string): Generator<Event, void> {
    this.#pieces += 1;
    // It has lasted longer than its greeting.
    if (this.#pieces > 1) this.#losses = 0;
    try {
      for (const event of this.#parser.feed(piece)) {
        this.#lastId = event.id || this.#lastId;
        const known = read(event);
        if (known) yield known;
      }
    } catch (error) {
      throw error instanceof TooLong ? new InvalidResponse(`GET /events: ${error.message}`) : error;
    }
    if (this.#parser.retryMs !== undefined) this.#waitMs = Math.max(this.#parser.retryMs, 10);
  }

  /**
   * The connection ended, or was not made. Returns how many milliseconds to wait before the next one; throws an error
   * that does not pass, and any error of the first connection.
   */
  lost(error?: unknown): number {
    if (error !== undefined && (this.#connections === 0 || !PASSING.some((kind) => error instanceof kind))) throw error;
    this.#losses += 1;
    const wait = Math.min(this.#waitMs * 2 ** Math.min(this.#losses - 1, 16), LONGEST_WAIT_MS);
    const hint = error instanceof ApiError ? (error.retryAfterS ?? 0) * 1000 : 0;
    // Followers that lost the same coordinator do not all return at once.
    return Math.max(wait * (0.5 + Math.random() / 2), hint);
  }
}
