// One run of a worker: it connects, announces itself, answers tasks, and leaves.
import {
  headers,
  Match,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
  type Subscription,
} from "@nats-io/transport-node";
import { Answers } from "./answers.js";
import { Connection, Faults, type Log, NatsClosed } from "./connection.js";
import { Job, type Jobs } from "./jobs.js";
import { failed, type Observed, observed, REFUSED } from "./observation.js";
import type { Offer } from "./offer.js";
import { Counters, Identity, reply, type State } from "./service.js";
import { within } from "./time.js";
import { decodePack, decodeTask, type ReplyTo, type Subjects, type Task, type Tasks } from "./wire.js";

const ANNOUNCE_EVERY_MS = 2_000;
/** How long a draining worker still accepts tasks of coordinators that do not know yet that it is draining. */
const DRAIN_GRACE_MS = 250;
/** How long NATS may take to confirm the end of the subscription, and the last messages to leave. */
const FLUSH_MS = 5_000;
/** How long NATS may take to deny a subscription, before the worker announces itself. */
const CONFIRM_MS = 2_000;
/** How long a function may go on after the end of its signal until it is said to ignore the signal. */
const OVERDUE_MS = 1_000;

/** A function that answers queries. */
export type Answer = (query: string, signal: AbortSignal) => unknown;

/** A worker that runs. */
export class Session {
  readonly #identity: Identity;
  readonly #offer: Offer<Answer>;
  readonly #jobs: Jobs<Answer>;
  readonly #counters = new Counters();
  readonly #answers: Answers;
  readonly #log: Log;
  readonly #faults: Faults;
  readonly #subscriptions = new Map<string, Subscription>();
  /** The functions that were said to ignore their signal. */
  readonly #toldOverdue = new Set<Answer>();
  #state: State = "live";
  /** Whether NATS does not let it receive packs, and whether it tells coordinators that it takes them. */
  #isDeniedPacks = false;
  #takesPacks = false;
  #isClosed = false;
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
    this.#faults = new Faults(log);
    this.#answers = new Answers(workerId, this.#counters, (...message) => this.#publish(...message));
  }

  /**
   * Serves until the signal, then answers the tasks at hand and leaves.
   *
   * @throws NatsClosed if NATS does not take the worker any more.
   */
  async run(options: NodeConnectionOptions, stop: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      stop.addEventListener("abort", () => resolve(), { once: true });
      if (stop.aborted) resolve();
    });
    const named = { name: `worker ${this.#identity.workerId}`, ...options };
    let connection: Connection | undefined;
    let announcing: ReturnType<typeof setInterval> | undefined;
    try {
      connection = await Connection.open(named, this.#faults, stopped, stop);
      if (!connection) return;
      this.#nats = connection.nats;
      const { nats } = connection;
      connection.restored = () => this.#begin(nats);
      this.#begin(nats);
      announcing = setInterval(() => {
        this.#jobs.forget(performance.now());
        this.#announce();
      }, ANNOUNCE_EVERY_MS);
      await Promise.race([stopped, connection.lost]);
      await Promise.race([this.#leave(connection.nats), connection.lost]);
    } catch (error) {
      if (error instanceof NatsClosed) this.#log("error", error.message);
      throw error;
    } finally {
      clearInterval(announcing);
      this.#abandon();
      await connection?.close();
    }
  }

  /** Subscribes and announces itself, on a connection that is new or made again. */
  #begin(nats: NatsConnection): void {
    const { subjects, instance } = this.#identity;
    for (const suffix of ["", `.${subjects.service}`, `.${subjects.service}.${instance}`]) {
      this.#subscribe(`$SRV.*${suffix}`, (message) => this.#serve(message));
    }
    if (this.#state === "live") this.#receive(subjects);
    void this.#confirm(nats);
  }

  /** Announces itself once NATS has denied what it denies. It says nothing of a subscription that it allows. */
  async #confirm(nats: NatsConnection): Promise<void> {
    // A connection that is lost meanwhile is made again, or ends the worker.
    await within(CONFIRM_MS, nats.flush()).catch(() => {});
    this.#takesPacks = !this.#isDeniedPacks;
    this.#announce();
  }

  /** Subscribes to tasks, alone and in packs. */
  #receive({ tasks, packs, results }: Subjects): void {
    const alone = (message: Msg) => {
      const traceparents = message.headers?.values("traceparent", Match.IgnoreCase) ?? [];
      this.#received(decodeTask(message.data, message.reply || results, traceparents));
    };
    const packed = (message: Msg) => this.#received(decodePack(message.data, message.reply ?? "", results));
    this.#isDeniedPacks = false;
    this.#subscribe(tasks, alone, this.#identity.queueGroup);
    this.#subscribe(packs, packed, this.#identity.queueGroup);
  }

  /** Subscribes, unless it is subscribed. NATS ends a subscription that it does not allow. */
  #subscribe(subject: string, received: (message: Msg) => void, queue = ""): void {
    const current = this.#subscriptions.get(subject);
    if (!this.#nats || (current && !current.isClosed())) return;
    const callback = (error: Error | null, message: Msg) => {
      if (error) this.#isDenied(subject, error);
      else received(message);
    };
    this.#subscriptions.set(subject, this.#nats.subscribe(subject, { callback, ...(queue ? { queue } : {}) }));
  }

  /** NATS does not allow a subscription. Its denial may come after the worker has announced itself. */
  #isDenied(subject: string, error: Error): void {
    this.#fault(error);
    if (subject !== this.#identity.subjects.packs) return;
    this.#isDeniedPacks = true;
    if (!this.#takesPacks) return;
    this.#takesPacks = false;
    this.#announce();
  }

  /** Tells of a fault that does not end the worker. */
  #fault(error: unknown): void {
    this.#faults.note(error, performance.now());
  }

  #announce(): void {
    this.#publish(this.#identity.subjects.presence, this.#identity.presence(this.#state, this.#takesPacks));
  }

  #serve(request: Msg): void {
    const verb = request.subject.split(".")[1] ?? "";
    const body = reply(verb, this.#identity, this.#state, this.#takesPacks, this.#counters);
    if (body !== undefined && request.reply) this.#publish(request.reply, body);
  }

  #received({ tasks, malformed }: Tasks): void {
    this.#counters.losses.tasks_malformed += malformed;
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
    this.#jobs.release(job);
    clearTimeout(job.timer);
    if (!job.isExpired) {
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
    if (this.#jobs.isRunning(job)) job.timer = setTimeout(() => this.#isOverdue(job), OVERDUE_MS);
    this.#checkIdle();
  }

  /** A function goes on after the end of its signal. It keeps its place, because it may still use what that protects. */
  #isOverdue({ answeredBy, task }: Job<Answer>): void {
    this.#counters.losses.functions_overdue += 1;
    const isTold = this.#toldOverdue.has(answeredBy);
    this.#toldOverdue.add(answeredBy);
    const advice = "pass the signal to what it waits for, or bound its time";
    this.#log(
      isTold ? "debug" : "warning",
      `${task.query}: the function ignores its signal, and keeps its place until it ends: ${advice}`,
    );
  }

  /** Forgets all jobs: nobody will receive their answers. */
  #abandon(): void {
    for (const job of this.#jobs.clear()) {
      clearTimeout(job.timer);
      job.stop.abort();
    }
  }

  #send(job: Job<Answer>, result: Observed, replies: Iterable<ReplyTo>): void {
    const since = performance.now() - job.answeredMs;
    for (const reply of replies) this.#answers.send(job.task, reply, result, job.responseTimeMs, since);
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

  /** Tells coordinators that it takes no further tasks, answers those that it has, and says that it leaves. */
  async #leave(nats: NatsConnection): Promise<void> {
    this.#state = "draining";
    this.#announce();
    await new Promise((resolve) => setTimeout(resolve, DRAIN_GRACE_MS));
    // In a queue group, other replicas receive all further tasks. This one answers those that NATS has sent to it before.
    const { tasks, packs } = this.#identity.subjects;
    const open = [tasks, packs].flatMap((subject) => this.#subscriptions.get(subject) ?? []);
    const draining = open.filter((each) => !each.isClosed()).map((each) => each.drain());
    await this.#flushed(Promise.all(draining));
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      this.#isClosed = true;
      this.#checkIdle();
    });
    this.#answers.flush();
    this.#state = "left";
    this.#announce();
    await this.#flushed(nats.flush());
  }

  /** Waits until NATS has confirmed something, but not for ever. */
  async #flushed(confirmed: Promise<unknown>): Promise<void> {
    try {
      await within(FLUSH_MS, confirmed);
    } catch (error) {
      this.#fault(error);
    }
  }

  #checkIdle(): void {
    if (this.#isClosed && this.#jobs.isIdle) this.#idle();
  }
}
