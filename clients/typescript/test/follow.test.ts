// Events of a real coordinator, over its restarts.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import * as quorate from "quorate";
import { Client, type Event } from "quorate";
import { Cluster, QUICK, Relay } from "./cluster.js";

/** The next event of a follower. */
async function next(events: AsyncGenerator<Event, void>): Promise<Event> {
  const { value } = await events.next();
  assert(value);
  return value;
}

/** The request that an event tells the answer of. */
async function answered(events: AsyncGenerator<Event, void>): Promise<string> {
  const event = await next(events);
  assert(event.kind === "answered", JSON.stringify(event));
  return event.outcome.request_id;
}

test("a follower continues where it was, and over a restart tells of the gap", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.worker("w1", ...QUICK);
  await coordinator.waitFor(1);
  await coordinator.client.ask("q", { id: "before" });
  // It is known to receive what happens from now on: it begins with a past event.
  const events = coordinator.client.follow("q", { recent: 1 });
  assert.equal(await answered(events), "before");
  for (const id of ["first", "second"]) {
    await coordinator.client.ask("q", { id });
    await coordinator.client.ask("another", { id: `not ${id}` });
    assert.equal(await answered(events), id);
  }
  await coordinator.restart();
  const missed = { kind: "missed", count: null };
  assert.deepEqual(await next(events), missed, "another process does not have the events of the first");
  await coordinator.waitFor(1);
  for (const id of ["third", "fourth"]) {
    await coordinator.client.ask("q", { id });
    assert.equal(await answered(events), id);
  }
  await events.return();
});

test("a stream that breaks off is resumed without a gap", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.worker("w1", ...QUICK);
  await coordinator.waitFor(1);
  await coordinator.client.ask("q", { id: "first" });
  const relay = await Relay.to(t, coordinator.address);
  const events = new Client(`http://${relay.address}`).follow("q", { recent: 1 });
  const event = await next(events);
  assert(event.kind === "answered" && event.outcome.request_id === "first");
  relay.cut();
  for (const id of ["second", "third"]) await coordinator.client.ask("q", { id });
  for (const id of ["second", "third"]) assert.equal(await answered(events), id);
  await events.return();

  const resumed = coordinator.client.follow("q", { lastEventId: event.id });
  for (const id of ["second", "third"]) assert.equal(await answered(resumed), id);
  await resumed.return();
  const gone = coordinator.client.follow("q", { lastEventId: "another process-7" });
  assert.deepEqual(await next(gone), { kind: "missed", count: null });
  await gone.return();
});

test("the outcomes of a pattern are followed, and only they count as past events", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.worker("w1", ...QUICK);
  await coordinator.waitFor(1);
  const ask = async (...queries: string[]) => {
    for (const query of queries) await coordinator.client.ask(query, { id: query });
  };
  await ask("BTC/USD", "BTC/EUR", "BTC", "ETH/USD", "BTC/CHF", "x.BTC/USD", "ETH/EUR");
  const events = coordinator.client.follow("BTC/*", { recent: 2 });
  assert.deepEqual([await answered(events), await answered(events)], ["BTC/EUR", "BTC/CHF"]);
  await ask("ETH/CHF", "BTC/JPY");
  assert.equal(await answered(events), "BTC/JPY");
  await events.return();
  await assert.rejects(coordinator.client.follow("").next(), quorate.InvalidRequest);
});

test("a stream without an event of its query is resumed after those that were passed over", async (t) => {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    response.setHeader("content-type", "text/event-stream");
    if (paths.length < 3) response.end(`retry: 10\n\n:\n\nid: c-${paths.length}\n\n`);
    else response.write('id: c-9\nevent: missed\ndata: {"count":2}\n\n');
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const events = new Client(`http://127.0.0.1:${port}`).follow("q", { recent: 3 });
  assert.deepEqual(await next(events), { kind: "missed", count: 2 });
  const begins = ["recent=3", "last_event_id=c-1", "last_event_id=c-2"];
  assert.deepEqual(
    paths,
    begins.map((begin) => `/events?query=q&${begin}`),
  );
  await events.return();
});

test("failures and changes of workers are events too", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.worker("w1", ...QUICK);
  await coordinator.waitFor(1);
  await coordinator.client.ask("q");
  await assert.rejects(coordinator.client.ask("q", { id: "failed", min_responses: 2 }), quorate.InsufficientResponses);
  const events = coordinator.client.follow(undefined, { recent: 100 });
  const changed = await next(events);
  assert(changed.kind === "worker");
  assert.deepEqual([changed.worker.worker_id, changed.worker.state], ["w1", "live"]);
  assert.equal((await next(events)).kind, "answered");
  const failed = await next(events);
  assert(failed.kind === "failed" && failed.error instanceof quorate.InsufficientResponses);
  assert.deepEqual([failed.query, failed.error.evidence?.request_id], ["q", "failed"]);
  await events.return();
});

test("a follower ends when its caller wishes", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  const stop = new AbortController();
  const following = coordinator.client.follow("q", { signal: stop.signal }).next();
  const wish = new Error("no longer wanted");
  stop.abort(wish);
  await assert.rejects(following, (error) => error === wish);
});
