// Each kind of error, from a real coordinator where one can be brought to say it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import * as quorate from "quorate";
import { Client } from "quorate";
import { Cluster, QUICK, STUCK, until } from "./cluster.js";

/** Checks that a promise fails with an error of the coordinator, and returns it. */
async function refused<T extends quorate.ApiError>(
  kind: new (...args: never[]) => T,
  code: number,
  call: Promise<unknown>,
): Promise<T> {
  const error = await call.then(
    () => assert.fail(`${kind.name} was expected`),
    (error: unknown) => error,
  );
  assert(error instanceof kind, String(error));
  assert.deepEqual([error.code, error.name], [code, kind.name]);
  assert.equal(error.message, `${error.word} (${code}): ${error.details}`);
  return error;
}

test("mistakes of the caller", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  await cluster.worker("w1", "--queries", "BTC/USD", ...QUICK);
  await coordinator.waitFor(1);
  const { client } = coordinator;
  const invalid = await refused(quorate.InvalidRequest, 400, client.ask("BTC/USD", { timeout_ms: 0 }));
  assert.match(invalid.details, /timeout_ms/);
  assert.equal(invalid.evidence, undefined);
  await refused(quorate.NotFound, 404, new Client(`${coordinator.url}/elsewhere`).workers());
  const unknown = await refused(quorate.UnknownQuery, 404, client.ask("BTC/USDT"));
  assert.match(unknown.details, /did you mean BTC\/USD\?/);
  await client.ask("BTC/USD", { id: "used" });
  await refused(quorate.Conflict, 409, client.ask("ETH/USD", { id: "used" }));
  await refused(quorate.PayloadTooLarge, 413, client.ask("x".repeat(20_000)));
});

test("requests without an answer carry their evidence", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  const workers = [];
  for (const name of ["w1", "w2", "w3"]) workers.push(await cluster.worker(name, ...QUICK));
  await coordinator.waitFor(3);
  const { client } = coordinator;
  const few = await refused(quorate.InsufficientResponses, 422, client.ask("q", { min_responses: 4 }));
  assert.deepEqual(
    few.evidence?.worker_responses.map(({ worker_id }) => worker_id),
    ["w1", "w2", "w3"],
  );
  const strict = { tolerance: 0, min_agreement: 1, on_dispute: "reject" } as const;
  const disputed = await refused(quorate.Disputed, 409, client.ask("q", strict));
  assert.deepEqual([typeof disputed.evidence?.agreement, disputed.evidence?.succeeded], ["string", 3]);
  for (const worker of workers) worker.signal("SIGSTOP");
  const late = await refused(quorate.DeadlineExceeded, 504, client.ask("q", { timeout_ms: 100 }));
  assert.deepEqual(late.evidence?.missing, ["w1", "w2", "w3"]);
});

test("a coordinator that cannot serve says why", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator("--min-responses", "2", "--max-in-flight", "1");
  const { client } = coordinator;
  const nobody = await refused(quorate.NoWorkers, 503, client.ask("q"));
  assert.equal(nobody.retryAfterS, 1);
  await cluster.worker("w1", ...STUCK);
  await coordinator.waitFor(1);
  await refused(quorate.TooFewWorkers, 503, client.ready());
  const waiting = client.ask("q", { timeout_ms: 20_000 }).catch(() => {});
  await coordinator.waitForInFlight(1);
  await refused(quorate.Overloaded, 503, client.ask("another"));
  coordinator.program.signal("SIGTERM");
  await until("the coordinator to drain", () =>
    client.ready().then(
      () => false,
      (error: unknown) => error instanceof quorate.Draining,
    ),
  );
  const draining = await refused(quorate.Draining, 503, client.ask("another"));
  assert.equal(draining.retryAfterS, undefined);
  await coordinator.program.kill();
  await waiting;

  const other = await cluster.coordinator();
  await other.waitFor(1);
  await cluster.killNats();
  await until("the loss of NATS to be noticed", () =>
    other.client.ask("q", { timeout_ms: 100 }).then(
      () => false,
      (error: unknown) => error instanceof quorate.BusDown,
    ),
  );
});

test("a client that asks too often is told when to come back", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator("--rate-limit", "1", "--rate-burst", "1");
  await assert.rejects(coordinator.client.ask("q"), quorate.NoWorkers);
  const error = await refused(quorate.RateLimited, 429, coordinator.client.ask("q"));
  assert.equal(error.retryAfterS, 1);
});

test("what is no coordinator is told from one that is away", async (t) => {
  const other = createServer((request, response) => {
    const [, status = ""] = /^\/(\w+)/.exec(request.url ?? "") ?? [];
    if (status === "silent") return;
    const body: Record<string, string> = {
      long: "x".repeat(17 * 2 ** 20),
      deep: "[".repeat(1_000_000),
      open: '"' + '\\"'.repeat(100_000),
      other: '{"a": 1}',
      word: '{"error": "new_word", "details": "later"}',
    };
    response.statusCode = /^\d+$/.test(status) ? Number(status) : status === "word" ? 418 : 200;
    if (status === "broken") response.setHeader("content-length", "100");
    response.end(body[status] ?? "<html>");
    if (status === "broken") response.destroy();
  });
  await once(other.listen(0, "127.0.0.1"), "listening");
  t.after(() => other.closeAllConnections());
  t.after(() => other.close());
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  for (const path of ["html", "404", "500", "long", "deep", "open", "other"]) {
    await assert.rejects(new Client(`${url}/${path}`).workers(), quorate.InvalidResponse, path);
    await assert.rejects(new Client(`${url}/${path}`).follow().next(), quorate.InvalidResponse, path);
  }
  for (const path of ["502", "broken"]) {
    await assert.rejects(new Client(`${url}/${path}`).workers(), quorate.Unreachable, path);
  }
  const later = await refused(quorate.ApiError, 418, new Client(`${url}/word`).workers());
  assert.equal(later.word, "new_word");
  await assert.rejects(new Client(`${url}/silent`, { timeoutMs: 100 }).workers(), quorate.TimedOut);

  const away = new Client("http://127.0.0.1:9");
  await assert.rejects(away.ask("q"), quorate.Unreachable);
  await assert.rejects(away.follow().next(), quorate.Unreachable);
});
