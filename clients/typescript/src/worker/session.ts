// One run of a worker: it connects, announces itself, answers tasks, and leaves.
import {
  connect,
  headers,
  Match,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";
import { Job, type Jobs } from "./jobs.js";
import { failed, type Observed, observed, REFUSED } from "./observation.js";
import type { Offer } from "./offer.js";
import { Counters, Identity, reply, type State } from "./service.js";
import { decodeTasks, encodeResult, type Subjects, type Task } from "./wire.js";

const ANNOUNCE_EVERY_MS = 2_000;
/** How long a draining worker still accepts tasks of coordinators that do not know yet that it is draining. */
const DRAIN_GRACE_MS = 250;
const RECONNECT_EVERY_MS = 1_000;
/** How long the last messages may take to leave. */
const FLUSH_MS = 5_000;

/** A function that answers queries. */
export type Answer = (query: string, signal: AbortSignal) => unknown;

/** What a worker has to say: warnings are for its operator. */
export type Log = (level: "warning" | "info" | "debug", message: string) => void;

/** A worker that runs. */
export class Session {
  readonly #identity: Identity;
  readonly #offer: Offer<Answer>;
  readonly #jobs: Jobs<Answer>;
  readonly #counters = new Counters();
  readonly #log: Log;
  #state: State = "live";
  #isClosed = false;
  #isToldUnreachable = false;
  #idle: () => void = () => {};
  #nats: NatsConnection | undefined;

  constructor(
    workerId: string,
    offer: Offer<Answer>,
    jobs: Jobs<Answer>,
    isReplicated: boolean,
    subjects: Subjects,
    log: Log,
  ) {
    this.#identity = new Identity(workerId, isReplicated, offer.patterns, subjects);
    this.#offer = offer;
    this.#jobs = jobs;
    this.#log = log;
  }

  /** Serves until the signal, then answers the tasks at hand and leaves. */
  async run(options: NodeConnectionOptions, stop: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      stop.addEventListener("abort", () => resolve(), { once: true });
      if (stop.aborted) resolve();
    });
    const nats = await this.#connect(options, stopped, stop);
    if (!nats) return;
    this.#nats = nats;
    const watched = this.#watch(nats);
    const tasks = nats.subscribe(this.#identity.subjects.tasks, {
      callback: (error, message) => (error ? this.#fault(error) : this.#received(message)),
      ...(this.#identity.queueGroup ? { queue: this.#identity.queueGroup } : {}),
    });
    const { service } = this.#identity.subjects;
    for (const suffix of ["", `.${service}`, `.${service}.${this.#identity.instance}`]) {
      nats.subscribe(`$SRV.*${suffix}`, {
        callback: (error, message) => (error ? this.#fault(error) : this.#serve(message)),
      });
    }
    this.#announce();
    const announcing = setInterval(() => {
      this.#jobs.forget(performance.now());
      this.#announce();
    }, ANNOUNCE_EVERY_MS);
    try {
      await stopped;
      await this.#drain();
      tasks.unsubscribe();
      this.#state = "left";
      this.#announce();
      await within(FLUSH_MS, nats.flush());
    } catch (error) {
      this.#fault(error);
    } finally {
      clearInterval(announcing);
      await nats.close();
      await watched;
    }
  }

  /** Tries until there is a connection; nothing if it is told to stop before. */
  async #connect(
    options: NodeConnectionOptions,
    stopped: Promise<void>,
    stop: AbortSignal,
  ): Promise<NatsConnection | undefined> {
    while (!stop.aborted) {
      try {
        const nats = await connect({
          name: `worker ${this.#identity.workerId}`,
          maxReconnectAttempts: -1,
          reconnectTimeWait: RECONNECT_EVERY_MS,
          timeout: 5_000,
          ...options,
        });
        this.#isToldUnreachable = false;
        return nats;
      } catch (error) {
        this.#fault(error);
        await within(RECONNECT_EVERY_MS, stopped);
      }
    }
    return undefined;
  }

  async #watch(nats: NatsConnection): Promise<void> {
    for await (const status of nats.status()) {
      if (status.type === "reconnect") {
        this.#isToldUnreachable = false;
        this.#announce();
      } else if (status.type === "slowConsumer") this.#counters.losses.tasks_dropped += 1;
      else if (status.type === "disconnect") this.#fault("the connection is lost");
      else if (status.type === "error") this.#fault(status.error);
    }
  }

  /** Tells of a fault of the bus. A server that is away is tried again every second, which is told once. */
  #fault(error: unknown): void {
    const why = error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as unknown) : error;
    this.#log(
      this.#isToldUnreachable ? "debug" : "warning",
      `NATS: ${why instanceof Error ? why.message : String(why)}`,
    );
    this.#isToldUnreachable = true;
  }

  #announce(): void {
    this.#publish(this.#identity.subjects.presence, this.#identity.presence(this.#state));
  }

  #serve(request: Msg): void {
    const body = reply(request.subject.split(".")[1] ?? "", this.#identity, this.#state, this.#counters);
    if (body !== undefined && request.reply) this.#publish(request.reply, body);
  }

  #received(message: Msg): void {
    const reply = message.reply || this.#identity.subjects.results;
    const traceparents = message.headers?.values("traceparent", Match.IgnoreCase) ?? [];
    const tasks = decodeTasks(message.data, reply, traceparents);
    if (tasks.length === 0) this.#counters.losses.tasks_malformed += 1;
    for (const task of tasks) this.#take(task);
  }

  #take(task: Task): void {
    this.#counters.received += 1;
    const answeredBy = this.#offer.find(task.query);
    if (!answeredBy) {
      this.#counters.losses.tasks_unoffered += 1;
      return;
    }
    if (task.ttlMs <= 0) {
      this.#counters.losses.tasks_expired += 1;
      return;
    }
    const now = performance.now();
    this.#jobs.forget(now);
    const known = this.#jobs.find(task);
    if (known?.answer) this.#send(known, known.answer, [task.reply]);
    else if (known) known.waitFor(task.reply, now + task.ttlMs);
    else if (this.#isClosed) this.#counters.refused += 1;
    else {
      const job = new Job(task, answeredBy, now, now + task.ttlMs);
      if (this.#jobs.isFull) {
        this.#counters.refused += 1;
        job.answeredMs = now;
        this.#send(job, REFUSED, job.replies);
        return;
      }
      this.#jobs.add(job);
      job.timer = setTimeout(() => this.#isDue(job), task.ttlMs);
      this.#startWaiting();
    }
  }

  #startWaiting(): void {
    for (let job = this.#jobs.next(); job; job = this.#jobs.next()) void this.#work(job);
  }

  async #work(job: Job<Answer>): Promise<void> {
    let result: Observed;
    try {
      result = observed(await job.answeredBy(job.task.query, job.stop.signal));
    } catch (error) {
      result = failed(error);
    }
    this.#jobs.release();
    if (!job.isExpired) {
      clearTimeout(job.timer);
      this.#jobs.answer(job, result, performance.now());
      this.#counters.count(result, job.responseTimeMs);
      if (result.err !== undefined) this.#log("info", `${job.task.query}: ${result.err}`);
      this.#send(job, result, job.replies);
      this.#checkIdle();
    }
    this.#startWaiting();
  }

  /** The time to live of a job has run out, unless a later task has extended it. */
  #isDue(job: Job<Answer>): void {
    const left = job.deadlineMs - performance.now();
    if (left > 0) {
      job.timer = setTimeout(() => this.#isDue(job), left);
      return;
    }
    this.#counters.losses.tasks_expired += 1;
    this.#jobs.expire(job);
    job.stop.abort();
    this.#checkIdle();
  }

  #send(job: Job<Answer>, result: Observed, replies: Iterable<string>): void {
    const since = performance.now() - job.answeredMs;
    const body = encodeResult(this.#identity.workerId, job.task.id, result, job.responseTimeMs, since);
    for (const subject of replies) {
      if (!this.#publish(subject, body, job.task.traceparent)) this.#counters.losses.results_unsent += 1;
    }
  }

  #publish(subject: string, body: string, traceparent?: string): boolean {
    try {
      if (traceparent === undefined) this.#nats?.publish(subject, body);
      else {
        const trace = headers();
        trace.set("traceparent", traceparent);
        this.#nats?.publish(subject, body, { headers: trace });
      }
      return true;
    } catch (error) {
      this.#log("debug", `a message to ${subject} is not sent: ${String(error)}`);
      return false;
    }
  }

  /** Tells coordinators that it takes no further tasks, and answers those that it has. */
  async #drain(): Promise<void> {
    this.#state = "draining";
    this.#announce();
    await new Promise((resolve) => setTimeout(resolve, DRAIN_GRACE_MS));
    this.#isClosed = true;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.#isClosed && this.#jobs.isIdle) this.#idle();
  }
}

/** Waits for a promise, but not longer. */
async function within(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
