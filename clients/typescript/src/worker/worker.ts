// A worker: its functions, and how it runs.
import type { NodeConnectionOptions } from "@nats-io/transport-node";
import type { Log } from "./connection.js";
import { Jobs } from "./jobs.js";
import type { Observation } from "./observation.js";
import { Offer } from "./offer.js";
import { type Answer, Session } from "./session.js";
import { isId } from "./text.js";
import { Subjects } from "./wire.js";

export interface WorkerOptions {
  /** Whether other processes share the name and the work. */
  readonly replicas?: boolean;
  /** How many functions run at once; 64 by default. */
  readonly maxConcurrent?: number;
  /** How many tasks wait for a place; 1024 by default. Further ones are refused. */
  readonly maxQueued?: number;
  /** That of the coordinators (`--subject-prefix`); `oracle` by default. */
  readonly subjectPrefix?: string;
  /**
   * Options of the connection to NATS, such as `authenticator` or `tls`. With `ignoreAuthErrorAbort`, the worker goes on
   * trying when its credentials are refused.
   */
  readonly nats?: NodeConnectionOptions;
  /** Receives what the worker has to say. By default, errors and warnings go to `console.error` and `console.warn`. */
  readonly log?: Log;
}

/** What a function is told beside the query. */
export interface Context {
  /** Ends when the answer can no longer count. */
  readonly signal: AbortSignal;
}

/** A worker that answers the queries of its functions. All processes with one name have one vote. */
export class Worker {
  readonly #id: string;
  readonly #options: WorkerOptions;
  readonly #servers: string[];
  readonly #subjects: Subjects;
  readonly #offer = new Offer<Answer>();

  /** `natsUrl` is one address or several separated by commas, by default the variable `NATS_URL`. */
  constructor(workerId: string, natsUrl?: string, options: WorkerOptions = {}) {
    if (!isId(workerId)) throw new RangeError("the name of a worker has 1 to 128 bytes and no control characters");
    this.#id = workerId;
    this.#options = options;
    this.#subjects = new Subjects(options.subjectPrefix);
    this.#servers = (natsUrl ?? (process.env.NATS_URL || "nats://localhost:4222")).split(",");
    this.#newJobs();
  }

  /**
   * Declares that a function answers a query, or each of several. In a pattern, `*` stands for any characters; the first
   * pattern that matches counts.
   *
   * It returns a number or a text, alone or as `{ value, observedAt }` or `{ value, ageMs }`. What it throws becomes the
   * reason why there is no value.
   */
  query(
    patterns: string | readonly string[],
    answer: (query: string, context: Context) => Observation | Promise<Observation>,
  ): this {
    const all = typeof patterns === "string" ? [patterns] : patterns;
    const answeredBy: Answer = (query, signal) => answer(query, { signal });
    for (const pattern of all) this.#offer.add(pattern, answeredBy);
    return this;
  }

  /**
   * Serves until the process is told to stop by SIGINT or SIGTERM, then answers the tasks at hand and leaves.
   *
   * @throws NatsClosed if NATS refuses the credentials for 5 s, or the connection is closed for good.
   */
  async run(): Promise<void> {
    const stop = new AbortController();
    const signals = ["SIGINT", "SIGTERM"] as const;
    const told = () => {
      // A second signal ends the process at once.
      for (const signal of signals) process.off(signal, told);
      stop.abort();
    };
    for (const signal of signals) process.on(signal, told);
    try {
      await this.serve(stop.signal);
    } finally {
      for (const signal of signals) process.off(signal, told);
    }
  }

  /**
   * Serves until the signal ends it, then answers the tasks at hand and leaves.
   *
   * @throws NatsClosed as {@link run} does.
   */
  async serve(stop: AbortSignal): Promise<void> {
    if (this.#offer.patterns.length === 0) {
      throw new RangeError("the worker answers no query: declare a function with worker.query");
    }
    const log = this.#options.log ?? logged;
    const session = new Session(
      this.#id,
      this.#offer,
      this.#newJobs(),
      this.#options.replicas ?? false,
      this.#subjects,
      log,
    );
    await session.run({ servers: this.#servers, ...this.#options.nats }, stop);
  }

  #newJobs(): Jobs<Answer> {
    return new Jobs(this.#options.maxConcurrent ?? 64, this.#options.maxQueued ?? 1024);
  }
}

/** Errors and warnings on the console. */
const logged: Log = (level, message) => {
  if (level === "error") console.error(message);
  else if (level === "warning") console.warn(message);
};
