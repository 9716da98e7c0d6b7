// The messages of a worker: tasks in, results and presence announcements out.
import { has } from "../json.js";
import { fields, type Observed } from "./observation.js";
import { MAX_QUERY_CHARACTERS } from "./offer.js";
import { isId, isPrintable } from "./text.js";

const DEFAULT_PREFIX = "oracle";
const MAX_PREFIX_CHARACTERS = 64;
const TOKEN = "[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?";
const PREFIX = new RegExp(`^${TOKEN}(\\.${TOKEN})*$`);
/** A token that would put the subjects of a deployment among the outcomes of another one. */
const RESERVED = "outcomes";
const MAX_MESSAGE_BYTES = 64 * 1024;
/** The time to live of a task that states none, and the longest that counts. */
const DEFAULT_TTL_MS = 30_000;
const LONGEST_TTL_MS = 600_000;

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The subjects of one deployment, which begin with its prefix, and the name of its service. Coordinators and workers
 * accept the same prefixes.
 */
export class Subjects {
  readonly tasks: string;
  readonly results: string;
  readonly presence: string;
  readonly service: string;

  constructor(prefix = DEFAULT_PREFIX) {
    if (prefix.length > MAX_PREFIX_CHARACTERS || !PREFIX.test(prefix)) {
      throw new RangeError(
        "expected tokens of letters, digits, - and _, joined by dots, each beginning and ending with a letter or digit, " +
          `such as staging or eu.staging; at most ${MAX_PREFIX_CHARACTERS} characters`,
      );
    }
    if (prefix.split(".").includes(RESERVED)) throw new RangeError(`no token may be ${RESERVED}`);
    this.tasks = `${prefix}.tasks`;
    this.results = `${prefix}.results`;
    this.presence = `${prefix}.workers`;
    const own = prefix === DEFAULT_PREFIX ? "" : `-${prefix.replaceAll("_", "__").replaceAll(".", "_")}`;
    this.service = `quorate-worker${own}`;
  }
}

/** One question of a coordinator. */
export interface Task {
  readonly id: string;
  readonly query: string;
  /** How long an answer can still count. */
  readonly ttlMs: number;
  /** Where the answer goes. */
  readonly reply: string;
  /** The trace that the task belongs to. */
  readonly traceparent: string | undefined;
}

/** The tasks of a message, to be answered on `reply`; none if it is malformed. */
export function decodeTasks(payload: Uint8Array, reply: string, traceparents: readonly string[]): Task[] {
  if (payload.length > MAX_MESSAGE_BYTES) return [];
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return [];
  }
  const [traceparent] = traceparents.filter((value) => TRACEPARENT.test(value));
  const task = taskOf(body, reply, traceparents.length === 1 ? traceparent : undefined);
  return task ? [task] : [];
}

function taskOf(body: unknown, reply: string, traceparent: string | undefined): Task | undefined {
  if (!has(body, "id", "query") || typeof body.id !== "string" || typeof body.query !== "string") return undefined;
  const { id, query } = body;
  if (!isId(id) || query === "" || [...query].length > MAX_QUERY_CHARACTERS || !isPrintable(query)) return undefined;
  // A worker must not rely on `ttl_ms`: what is no duration counts as absent.
  const ttl = has(body, "ttl_ms") && Number.isInteger(body.ttl_ms) ? (body.ttl_ms as number) : -1;
  return { id, query, ttlMs: ttl >= 0 ? Math.min(ttl, LONGEST_TTL_MS) : DEFAULT_TTL_MS, reply, traceparent };
}

/** A result that is sent so long after the function has returned. */
export function encodeResult(
  worker_id: string,
  request_id: string,
  observed: Observed,
  responseTimeMs: number,
  sinceMs: number,
): string {
  const response_time = Math.round(responseTimeMs * 1e6);
  const text = JSON.stringify({ worker_id, request_id, ...fields(observed, sinceMs), response_time });
  // The value is JSON already, so that it keeps its digits.
  return observed.value === undefined ? text : `${text.slice(0, -1)},"value":${observed.value}}`;
}
