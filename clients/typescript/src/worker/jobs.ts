// The jobs that a worker knows: those it works on, and those it has answered.
import type { Observed } from "./observation.js";
import type { ReplyTo, Task } from "./wire.js";

/** How long an answer is remembered to be repeated, and how many are. */
export const REMEMBER_MS = 60_000;
export const MAX_REMEMBERED = 10_000;
/** Callers that give up and retry add a place for the answer each time. The latest are kept. */
const MAX_REPLIES = 8;

const keyOf = ({ id, query }: Task) => `${id}\n${query}`;

/** One request with its query. It is worked on once, however many tasks come for it. */
export class Job<F> {
  readonly #replies = new Map<string, ReplyTo>();
  readonly stop = new AbortController();
  /** The answer, once there is one; when it was made. */
  answer: Observed | undefined;
  answeredMs = 0;
  /** Whether the time to live ran out. */
  isExpired = false;
  /** Wakes the worker at the deadline, and again if the function goes on after it. */
  timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly task: Task,
    readonly answeredBy: F,
    readonly receivedMs: number,
    public deadlineMs: number,
  ) {
    this.waitFor(task.reply, deadlineMs);
  }

  /** Where the answer goes. */
  get replies(): Iterable<ReplyTo> {
    return this.#replies.values();
  }

  get responseTimeMs(): number {
    return this.answeredMs - this.receivedMs;
  }

  /** A further task wants the same answer. */
  waitFor(reply: ReplyTo, deadlineMs: number): void {
    const key = JSON.stringify(reply);
    this.#replies.delete(key);
    this.#replies.set(key, reply);
    const [oldest] = this.#replies.keys();
    if (this.#replies.size > MAX_REPLIES && oldest !== undefined) this.#replies.delete(oldest);
    this.deadlineMs = Math.max(this.deadlineMs, deadlineMs);
  }
}

/** All jobs by request and query. Bounded: a job beyond the places and the queue is refused. */
export class Jobs<F> {
  readonly #known = new Map<string, Job<F>>();
  readonly #waiting = new Set<Job<F>>();
  /** Those with an answer, the oldest first. */
  readonly #answered = new Map<string, Job<F>>();
  /** Those that have a place, some of them expired. */
  readonly #running = new Set<Job<F>>();

  constructor(
    readonly maxConcurrent: number,
    readonly maxQueued: number,
  ) {
    if (!Number.isInteger(maxConcurrent) || maxConcurrent < 1 || !Number.isInteger(maxQueued) || maxQueued < 0) {
      throw new RangeError("a worker needs a place for at least one job");
    }
  }

  find(task: Task): Job<F> | undefined {
    return this.#known.get(keyOf(task));
  }

  get isFull(): boolean {
    return this.#running.size >= this.maxConcurrent && this.#waiting.size >= this.maxQueued;
  }

  /** Whether every job is answered or expired. */
  get isIdle(): boolean {
    return this.#known.size === this.#answered.size;
  }

  add(job: Job<F>): void {
    this.#known.set(keyOf(job.task), job);
    this.#waiting.add(job);
  }

  /** Takes a place for the job that has waited longest, if there is a place. */
  next(): Job<F> | undefined {
    const [oldest] = this.#waiting;
    if (this.#running.size >= this.maxConcurrent || oldest === undefined) return undefined;
    this.#waiting.delete(oldest);
    this.#running.add(oldest);
    return oldest;
  }

  /** Whether a job has a place. */
  isRunning(job: Job<F>): boolean {
    return this.#running.has(job);
  }

  /** Gives the place of a job back. */
  release(job: Job<F>): void {
    this.#running.delete(job);
  }

  /** Forgets a job without an answer. */
  expire(job: Job<F>): void {
    job.isExpired = true;
    this.#known.delete(keyOf(job.task));
    this.#waiting.delete(job);
  }

  /** Remembers the answer of a job. */
  answer(job: Job<F>, observed: Observed, nowMs: number): void {
    job.answer = observed;
    job.answeredMs = nowMs;
    this.#answered.set(keyOf(job.task), job);
    this.forget(nowMs);
  }

  /** Forgets the answers that are too old or too many. */
  forget(nowMs: number): void {
    for (const [key, job] of this.#answered) {
      if (this.#answered.size <= MAX_REMEMBERED && job.answeredMs + REMEMBER_MS > nowMs) return;
      this.#answered.delete(key);
      this.#known.delete(key);
    }
  }

  /** Forgets everything. Returns the jobs that wait or run. */
  clear(): Job<F>[] {
    const unfinished = [...this.#waiting, ...this.#running];
    for (const job of unfinished) job.isExpired = true;
    for (const jobs of [this.#known, this.#waiting, this.#answered, this.#running]) jobs.clear();
    return unfinished;
  }
}
