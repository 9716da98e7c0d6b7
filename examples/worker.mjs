// A Quorate worker in JavaScript, over NATS, for Node 18 and later. Needs: npm install @nats-io/transport-node
// Run: node examples/worker.mjs my-worker nats://localhost:4222
import { connect } from "@nats-io/transport-node";

// The value: a number or a string. Put your own source here; an exception becomes the worker's `err`.
async function observe(query) {
  const values = { "BTC/USD": 42000.5, "ETH/USD": "2500.10" };
  if (!Object.hasOwn(values, query)) throw new Error(`no source for ${query}`);
  return values[query];
}

const [worker_id = "node-1", url = process.env.NATS_URL ?? "nats://localhost:4222"] = process.argv.slice(2);
const connection = await connect({ servers: url.split(","), maxReconnectAttempts: -1 });
const tasks = connection.subscribe("oracle.tasks");
const announce = (state) => connection.publish("oracle.workers", JSON.stringify({ worker_id, state }));
const answers = new Map(); // Of the last minute: an announced worker repeats its answer to a redispatch.

async function answer(request_id, query) {
  const start = performance.now();
  const observed = await observe(query).then((value) => ({ value }), (error) => ({ err: String(error) }));
  const response_time = Math.round((performance.now() - start) * 1e6);
  return { worker_id, request_id, ...observed, response_time, read: performance.now() };
}

async function reply(message) {
  const { id, query } = message.json(), key = `${id}\n${query}`;
  if (!answers.has(key)) answers.set(key, answer(id, query)), setTimeout(() => answers.delete(key), 60_000).unref();
  const { read, ...result } = await answers.get(key), age = "value" in result && Math.floor(performance.now() - read);
  connection.publish(message.reply || "oracle.results", JSON.stringify({ ...result, age_ms: age || undefined }));
}

announce("live");
const announcing = setInterval(announce, 2_000, "live");
const stop = () => { clearInterval(announcing); announce("draining"); tasks.drain(); };
process.once("SIGINT", stop).once("SIGTERM", stop);
for await (const task of tasks) reply(task).catch(console.error); // Concurrently, until the worker is told to stop.
await Promise.all(answers.values());
announce("left");
await connection.drain();
