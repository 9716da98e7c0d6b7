// Tasks that are sent to a worker by hand, without a coordinator.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  connect,
  headers,
  type Msg,
  type NatsConnection,
  NoRespondersError,
  RequestError,
} from "@nats-io/transport-node";
import { Cluster, PATIENCE_MS, Program, until } from "./cluster.js";

export const SCRIPT = join(import.meta.dirname, "worker.of.tests.js");
export const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** Tasks sent by hand, and what comes back. */
export class Bus {
  readonly #nats: NatsConnection;
  readonly #answers: Msg[] = [];

  readonly #announced: Record<string, unknown>[] = [];
  #last = "";
  readonly cluster: Cluster;
  worker!: Program;

  private constructor(nats: NatsConnection, cluster: Cluster) {
    this.#nats = nats;
    this.cluster = cluster;
    nats.subscribe("*.workers", {
      callback: (_, message) => {
        const presence = message.json<Record<string, unknown>>();
        this.#announced.push(presence);
        this.#last = String(presence["state"]);
      },
    });
    const callback = (_: unknown, message: Msg) => {
      this.#answers.push(message);
      this.#last = "answer";
    };
    for (const subject of ["answers", "answers.*", "oracle.results"]) nats.subscribe(subject, { callback });
  }

  /** A bus with one worker and no coordinator. */
  static async start(t: TestContext, places: number): Promise<Bus> {
    const bus = await Bus.empty(t, await Cluster.start(t));
    const script = bus.cluster.script(SCRIPT, "alice", String(places));
    const { worker_id, state, replicated, packs } = await bus.announcement("live");
    assert.deepEqual([worker_id, state, replicated, packs], ["alice", "live", false, true]);
    bus.worker = await script;
    return bus;
  }

  /** A bus without a worker. */
  static async empty(t: TestContext, cluster: Cluster): Promise<Bus> {
    const nats = await connect({ servers: cluster.natsUrl });
    t.after(() => nats.close());
    const bus = new Bus(nats, cluster);
    await nats.flush();
    return bus;
  }

  /** The next announcement of this state. Those before it are passed over. */
  async announcement(state: string): Promise<Record<string, unknown>> {
    for (;;) {
      const next = await until(`${state} to be announced`, () => this.#announced.shift());
      if (next["state"] === state) return next;
    }
  }

  /** Whether a worker has announced that it leaves. */
  get hasLeft(): boolean {
    return this.#announced.some(({ state }) => state === "left");
  }

  /** How many workers answer a ping. */
  async instances(): Promise<number> {
    let count = 0;
    const replies = await this.#nats.requestMany("$SRV.PING", "", { maxWait: 1000, strategy: "stall" });
    for await (const _ of replies) count += 1;
    return count;
  }

  /** Whether nobody is subscribed to tasks, or to packs of them. */
  isDeserted(subject = "oracle.tasks"): Promise<boolean> {
    return this.#nats.request(subject, "no task", { timeout: 100 }).then(
      () => false,
      (error: unknown) => error instanceof RequestError && error.cause instanceof NoRespondersError,
    );
  }

  close(): Promise<void> {
    return this.#nats.close();
  }

  send(body: unknown, reply = "answers", traceparent?: string, subject = "oracle.tasks"): void {
    const data = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    const trace = headers();
    if (traceparent) trace.set("traceparent", traceparent);
    this.#nats.publish(subject, data, {
      ...(reply ? { reply } : {}),
      ...(traceparent ? { headers: trace } : {}),
    });
  }

  /** Sends a pack, which may name where its results go. */
  sendPack(tasks: unknown[], reply = "answers", named?: string): void {
    this.send({ tasks, ...(named === undefined ? {} : { reply: named }) }, reply, undefined, "oracle.tasks.packed");
  }

  answer(): Promise<Msg> {
    return until("an answer", () => this.#answers.shift());
  }

  async ask(body: unknown, reply = "answers"): Promise<Record<string, unknown>> {
    this.send(body, reply);
    const answer = await this.answer();
    assert.equal(answer.subject, reply || "oracle.results");
    return answer.json();
  }

  /** The next answer, which must be a pack without headers and within its bounds. */
  async pack(): Promise<{ subject: string; results: Record<string, any>[] }> {
    const message = await this.answer();
    const { results, ...more } = message.json<{ results: Record<string, any>[] }>();
    assert.deepEqual([more, message.headers], [{}, undefined]);
    assert(message.data.length <= 65_536 && results.length >= 1 && results.length <= 1024, `${message.data.length}`);
    return { subject: message.subject, results };
  }

  /** So many results in packs, by the number of their task, and where they went. None may come twice. */
  async results(count: number): Promise<{ received: Map<string, Record<string, any>>; subjects: Set<string> }> {
    const received = new Map<string, Record<string, any>>();
    const subjects = new Set<string>();
    while (received.size < count) {
      const { subject, results } = await this.pack();
      subjects.add(subject);
      for (const result of results) {
        assert(!received.has(result["task"]), result["task"]);
        assert.deepEqual([result["worker_id"], result["request_id"]], ["alice", `r${result["task"]}`]);
        received.set(result["task"], result);
      }
    }
    return { received, subjects };
  }

  /** What came last: a state that was announced, or an answer. */
  async last(): Promise<string> {
    await this.#nats.flush();
    return this.#last;
  }

  /** How many tasks each worker has received. */
  async received(): Promise<number[]> {
    const replies = await this.#nats.requestMany("$SRV.STATS", "", { maxWait: 1000, strategy: "stall" });
    const counts = [];
    for await (const reply of replies) counts.push(reply.json<any>().endpoints[0].num_requests as number);
    return counts;
  }

  async request(subject: string): Promise<any> {
    return (await this.#nats.request(subject, "", { timeout: PATIENCE_MS })).json();
  }

  /** The statistics of the worker, once a condition holds. */
  async stats(what: string, isSo: (endpoint: any) => boolean): Promise<any> {
    return until(what, async () => {
      const [endpoint] = (await this.request("$SRV.STATS")).endpoints;
      return isSo(endpoint) ? endpoint : undefined;
    });
  }
}
