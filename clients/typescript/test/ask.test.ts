// Questions to a real coordinator.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Client, InvalidRequest, type RequestFields } from "quorate";
import { Cluster, QUICK, until } from "./cluster.js";

const EXACT = "42000.123456789012345678901234";
const SCRIPT = join(import.meta.dirname, "worker.of.tests.js");

test("an answer keeps its digits and comes with its evidence", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  for (const name of ["alice", "bob"]) await cluster.script(SCRIPT, name, "8");
  await coordinator.waitFor(2);
  const { client } = coordinator;
  const outcome = await client.ask("BTC/USD", { id: "mine", min_agreement: "0.5" });
  assert.equal(outcome.final_value, EXACT);
  assert.deepEqual(
    [outcome.request_id, outcome.query, outcome.status, outcome.expected, outcome.succeeded],
    ["mine", "BTC/USD", "complete", 2, 2],
  );
  assert.deepEqual(
    outcome.workers.map(({ worker_id, fate }) => `${worker_id} ${fate}`),
    ["alice used", "bob used"],
  );
  assert.deepEqual(
    outcome.worker_responses.map((response) => response.value),
    [EXACT, EXACT],
  );
  assert.deepEqual(outcome.spread, { min: EXACT, max: EXACT, interquartile: "0", mad: "0" });
  assert.deepEqual([outcome.agreement, outcome.tie, outcome.excluded], ["1", false, []]);
  assert(typeof outcome.elapsed === "number" && outcome.elapsed > 0);
  const again = await client.ask("BTC/USD", { id: "mine" });
  assert.deepEqual(again, outcome, "a retry receives the same outcome");

  assert.equal((await client.ask("big")).final_value, String(2n ** 90n));
  const rounded = await client.ask("BTC/USD", { decimals: 2 });
  assert.deepEqual([rounded.final_value, rounded.exact_value], ["42000.12", EXACT]);
  const text = await client.ask("ETH/USD", { strategy: "majority" });
  assert.deepEqual([text.final_value, text.spread], ["text of ETH/USD", null]);
  const aged = await client.ask("aged");
  assert(aged.worker_responses.every((response) => response.age_ms === 7_000));
  const dated = await client.ask("dated");
  for (const { age_ms = 0 } of dated.worker_responses) assert(age_ms >= 3_600_000 && age_ms < 3_700_000);
  assert(Math.abs(Date.now() - Date.parse(dated.answered_at)) < 60_000);
  assert(Date.now() - Date.parse(dated.oldest_observed_at ?? "") >= 3_600_000);
});

test("every field of the policy reaches the coordinator", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  for (const name of ["w1", "w2", "w3"]) await cluster.worker(name, ...QUICK);
  await coordinator.waitFor(3);
  const policy: RequestFields = {
    id: "a request",
    strategy: "trimmed_mean",
    precision: 3,
    trim_share: "0.25",
    max_deviation: "mad:5",
    tolerance: 0.05,
    min_agreement: "0.5",
    on_dispute: "answer",
    max_age_ms: 1000,
    min_responses: 1,
    quorum: 3,
    timeout_ms: 4000,
    decimals: 1,
  };
  const outcome = await coordinator.client.ask("BTC/USD", policy);
  assert.deepEqual([outcome.strategy, outcome.succeeded], ["trimmed_mean", 3]);
  assert.match(outcome.final_value, /^\d+(\.\d)?$/);
});

test("the state of a coordinator is read", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator("--expect", "carol", "--min-expected", "3");
  await cluster.worker("w1", ...QUICK);
  await cluster.worker("w2", "--queries", "BTC/*", ...QUICK);
  await coordinator.waitFor(2);
  const { client } = coordinator;
  await client.ask("BTC/USD");
  const register = await until("the answer to be counted", async () => {
    const register = await client.workers();
    return register.workers[0]?.successes === 1 ? register : undefined;
  });
  const [first, second] = register.workers;
  assert.deepEqual([first?.worker_id, second?.worker_id, second?.queries], ["w1", "w2", ["BTC/*"]]);
  assert.equal(first?.score, "1.000000", "a score is exact, as sent");
  assert.equal(typeof first.response_time?.p50, "number");
  assert.deepEqual([register.absent, register.counters["requests_accepted"]], [["carol"], 1]);
  assert.deepEqual((await client.queries()).map(({ query }) => query).sort(), ["*", "BTC/*"]);
  const { policies } = await client.policies();
  const [standard] = policies;
  assert.deepEqual(
    [standard?.query, standard?.strategy, standard?.tolerance, standard?.quorum, standard?.expect],
    ["*", "average", "0.06", null, ["carol"]],
  );
  assert.deepEqual((await client.policies("BTC/USD")).policies, policies);
  await assert.rejects(client.policies(""), InvalidRequest);
  const ready = await client.ready();
  assert.deepEqual([ready.ready, ready.workers, ready.short[0]?.needed], [true, 2, 3]);
});

test("a call ends when its caller wishes", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.script(SCRIPT, "alice", "8");
  await coordinator.waitFor(1);
  const stop = new AbortController();
  const asked = coordinator.client.ask("hangs", {}, { signal: stop.signal });
  await coordinator.waitForInFlight(1);
  const wish = new Error("no longer wanted");
  stop.abort(wish);
  await assert.rejects(asked, (error) => error === wish);
  await coordinator.waitForInFlight(0);
  await assert.rejects(coordinator.client.ready({ signal: stop.signal }), (error) => error === wish);
});

test("what is no address is refused at once", () => {
  for (const url of ["localhost:8080", "ftp://localhost", "http://", ""])
    assert.throws(() => new Client(url), TypeError);
});
