// How a session sends results: each by itself, or those for one pack of tasks together.
import type { Observed } from "./observation.js";
import type { Counters } from "./service.js";
import { encodePacks, encodeResult, type ReplyTo, type Task } from "./wire.js";

/** Publishes a message. Returns whether NATS has taken it. */
export type Publish = (subject: string, body: string, traceparent?: string) => boolean;

/** The results of one worker. */
export class Answers {
  readonly #workerId: string;
  readonly #counters: Counters;
  readonly #publish: Publish;
  /** The results for packs, by where they go. They go out together at the end of this turn of the event loop. */
  #kept = new Map<string, string[]>();

  constructor(workerId: string, counters: Counters, publish: Publish) {
    this.#workerId = workerId;
    this.#counters = counters;
    this.#publish = publish;
  }

  /** Sends the answer to a task, which is ready for so long, or keeps it for a pack. */
  send({ id, traceparent }: Task, to: ReplyTo, observed: Observed, responseTimeMs: number, sinceMs: number): void {
    const extra = to.packed && { task: to.packed.task, traceparent };
    const body = encodeResult(this.#workerId, id, observed, responseTimeMs, sinceMs, extra);
    if (!to.packed) {
      this.#note(this.#publish(to.subject, body, traceparent), 1);
      return;
    }
    if (this.#kept.size === 0) setImmediate(() => this.flush());
    const others = this.#kept.get(to.subject);
    if (others) others.push(body);
    else this.#kept.set(to.subject, [body]);
  }

  /** Sends what is kept. */
  flush(): void {
    const kept = this.#kept;
    this.#kept = new Map();
    for (const [subject, results] of kept) {
      for (const { body, count } of encodePacks(results)) this.#note(this.#publish(subject, body), count);
    }
  }

  #note(isSent: boolean, results: number): void {
    if (!isSent) this.#counters.losses.results_unsent += results;
  }
}
