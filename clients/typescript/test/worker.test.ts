// Workers in JavaScript against a real coordinator, and against tasks that are sent by hand.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { connect, NoRespondersError, RequestError } from "@nats-io/transport-node";
import * as quorate from "quorate";
import { Client } from "quorate";
import { type Log, Worker } from "quorate/worker";
import { Bus, SCRIPT, TRACE } from "./by.hand.js";
import { binary, Cluster, PATIENCE_MS, Program, Relay, until } from "./cluster.js";

/** What `quorate workers` shows. */
const shown = (url: string) => execFileSync(binary("quorate"), ["workers", "--url", url], { encoding: "utf8" });

test("a worker is seen from its start until it says that it leaves", async (t) => {
  const cluster = await Cluster.start(t);
  // Long enough to tell a request that waits for unknown workers from one that knows its workers.
  const coordinator = await cluster.coordinator("--stall-ms", "20000", "--timeout-ms", "25000");
  const worker = await cluster.script(SCRIPT, "alice", "8");
  await coordinator.waitFor(1);
  assert.match(shown(coordinator.url), / {2}alice +live /);
  const [record] = (await coordinator.client.workers()).workers;
  assert.deepEqual([record?.announced, record?.queries.slice(0, 2)], [true, ["BTC/USD", "ETH/*"]]);
  assert((await coordinator.client.ask("ETH/USD", { strategy: "majority" })).elapsed < 20e9);
  await assert.rejects(coordinator.client.ask("XRP/USD"), quorate.UnknownQuery);
  for (const [query, err] of [
    ["fails", "Error: no fails"],
    ["fails too", "Error: no fails too"],
    ["nothing", "TypeError: undefined is neither a number nor a text"],
  ] as const) {
    await assert.rejects(coordinator.client.ask(query), (error) => {
      assert(error instanceof quorate.InsufficientResponses);
      assert.equal(error.evidence?.worker_responses[0]?.err, err);
      return true;
    });
  }
  await worker.stop();
  await coordinator.waitFor(1, "left");
  assert.match(shown(coordinator.url), / {2}alice +left /);
  assert.equal(worker.written, "", "nothing is worth a warning");
});

test("a worker that is told to stop answers what it has", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  const worker = await cluster.script(SCRIPT, "alice", "8");
  await coordinator.waitFor(1);
  const asked = coordinator.client.ask("slow");
  await coordinator.waitForInFlight(1);
  worker.signal("SIGTERM");
  const answer = await asked;
  assert.deepEqual([answer.final_value, answer.status], ["7", "complete"]);
  assert.equal(await worker.ended(), 0);
  await coordinator.waitFor(1, "left");
});

test("a second signal ends a worker at once", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  const worker = await cluster.script(SCRIPT, "alice", "8");
  await coordinator.waitFor(1);
  await assert.rejects(new Client(coordinator.url, { timeoutMs: 200 }).ask("hangs"), quorate.TimedOut);
  worker.signal("SIGTERM");
  await coordinator.waitFor(1, "draining");
  worker.signal("SIGTERM");
  assert.equal(await worker.ended(), "SIGTERM");
});

test("a worker starts before NATS and survives its restart", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.killNats();
  const worker = await cluster.script(SCRIPT, "alice", "8");
  await worker.writes(/NATS: /);
  await cluster.startNats();
  await coordinator.waitFor(1);
  await cluster.killNats();
  await cluster.startNats();
  await until("an answer after the restart", () =>
    coordinator.client.ask("BTC/USD", { timeout_ms: 500 }).then(
      () => true,
      () => false,
    ),
  );
  assert(worker.written.split("NATS: ").length <= 3, `an outage is told once: ${worker.written}`);
  await worker.stop();
});

test("a worker without NATS can be stopped", async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.killNats();
  const worker = await cluster.script(SCRIPT, "alice", "8");
  await worker.writes(/NATS: /);
  await worker.stop();
});

/** The log of a worker that runs in the process of the test. */
class Said {
  readonly lines: string[] = [];
  readonly log: Log = (level, message) => {
    if (level === "error" || level === "warning") this.lines.push(`${level}: ${message}`);
  };

  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}

/** Waits until a worker ends because NATS refuses its credentials, and returns what it has written before it said so. */
async function refusedByNats(worker: Program): Promise<string> {
  assert.equal(await worker.ended(), 7, worker.written);
  const why = "Authorization Violation; correct them (the option nats), and start the worker again";
  const [before, after] = worker.written.split(`NATS refuses the credentials: ${why}`);
  assert.equal(after, "\nended by NatsClosed\n", worker.written);
  return before ?? "";
}

/** A worker with these options of its connection. */
const workerWith = (cluster: Cluster, options: object) => {
  const variables = { NATS_URL: cluster.natsUrl, NATS_OPTIONS: JSON.stringify(options) };
  return cluster.program(process.execPath, [SCRIPT, "alice", "8"], undefined, variables);
};

test("a worker whose credentials are revoked ends with an error, and leaves nothing behind", async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.killNats();
  await cluster.startNats("--user", "quorate", "--pass", "old");
  const nats = await connect({ servers: cluster.natsUrl, user: "quorate", pass: "old" });
  const announced = nats.subscribe("oracle.workers", { max: 1 });
  await nats.flush();
  const worker = await workerWith(cluster, { user: "quorate", pass: "old" });
  for await (const _ of announced);
  // It has something to do when the connection ends.
  const task = JSON.stringify({ id: "a", query: "hangs", ttl_ms: 600_000 });
  nats.publish("oracle.tasks", task, { reply: "answers" });
  await until("the task to be received", async () => {
    const stats = (await nats.request("$SRV.STATS", "", { timeout: PATIENCE_MS })).json<any>();
    return stats.endpoints[0].num_requests === 1;
  });
  await nats.close();
  await cluster.killNats();
  await worker.writes(/NATS: /);
  await cluster.startNats("--user", "quorate", "--pass", "new");
  assert.doesNotMatch(await refusedByNats(worker), /Authorization/, "it is told once");
});

test("a worker whose credentials are wrong at its start says so once and ends", async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.killNats();
  await cluster.startNats("--user", "quorate", "--pass", "right");
  const worker = await workerWith(cluster, { user: "quorate", pass: "wrong" });
  assert.equal(await refusedByNats(worker), "", "nothing else is said");
});

test("a connection that is closed for good ends a worker, even while it drains", async (t) => {
  const bus = await Bus.empty(t, await Cluster.start(t));
  // As when the authenticator fails: a client of NATS then gives up at once.
  const worker = await workerWith(bus.cluster, { reconnect: false });
  await bus.announcement("live");
  bus.send({ id: "a", query: "hangs", ttl_ms: 600_000 });
  await bus.stats("the task", ({ num_requests }) => num_requests === 1);
  worker.signal("SIGTERM");
  await bus.announcement("draining");
  await bus.close();
  await bus.cluster.killNats();
  assert.equal(await worker.ended(), 7, worker.written);
  assert.match(worker.written, /NATS: the connection is closed for good: .*\nended by NatsClosed\n$/);
});

test("every permission that is denied is told, once for each subject", async (t) => {
  const cluster = await Cluster.start(t);
  const allowed = `publish: {deny: ["oracle.workers", "answers.>"]}, subscribe: {deny: ["$SRV.>"]}`;
  await cluster.configureNats(`authorization: {users: [
    {user: quorate, password: p, permissions: {${allowed}}}, {user: test, password: p}]}`);
  const nats = await connect({ servers: cluster.natsUrl, user: "test", pass: "p" });
  t.after(() => nats.close());
  const said = new Said();
  const stop = new AbortController();
  t.after(() => stop.abort());
  const options = { nats: { user: "quorate", pass: "p" }, log: said.log };
  const running = new Worker("alice", cluster.natsUrl, options).query("q", () => 1).serve(stop.signal);
  await until("the denial of an announcement", () => said.count('Publish to "oracle.workers"') > 0);
  const ask = (id: string, reply: string) =>
    nats.publish("oracle.tasks", JSON.stringify({ id, query: "q", ttl_ms: 5000 }), { reply });
  for (const [id, reply] of [
    ["a", "answers.1"],
    ["b", "answers.2"],
    ["c", "answers.more"],
  ] as const) {
    ask(id, reply);
  }
  await until("the last denial", () => said.count('"answers.more"') > 0);
  const denied = ['"oracle.workers"', '"answers.1"', '"answers.2"', '"answers.more"', '"$SRV.*"'];
  assert.deepEqual(
    denied.map((subject) => said.count(subject)),
    [1, 1, 0, 1, 1],
    said.lines.join("\n"),
  );
  stop.abort();
  await running;
  assert.equal(said.count('"oracle.workers"'), 1);
});

test("a worker that may not receive tasks does so once it may", async (t) => {
  const cluster = await Cluster.start(t);
  const users = (denied: string) => `authorization: {users: [
    {user: quorate, password: p, permissions: {subscribe: {deny: [${denied}]}}}, {user: test, password: p}]}`;
  await cluster.configureNats(users('"oracle.tasks"'));
  const said = new Said();
  const stop = new AbortController();
  t.after(() => stop.abort());
  const options = { nats: { user: "quorate", pass: "p" }, log: said.log };
  const running = new Worker("alice", cluster.natsUrl, options).query("q", () => 1).serve(stop.signal);
  await until("the denial", () =>
    said.count('warning: NATS: Permissions Violation for Subscription to "oracle.tasks"'),
  );
  await cluster.configureNats(users(""));
  const nats = await connect({ servers: cluster.natsUrl, user: "test", pass: "p" });
  t.after(() => nats.close());
  const task = JSON.stringify({ id: "a", query: "q" });
  const answered = () => nats.request("oracle.tasks", task, { timeout: 1000 }).catch(() => undefined);
  const answer = await until("an answer", answered);
  assert.equal(answer.json<Record<string, unknown>>()["value"], 1);
  stop.abort();
  await running;
});

test("a worker that may not receive packs says so once, and takes none", async (t) => {
  const cluster = await Cluster.start(t);
  const packs = "eu.staging.tasks.packed";
  const users = (denied: string) => `authorization: {users: [
    {user: quorate, password: p, permissions: {subscribe: {deny: ["${denied}"]}}}, {user: test, password: p}]}`;
  await cluster.configureNats(users(packs));
  const nats = await connect({ servers: cluster.natsUrl, user: "test", pass: "p", maxReconnectAttempts: -1 });
  t.after(() => nats.close());
  const presences: { state: string; packs: boolean }[] = [];
  nats.subscribe("eu.staging.workers", { callback: (_, message) => void presences.push(message.json()) });
  await nats.flush();
  const said = new Said();
  const stop = new AbortController();
  const connection = { user: "quorate", pass: "p" };
  const options = { nats: connection, log: said.log, replicas: true, subjectPrefix: "eu.staging" };
  const running = new Worker("alice", cluster.natsUrl, options).query("q", () => 1).serve(stop.signal);
  const takesPacks = async () => {
    const ping = (await nats.request("$SRV.PING", "", { timeout: PATIENCE_MS })).json<any>();
    return ping.metadata.packs === "true";
  };
  const first = await until("the first announcement", () => presences.shift());
  assert.deepEqual([first.state, first.packs, await takesPacks()], ["live", false, false]);
  await assert.rejects(
    nats.request(packs, '{"tasks":[]}', { timeout: PATIENCE_MS }),
    (error) => error instanceof RequestError && error.cause instanceof NoRespondersError,
  );
  for (const denied of ["x", packs, "x"]) {
    await cluster.killNats();
    presences.length = 0;
    await cluster.configureNats(users(denied));
    await until(`an announcement that denies ${denied}`, () => presences.at(-1)?.packs === (denied !== packs));
    assert.equal(await takesPacks(), denied !== packs);
  }
  // It is told again after each connection.
  assert.equal(said.count(`Subscription to "${packs}"`), 2, said.lines.join("\n"));
  stop.abort();
  await running;
});

test("a redispatched task receives the same answer", async (t) => {
  const bus = await Bus.start(t, 8);
  for (const wrong of ["no JSON", "null", "{", new Uint8Array([255])]) bus.send(wrong);
  const first = await bus.ask({ id: "a", query: "count", ttl_ms: 5000, attempt: 1 });
  assert.deepEqual([first["request_id"], first["value"], first["worker_id"]], ["a", 1, "alice"]);
  const { age_ms: _, ...again } = await bus.ask({ id: "a", query: "count", ttl_ms: 2500, attempt: 2 }, "answers.2");
  assert.deepEqual(again, first, "it has not asked its source again");
  assert.equal((await bus.ask({ id: "b", query: "count" }))["value"], 2);
  assert.equal((await bus.ask({ id: "c", query: "count" }, ""))["value"], 3);

  // Both tasks came before the answer: the function runs once, and each place receives the answer.
  for (const reply of ["answers.1", "answers.2"]) bus.send({ id: "d", query: "slow", ttl_ms: 5000 }, reply);
  const both = [await bus.answer(), await bus.answer()];
  assert.deepEqual(both.map(({ subject }) => subject).sort(), ["answers.1", "answers.2"]);
  assert.deepEqual(both[0]?.json(), both[1]?.json());

  bus.send({ id: "e", query: "not offered" });
  bus.send({ id: "f", query: "count" }, "answers", TRACE);
  const traced = await bus.answer();
  assert.deepEqual(
    [traced.json<Record<string, unknown>>()["request_id"], traced.headers?.get("traceparent")],
    ["f", TRACE],
  );
  const stats = await bus.stats("the malformed ones to be counted", ({ data }) => data.tasks_malformed === 4);
  assert.equal(stats.data.tasks_unoffered, 1);
});

test("a draining worker receives no further tasks, and answers those that it has", async (t) => {
  const bus = await Bus.start(t, 8);
  bus.send({ id: "a", query: "slower", ttl_ms: 20_000 });
  await bus.stats("the task", ({ num_requests }) => num_requests === 1);
  bus.worker.signal("SIGTERM");
  await bus.announcement("draining");
  assert.equal((await bus.ask({ id: "b", query: "count" }))["value"], 1, "not all coordinators know that it drains");
  bus.send({ id: "a", query: "slower", ttl_ms: 20_000, attempt: 2 }, "answers.2");
  for (const subject of ["oracle.tasks", "oracle.tasks.packed"]) {
    await until(`the end of the subscription to ${subject}`, () => bus.isDeserted(subject));
  }
  assert.equal((await bus.request("$SRV.PING")).metadata.state, "draining");
  const both = [await bus.answer(), await bus.answer()];
  assert.deepEqual(both.map(({ subject }) => subject).sort(), ["answers", "answers.2"]);
  await bus.announcement("left");
  assert.equal(await bus.worker.ended(), 0);
});

test("a replica that drains leaves further tasks to the others", async (t) => {
  const bus = await Bus.empty(t, await Cluster.start(t));
  const tasks = "staging.tasks";
  const first = await bus.cluster.script(SCRIPT, "twins", "8", "staging");
  await bus.announcement("live");
  bus.send({ id: "a", query: "hangs", ttl_ms: 3_000 }, "answers", undefined, tasks);
  await bus.stats("the task", ({ num_requests }) => num_requests === 1);
  await bus.cluster.script(SCRIPT, "twins", "8", "staging");
  await until("the second replica", async () => (await bus.instances()) === 2);
  first.signal("SIGTERM");
  await bus.announcement("draining");
  // Each of them is answered, by the one or the other, until the first has left: its task outlasts its grace by far.
  let answered = 0;
  for (let left = false; !left; answered += 1) {
    bus.send({ id: `b${answered}`, query: "count", ttl_ms: 5_000 }, "answers", undefined, tasks);
    assert.equal((await bus.answer()).json<Record<string, unknown>>()["request_id"], `b${answered}`);
    left = bus.hasLeft;
  }
  assert(answered > 20, String(answered));
  assert.equal(await first.ended(), 0);
});

test("a task that arrives before NATS has ended the subscription is answered", async (t) => {
  const bus = await Bus.empty(t, await Cluster.start(t));
  const relay = await Relay.to(t, bus.cluster.natsUrl.replace("nats://", ""));
  const worker = await bus.cluster.scriptAt(`nats://${relay.address}`, SCRIPT, "twins", "8", "staging");
  await bus.announcement("live");
  worker.signal("SIGTERM");
  await bus.announcement("draining");
  relay.hold();
  await until("the end of the subscription to be on its way", () => relay.held.includes("UNSUB"));
  bus.send({ id: "a", query: "count", ttl_ms: 5_000 }, "answers", undefined, "staging.tasks");
  await until("the answer to be on its way", () => relay.held.includes('"request_id":"a"'));
  relay.release();
  assert.equal((await bus.answer()).json<Record<string, unknown>>()["value"], 1);
  await bus.announcement("left");
  assert.equal(await worker.ended(), 0);
});

for (const query of ["hangs", "ignores"]) {
  test(`a task without room is refused and one out of time is dropped, if its function ${query}`, async (t) => {
    const bus = await Bus.start(t, 1);
    bus.send({ id: "a", query, ttl_ms: 300 });
    const refused = await bus.ask({ id: "b", query: "count" });
    assert.deepEqual([refused["value"], refused["err"], refused["overloaded"]], [null, "worker is overloaded", true]);
    const stats = await bus.stats("the task to expire", ({ data }) => data.tasks_expired === 1);
    assert.deepEqual([stats.num_requests, stats.num_errors], [2, 1]);
    const after = await bus.ask({ id: "c", query: "count" });
    // A function that does not heed its signal keeps its place.
    const isOverdue = query === "ignores";
    assert.equal(after["overloaded"] ?? false, isOverdue);
    if (isOverdue) {
      await bus.worker.writes(/ignores: the function ignores its signal, and keeps its place until it ends/);
      await bus.stats("the function to be counted", ({ data }) => data.functions_overdue === 1);
    }
    await bus.worker.stop();
    assert.equal(bus.worker.written.split("\n").length, isOverdue ? 2 : 1, bus.worker.written);
  });
}

test("a function that ignores its signal is told once, and counted each time", async (t) => {
  const bus = await Bus.start(t, 8);
  for (const id of ["a", "b"]) bus.send({ id, query: "ignores", ttl_ms: 100 });
  await bus.stats("both to be counted", ({ data }) => data.functions_overdue === 2);
  await bus.worker.stop();
  assert.equal(bus.worker.written.split("\n").length, 2, bus.worker.written);
});

test("a worker is a service of NATS", async (t) => {
  const bus = await Bus.start(t, 8);
  await bus.ask({ id: "a", query: "count" });
  await bus.ask({ id: "b", query: "fails" });
  bus.send({ id: "c", query: "not offered" });
  const ping = await bus.request("$SRV.PING");
  assert.deepEqual([ping.type, ping.name], ["io.nats.micro.v1.ping_response", "quorate-worker"]);
  assert.deepEqual([ping.metadata.worker_id, ping.metadata.state], ["alice", "live"]);
  assert(JSON.parse(ping.metadata.queries).includes("BTC/USD"));
  assert.equal(ping.metadata.packs, "true");
  const info = await bus.request(`$SRV.INFO.quorate-worker.${ping.id}`);
  assert.equal(info.endpoints[0].subject, "oracle.tasks");
  const stats = await bus.stats("three tasks", ({ num_requests }) => num_requests === 3);
  assert.deepEqual([stats.num_errors, stats.last_error, stats.data.tasks_unoffered], [1, "Error: no fails", 1]);
  assert(stats.average_processing_time > 0);
});

test("replicas share their tasks, and a prefix keeps deployments apart", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator("--subject-prefix", "eu.staging");
  for (const _ of [1, 2]) await cluster.script(SCRIPT, "twins", "64", "eu.staging");
  await coordinator.waitFor(1);
  assert.equal((await coordinator.client.workers()).workers[0]?.replicated, true);
  const bus = await Bus.empty(t, cluster);
  await until("both of them", async () => (await bus.instances()) === 2);
  for (const id of ["r1", "r2", "r3", "r4", "r5"]) await coordinator.client.ask("count", { id });
  const ids = Array.from({ length: 50 }, (_, number) => `packed ${number}`);
  const together = await Promise.all(ids.map((id) => coordinator.client.ask("BTC/USD", { id })));
  assert(together.every(({ status }) => status === "complete"));
  const received = await bus.received();
  assert.deepEqual([received.length, received[0]! + received[1]!], [2, 55], "each task is received once");
  assert.equal((await coordinator.client.workers()).counters["results_duplicate"], 0);
});

test("mistakes are told where they are made", async () => {
  for (const name of ["", "a\nb", "x".repeat(129)]) assert.throws(() => new Worker(name), RangeError);
  assert.throws(() => new Worker("w", undefined, { maxConcurrent: 0 }), /a place/);
  const worker = new Worker("w");
  await assert.rejects(worker.run(), /declare a function/);
  worker.query("BTC/USD", () => 1);
  assert.throws(() => worker.query("BTC/USD", () => 1), /offered already/);
  for (const wrong of ["", "x".repeat(257), "a\nb"]) assert.throws(() => worker.query(wrong, () => 1), RangeError);
});
