// A worker with one function of each kind, for worker.test.ts.
import { setTimeout as pause } from "node:timers/promises";
import { NatsClosed, Worker } from "quorate/worker";

const [name = "", places = "", prefix = "oracle"] = process.argv.slice(2);
const replicas = prefix !== "oracle";
const nats = JSON.parse(process.env["NATS_OPTIONS"] ?? "{}") as object;
const options = { maxConcurrent: Number(places), maxQueued: 0, subjectPrefix: prefix, replicas, nats };
const worker = new Worker(name, undefined, options);
let calls = 0;

worker
  .query("BTC/USD", async () => "42000.123456789012345678901234")
  .query("ETH/*", (query) => `text of ${query}`)
  .query("soon", async () => {
    for (let turn = 0; turn < 10; turn += 1) await undefined;
    return 1;
  })
  .query("long", () => "x".repeat(4096))
  .query("count", () => ++calls)
  .query("big", () => 2n ** 90n)
  .query("aged", () => ({ value: 1.5, ageMs: 7_000 }))
  .query("dated", async () => ({ value: 1.5, observedAt: new Date(Date.now() - 3_600_000) }))
  .query(["fails", "fails too"], async (query) => {
    throw new Error(`no ${query}`);
  })
  .query("nothing", () => undefined as never)
  .query("hangs", async (_, { signal }) => {
    await pause(50_000, undefined, { signal });
    return 1;
  })
  .query("ignores", async () => {
    await pause(50_000, undefined, { ref: false });
    return 1;
  })
  .query("slow", async () => {
    await pause(700);
    return 7;
  })
  .query("slower", async () => {
    await pause(3_000);
    return 7;
  });

try {
  await worker.run();
} catch (error) {
  if (!(error instanceof NatsClosed)) throw error;
  console.log(`ended by ${error.name}`);
  // The process ends by itself only if nothing is left of the worker.
  process.exitCode = 7;
}
