// Workers: programs that answer the tasks of coordinators over NATS. Needs `npm install @nats-io/transport-node`.
export { type Log, NatsClosed } from "./connection.js";
export type { Observation, Value } from "./observation.js";
export { type Context, Worker, type WorkerOptions } from "./worker.js";
