// Packs of tasks: what is read and written, sent by hand, and sent by a real coordinator.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { decodePack, encodePacks } from "../node_modules/quorate/dist/worker/wire.js";
import { Bus, SCRIPT, TRACE } from "./by.hand.js";
import { Cluster, STUCK } from "./cluster.js";

function decoded(body: unknown, reply = "answers") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return decodePack(new TextEncoder().encode(text), reply, "oracle.results");
}

test("a bad element of a pack loses only itself", () => {
  const good = { id: "a", query: "q", task: "7", traceparent: TRACE };
  const bad = [7, null, [], {}, { id: "", query: "q" }, { id: "c" }, { id: "d", query: "a\0b" }];
  const { tasks, malformed } = decoded({ tasks: [good, ...bad, { id: "b", query: "q", ttl_ms: 500 }] });
  assert.equal(malformed, bad.length);
  const to = (task: string | undefined) => ({ subject: "answers", packed: { task } });
  assert.deepEqual(tasks, [
    { id: "a", query: "q", ttlMs: 30_000, reply: to("7"), traceparent: TRACE },
    { id: "b", query: "q", ttlMs: 500, reply: to(undefined), traceparent: undefined },
  ]);
  for (const [task, traceparent] of [
    [7, 7],
    ["", ""],
    ["x", "x"],
    ["-1", TRACE.toUpperCase()],
    ["7".repeat(21), TRACE.slice(2)],
    [null, null],
  ]) {
    const [read] = decoded({ tasks: [{ ...good, task, traceparent }] }).tasks;
    assert.deepEqual([read?.reply, read?.traceparent], [to(undefined), undefined], "what is none counts as absent");
  }
});

test("a pack names where its results go", () => {
  const tasks = [{ id: "a", query: "q", task: "7" }];
  const to = (reply: string, body = {}) => decoded({ tasks, ...body }, reply).tasks[0]?.reply;
  const packed = { task: "7" };
  assert.deepEqual(to("answers", { reply: "named" }), { subject: "named", packed });
  assert.deepEqual(to("", { reply: "named" }), { subject: "named", packed });
  assert.deepEqual(to("answers"), { subject: "answers", packed });
  assert.deepEqual(to("answers", { reply: null }), { subject: "answers", packed });
  assert.deepEqual(to(""), { subject: "oracle.results" }, "which takes no packs");
  // The name of a subject is written into a command to NATS.
  const wrongs = ["a b", "a\r\nPUB oracle.workers 0\r\n", "a\t", "a\n", "é", "x".repeat(1025), 7, false, []];
  for (const reply of wrongs) assert.deepEqual(decoded({ tasks, reply }), { tasks: [], malformed: 1 }, `${reply}`);
});

test("what is no pack is malformed", () => {
  for (const wrong of ["", "null", "[]", "{}", '{"tasks":7}', '{"tasks":{}}', '{"tasks":[}', '{"tasks":[NaN]}']) {
    assert.deepEqual(decoded(wrong), { tasks: [], malformed: 1 }, wrong);
  }
});

test("a pack is read up to its bounds", () => {
  const { tasks, malformed } = decoded({ tasks: Array.from({ length: 1027 }, (_, n) => ({ id: `${n}`, query: "q" })) });
  assert.deepEqual([tasks.length, tasks.at(-1)?.id, malformed], [1024, "1023", 3]);
  const body = '{"tasks":[]}';
  assert.deepEqual(decoded(body.padEnd(65_536)), { tasks: [], malformed: 0 });
  assert.deepEqual(decoded(body.padEnd(65_537)), { tasks: [], malformed: 1 });
});

test("results are split into as few packs as their bounds allow, and none is lost", () => {
  for (const [length, letter] of [
    [8, "x"],
    [61, "x"],
    [62, "x"],
    [63, "x"],
    [500, "x"],
    [500, "é"],
    [4096, "x"],
    [30_000, "€"],
    [70_000, "x"],
  ] as const) {
    const results = Array.from({ length: 3000 }, (_, n) =>
      JSON.stringify(`${n}`.padEnd(6) + letter.repeat(length - 8)),
    );
    const packs = [...encodePacks(results)];
    const read = packs.map(({ body }) => (JSON.parse(body) as { results: string[] }).results);
    assert.deepEqual(
      read.flat().map((element) => JSON.stringify(element)),
      results,
    );
    for (const [at, { body, count }] of packs.entries()) {
      assert(count === read[at]?.length && count <= 1024);
      const size = Buffer.byteLength(body);
      assert(size <= 65_536 || count === 1, "a result that is too long spoils no other");
      const next = read[at + 1]?.[0];
      const more = Buffer.byteLength(JSON.stringify(next ?? "")) + 1;
      assert(next === undefined || count === 1024 || size + more > 65_536, "there is no room for the next");
    }
  }
  assert.deepEqual([...encodePacks([])], []);
});

const task = (number: number, query: string, more = {}) => {
  return { id: `r${number}`, query, ttl_ms: 5000, attempt: 1, task: `${number}`, ...more };
};
const numbered = (count: number, query: string, more = {}) =>
  Array.from({ length: count }, (_, number) => task(number, query, more));

test("results that are ready together go out together", async (t) => {
  const bus = await Bus.start(t, 1024);
  // It answers these at once, all in the same turn, and the slow one later.
  const now = [...numbered(40, "BTC/USD"), task(40, "fails"), task(41, "dated"), task(42, "ETH/USD")];
  const soon = task(46, "soon", { traceparent: TRACE });
  const lost = [7, { id: "r" }, task(44, "not offered"), task(45, "BTC/USD", { ttl_ms: 0 })];
  const slow = task(43, "slow", { traceparent: TRACE });
  bus.sendPack([...now, slow, ...lost, soon], "answers.7");
  const { subject, results } = await bus.pack();
  assert.equal(subject, "answers.7");
  const sorted = results.sort((one, other) => Number(one["task"]) - Number(other["task"]));
  assert.deepEqual(
    sorted.map((result) => [result["task"], result["request_id"]]),
    [...Array(43).keys(), 46].map((number) => [`${number}`, `r${number}`]),
  );
  assert.equal(sorted[0]?.["value"], "42000.123456789012345678901234");
  assert.equal(sorted[40]?.["err"], "Error: no fails");
  assert(sorted[41]?.["observed_at"]);
  assert.equal(sorted[42]?.["value"], "text of ETH/USD");
  assert.deepEqual(
    sorted.map((result) => result["traceparent"]),
    [...Array(43).fill(undefined), TRACE],
  );
  const { received, subjects } = await bus.results(1);
  const last = received.get("43");
  assert.deepEqual([last?.["value"], last?.["traceparent"], [...subjects]], [7, TRACE, ["answers.7"]]);

  const stats = await bus.stats("all of them", ({ num_requests }) => num_requests === 47);
  const losses = Object.entries(stats.data).filter(([, count]) => count);
  assert.deepEqual(Object.fromEntries(losses), { tasks_malformed: 2, tasks_unoffered: 1, tasks_expired: 1 });
  bus.send("no pack", "answers", undefined, "oracle.tasks.packed");
  await bus.stats("the malformed one", ({ data }) => data.tasks_malformed === 3);
});

test("the results of each pack go where it says", async (t) => {
  const bus = await Bus.start(t, 8);
  bus.sendPack([task(1, "BTC/USD"), task(2, "ETH/USD")], "answers.1");
  bus.sendPack([task(3, "BTC/USD")], "answers.9", "answers.2");
  bus.send({ id: "r4", query: "BTC/USD" }, "answers.3");
  bus.sendPack([{ id: "r5", query: "BTC/USD" }], "");
  const answers = [await bus.answer(), await bus.answer(), await bus.answer(), await bus.answer()];
  const ids = answers.map((answer) => {
    const { results, request_id } = answer.json<any>();
    return [answer.subject, results ? results.map((result: any) => result.request_id).sort() : request_id];
  });
  assert.deepEqual(Object.fromEntries(ids), {
    "answers.1": ["r1", "r2"],
    "answers.2": ["r3"],
    "answers.3": "r4",
    "oracle.results": "r5",
  });
});

test("long results of a pack are split, and none is lost", async (t) => {
  const bus = await Bus.start(t, 64);
  bus.sendPack(numbered(60, "long"));
  const { received } = await bus.results(60);
  assert.deepEqual(new Set([...received.values()].map((result) => result["value"])), new Set(["x".repeat(4096)]));
});

test("a redispatched task of a pack receives the same answer, alone or in a pack", async (t) => {
  const bus = await Bus.start(t, 8);
  bus.sendPack([task(1, "count")], "answers.1");
  const value = (await bus.results(1)).received.get("1")?.["value"];
  bus.sendPack([task(1, "count", { attempt: 2, traceparent: TRACE }), task(2, "count")], "answers.2");
  const again = await bus.results(2);
  const values = [again.received.get("1")?.["value"], again.received.get("2")?.["value"]];
  assert.deepEqual([...values, ...again.subjects], [value, 2, "answers.2"]);
  const alone = await bus.ask(task(1, "count", { attempt: 2 }), "answers.3");
  assert.deepEqual([alone["value"], "task" in alone], [value, false]);
  assert.equal((await bus.ask({ id: "r3", query: "count" }))["value"], 3);
  bus.sendPack([task(3, "count", { attempt: 2 })]);
  assert.equal((await bus.results(1)).received.get("3")?.["value"], 3);

  // The redispatch comes before the answer: each place receives it.
  bus.sendPack([task(4, "slow"), task(4, "slow")], "answers.4");
  bus.sendPack([task(4, "slow", { attempt: 2 })], "answers.5");
  bus.send(task(4, "slow", { attempt: 2 }), "answers.6");
  const answers = [await bus.answer(), await bus.answer(), await bus.answer()];
  const bySubject = new Map(answers.map((answer) => [answer.subject, answer.json<any>()]));
  assert.deepEqual([...bySubject.keys()].sort(), ["answers.4", "answers.5", "answers.6"]);
  assert.deepEqual(bySubject.get("answers.4"), bySubject.get("answers.5"));
  assert.deepEqual([bySubject.get("answers.4").results.length, bySubject.get("answers.6").value], [1, 7]);
});

test("tasks of a pack without room are refused", async (t) => {
  const bus = await Bus.start(t, 1);
  bus.sendPack([task(1, "hangs"), ...[2, 3, 4].map((number) => task(number, "count"))]);
  assert.deepEqual(
    (await bus.pack()).results.map((result) => [result["task"], result["overloaded"]]),
    ["2", "3", "4"].map((number) => [number, true]),
  );
});

test("a worker that drains answers the packs that it has before it leaves", async (t) => {
  const bus = await Bus.start(t, 64);
  bus.sendPack(numbered(30, "slow"));
  await bus.stats("the tasks", ({ num_requests }) => num_requests === 30);
  bus.worker.signal("SIGTERM");
  assert.equal((await bus.announcement("draining"))["packs"], true);
  // Not all coordinators know that it drains.
  bus.sendPack([task(30, "BTC/USD")]);
  assert.equal((await bus.results(31)).received.get("29")?.["value"], 7);
  await bus.announcement("left");
  assert.equal(await bus.worker.ended(), 0);
  assert.equal(await bus.last(), "left", "it sends everything before it says that it leaves");
});

/** What goes over NATS between coordinators and workers. */
class Watched {
  /** The numbers of the tasks of each pack, by its reply subject, and those of the tasks that went out alone. */
  readonly packs = new Map<string, string[]>();
  readonly alone: string[] = [];
  /** Who has answered each task in a pack, by the reply subject of the pack, and how many messages that took. */
  readonly answered = new Map<string, string[]>();
  answers = 0;
  readonly nats: NatsConnection;

  private constructor(nats: NatsConnection) {
    this.nats = nats;
    const on = (subject: string, take: (body: any, subject: string, reply: string) => void) =>
      nats.subscribe(subject, {
        callback: (_, { data, subject, reply = "" }) => {
          assert(data.length <= 65_536);
          take(JSON.parse(new TextDecoder().decode(data)), subject, reply);
        },
      });
    on("oracle.tasks.packed", ({ tasks, reply: named }, _, reply) => {
      assert.equal(named, reply);
      this.packs.set(
        reply,
        tasks.map((each: any) => each.task),
      );
    });
    on("oracle.tasks", (_, __, reply) => this.alone.push(reply.split(".").at(-1) ?? ""));
    on("_INBOX.*.*", ({ results }, subject) => {
      if (!results) return;
      this.answers += 1;
      const by = results.map(({ task, worker_id }: any) => `${task} ${worker_id}`);
      this.answered.set(subject, [...(this.answered.get(subject) ?? []), ...by]);
    });
  }

  static async start(t: TestContext, { natsUrl }: Cluster): Promise<Watched> {
    const nats = await connect({ servers: natsUrl });
    t.after(() => nats.close());
    const watched = new Watched(nats);
    await nats.flush();
    return watched;
  }
}

test("a coordinator sends packs, and receives every answer", async (t) => {
  const cluster = await Cluster.start(t);
  // A busy machine makes a worker late, which is no reason to go on without it.
  const coordinator = await cluster.coordinator("--timeout-ms", "20000", "--suspect-after-ms", "20000");
  const names = ["alice", "bob"];
  for (const name of names) await cluster.script(SCRIPT, name, "1024");
  await coordinator.waitFor(2);
  const watched = await Watched.start(t, cluster);
  const asked = 150;
  for (const turn of [1, 2, 3]) {
    const queries = Array.from({ length: asked }, (_, number) => `ETH/${turn}.${number}`);
    const outcomes = await Promise.all(queries.map((query) => coordinator.client.ask(query, { strategy: "majority" })));
    for (const [at, { final_value, status, worker_responses, missing }] of outcomes.entries()) {
      const text = `text of ${queries[at]}`;
      assert.deepEqual([final_value, status, missing], [text, "complete", []]);
      const answered = worker_responses.map(({ worker_id, value }) => [worker_id, value]);
      assert.deepEqual(
        answered,
        names.map((name) => [name, text]),
      );
    }
  }
  await watched.nats.flush();
  const packed = [...watched.packs.values()].flat().length;
  assert.equal(packed + watched.alone.length, 3 * asked);
  assert(watched.packs.size > 0 && packed > watched.packs.size, "several tasks went out together");
  const everybody = (tasks: string[]) => tasks.flatMap((number) => names.map((name) => `${number} ${name}`)).sort();
  for (const [reply, tasks] of watched.packs) {
    assert.deepEqual(watched.answered.get(reply)?.sort(), everybody(tasks), "each worker answers each task once");
  }
  assert.equal(watched.answered.size, watched.packs.size);
  assert(watched.answers < 2 * packed, "several results went out together");
  const { counters } = await coordinator.client.workers();
  const wrong = Object.entries(counters).filter(([name, count]) => {
    return count > 0 && /(malformed|misdirected|unknown|duplicate|late)$/.test(name);
  });
  assert.deepEqual(wrong, []);
});

test("a task that a coordinator dispatches again is answered again", async (t) => {
  const cluster = await Cluster.start(t);
  // The other worker is silent, so that all tasks are dispatched again.
  const flags = ["--timeout-ms", "6000", "--redispatch-share", "0.25", "--suspect-after-ms", "20000"];
  const coordinator = await cluster.coordinator(...flags);
  await cluster.script(SCRIPT, "alice", "64");
  await cluster.worker("stuck", ...STUCK);
  await coordinator.waitFor(2);
  const watched = await Watched.start(t, cluster);
  const ids = Array.from({ length: 20 }, (_, number) => `r${number}`);
  const outcomes = await Promise.all(ids.map((id) => coordinator.client.ask("slow", { id })));
  for (const { final_value, missing } of outcomes) assert.deepEqual([final_value, missing], ["7", ["stuck"]]);
  await watched.nats.flush();
  const { counters } = await coordinator.client.workers();
  assert.deepEqual([counters["results_duplicate"], counters["results_equivocal"]], [20, 0]);
  const dispatched = [...watched.alone, ...[...watched.packs.values()].flat()].sort();
  assert.equal(dispatched.length, 40);
  for (let at = 0; at < 40; at += 2) assert.equal(dispatched[at], dispatched[at + 1], "each of them twice");
  assert(watched.packs.size >= 2);
});
