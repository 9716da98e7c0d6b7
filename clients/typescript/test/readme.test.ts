// The examples of the README, as they are written there. The test that runs this has put them beside it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Cluster, until } from "./cluster.js";

test("every example does what the README says", async (t) => {
  const cluster = await Cluster.start(t);
  const coordinator = await cluster.coordinator();
  const example = (number: number, untilItWrites?: RegExp) => {
    const code = readFileSync(join(import.meta.dirname, `example_${number}.js`), "utf8");
    const path = join(import.meta.dirname, `example_${number}.here.js`);
    const here = code.replace("http://localhost:8080", coordinator.url);
    writeFileSync(path, here.replace("nats://localhost:4222", cluster.natsUrl));
    return cluster.program(process.execPath, [path], untilItWrites);
  };
  const [price, ask, follow, work] = [0, 1, 2, 3];

  const worker = await example(work);
  await coordinator.waitFor(1);
  assert.equal((await coordinator.client.queries())[0]?.query, "BTC/USD");
  await example(price, /^42000\.5\n/);
  await example(ask, /^42000\.5 complete All workers responded successfully/);
  const following = await example(follow);
  await until("the follower to hear of an answer", async () => {
    await coordinator.client.ask("BTC/USD");
    return following.written.includes("42000.5 complete\n");
  });
  await worker.kill();
  await example(ask, /no answer: /);
});
