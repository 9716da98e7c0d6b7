// A worker as a NATS service: its replies to `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, as ADR-32 of NATS has them.
//
// The framework of @nats-io/services is not used: its metadata cannot change, so that it could not tell that the worker
// drains, and it would be a second dependency.
import { VERSION } from "../version.js";
import type { Observed } from "./observation.js";
import { cut } from "./text.js";
import type { Subjects } from "./wire.js";

const MAX_LAST_ERROR_BYTES = 256;

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export type State = "live" | "draining" | "left";

/** What a worker has done since its start. Times are in nanoseconds. */
export class Counters {
  received = 0;
  succeeded = 0;
  failed = 0;
  refused = 0;
  processingTime = 0;
  lastError = "";
  /** What it has ignored or lost. */
  readonly losses = {
    tasks_malformed: 0,
    tasks_unoffered: 0,
    tasks_expired: 0,
    tasks_dropped: 0,
    results_unsent: 0,
    functions_overdue: 0,
  };

  /** Counts an answer. */
  count(observed: Observed, responseTimeMs: number): void {
    this.processingTime += Math.round(responseTimeMs * 1e6);
    if (observed.err === undefined) this.succeeded += 1;
    else {
      this.failed += 1;
      this.lastError = cut(observed.err, MAX_LAST_ERROR_BYTES);
    }
  }
}

/** Who a worker is, in one run of one process. */
export class Identity {
  readonly instance = hex(crypto.getRandomValues(new Uint8Array(16)));
  readonly started = new Date();

  constructor(
    readonly workerId: string,
    readonly replicated: boolean,
    readonly queries: readonly string[],
    readonly subjects: Subjects,
  ) {}

  /** The group that replicas share, so that one of them receives each task. */
  get queueGroup(): string {
    if (!this.replicated) return "";
    return `quorate-worker-${hex(new TextEncoder().encode(this.workerId))}`;
  }

  presence(state: State, packs: boolean): string {
    const { workerId: worker_id, instance, replicated, queries } = this;
    return JSON.stringify({ worker_id, state, instance, version: VERSION, replicated, packs, queries });
  }
}

/** The reply to a request to the service; nothing if there is no such request. */
export function reply(
  verb: string,
  identity: Identity,
  state: State,
  packs: boolean,
  counters: Counters,
): string | undefined {
  const standard = {
    type: `io.nats.micro.v1.${verb.toLowerCase()}_response`,
    name: identity.subjects.service,
    id: identity.instance,
    version: VERSION,
    metadata: {
      worker_id: identity.workerId,
      replicated: String(identity.replicated),
      state,
      queries: JSON.stringify(identity.queries),
      ...(packs ? { packs: "true" } : {}),
    },
  };
  const endpoint = { name: "tasks", subject: identity.subjects.tasks, queue_group: identity.queueGroup };
  switch (verb) {
    case "PING":
      return JSON.stringify(standard);
    case "INFO": {
      const description = "A worker that answers the tasks of Quorate's coordinators";
      return JSON.stringify({ ...standard, description, endpoints: [{ ...endpoint, metadata: {} }] });
    }
    case "STATS": {
      const answered = counters.succeeded + counters.failed;
      const stats = {
        ...endpoint,
        num_requests: counters.received,
        num_errors: counters.failed + counters.refused,
        last_error: counters.lastError,
        processing_time: counters.processingTime,
        average_processing_time: answered > 0 ? Math.floor(counters.processingTime / answered) : 0,
        data: counters.losses,
      };
      const started = identity.started.toISOString().replace(/\.\d+Z$/, "Z");
      return JSON.stringify({ ...standard, started, endpoints: [stats] });
    }
    default:
      return undefined;
  }
}
