// The client of one coordinator.
import { InvalidResponse, QuorateError } from "./errors.js";
import type { Event } from "./events.js";
import { Following, type FollowOptions } from "./following.js";
import { base, failure, Patience, pieces, send } from "./http.js";
import { has } from "./json.js";
import type { OfferedQuery, Outcome, Policies, Readiness, Register, RequestFields } from "./types.js";

/** How long a coordinator may take to answer, beyond the timeout of the request itself. */
const MARGIN_MS = 10_000;
/** The longest timeout that a coordinator allows by default. */
const LONGEST_TIMEOUT_MS = 60_000;
/** A coordinator sends at least a comment every 15 s. After this long without one, the connection is lost. */
const SILENCE_MS = 45_000;

export interface ClientOptions {
  /** How long a response may take: by default 10 s, and for a question 10 s beyond its own timeout. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  /** Ends the call, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A client of one coordinator, for Node and browsers. */
export class Client {
  readonly #url: string;
  readonly #timeoutMs: number | undefined;

  constructor(url: string | URL = "http://localhost:8080", options: ClientOptions = {}) {
    this.#url = base(url);
    this.#timeoutMs = options.timeoutMs;
  }

  /** Asks the workers, and returns the answer with its evidence. */
  ask(query: string, fields: RequestFields = {}, options: CallOptions = {}): Promise<Outcome> {
    const call = {
      method: "POST",
      path: "/request",
      body: JSON.stringify({ ...fields, query }),
      timeoutMs: this.#timeoutMs ?? (fields.timeout_ms ?? LONGEST_TIMEOUT_MS) + MARGIN_MS,
      read: (body: unknown) => (has(body, "final_value", "workers") ? (body as unknown as Outcome) : undefined),
    } as const;
    return send(this.#url, call, options.signal);
  }

  /** The known workers, and what the coordinator has counted. */
  workers(options: CallOptions = {}): Promise<Register> {
    const read = (body: unknown) => (has(body, "workers", "counters") ? (body as unknown as Register) : undefined);
    return this.#get("/workers", read, options);
  }

  /** The queries that live workers offer. */
  queries(options: CallOptions = {}): Promise<OfferedQuery[]> {
    const read = (body: unknown) => (has(body, "queries") ? (body.queries as OfferedQuery[]) : undefined);
    return this.#get("/queries", read, options);
  }

  /** How requests that set no policy of their own are answered; with `query`, only the policy that applies to it. */
  policies(query?: string, options: CallOptions = {}): Promise<Policies> {
    const path = query === undefined ? "/policies" : `/policies?${new URLSearchParams({ query })}`;
    const read = (body: unknown) => (has(body, "policies", "weights") ? (body as unknown as Policies) : undefined);
    return this.#get(path, read, options);
  }

  /** Returns if a request made now can be answered; else throws why not, such as `NoWorkers`. */
  ready(options: CallOptions = {}): Promise<Readiness> {
    const read = (body: unknown) => (has(body, "ready") ? (body as unknown as Readiness) : undefined);
    return this.#get("/ready", read, options);
  }

  /**
   * Outcomes and changes of workers as they happen, until you stop iterating. With `query`, only the outcomes of this
   * query, in which `*` stands for any characters.
   *
   * It reconnects when the connection is lost, and continues where it was; an event of the kind `missed` tells of events
   * that are lost. Only a first connection that fails, and an error that does not pass, are thrown.
   */
  async *follow(query?: string, options: FollowOptions = {}): AsyncGenerator<Event, void> {
    const following = new Following(query, options);
    for (;;) {
      let lost: unknown;
      try {
        yield* this.#stream(following, options.signal);
      } catch (error) {
        if (!(error instanceof QuorateError)) throw error;
        lost = error;
      }
      await pause(following.lost(lost), options.signal);
    }
  }

  async *#stream(following: Following, signal: AbortSignal | undefined): AsyncGenerator<Event, void> {
    const patience = new Patience(MARGIN_MS, signal);
    try {
      const response = await fetch(this.#url + following.path, {
        signal: patience.signal,
        headers: { accept: "text/event-stream" },
        cache: "no-store",
      });
      if (response.status !== 200) throw await failure(response, "GET /events");
      if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
        throw new InvalidResponse("GET /events: the response is no stream of events");
      }
      patience.renew(SILENCE_MS);
      yield* following.opened();
      for await (const piece of pieces(response)) {
        patience.renew(SILENCE_MS);
        yield* following.received(piece);
      }
    } catch (error) {
      throw error instanceof QuorateError ? error : patience.explain(error, this.#url);
    } finally {
      patience.end();
    }
  }

  #get<T>(path: string, read: (body: unknown) => T | undefined, options: CallOptions): Promise<T> {
    return send(this.#url, { method: "GET", path, timeoutMs: this.#timeoutMs ?? MARGIN_MS, read }, options.signal);
  }
}

/** Waits, unless the signal ends it. */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
  });
}
