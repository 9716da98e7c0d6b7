// The messages of a worker: tasks in, results and presence announcements out.
import { has } from "../json.js";
import { fields, type Observed } from "./observation.js";
import { MAX_QUERY_CHARACTERS } from "./offer.js";
import { bytes, isId, isPrintable } from "./text.js";

const DEFAULT_PREFIX = "oracle";
const MAX_PREFIX_CHARACTERS = 64;
const TOKEN = "[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?";
const PREFIX = new RegExp(`^${TOKEN}(\\.${TOKEN})*$`);
/** A token that would put the subjects of a deployment among the outcomes of another one. */
const RESERVED = "outcomes";
const MAX_MESSAGE_BYTES = 64 * 1024;
/** The most elements of a pack that are read, or sent. */
const MAX_PACKED = 1024;
/** The time to live of a task that states none, and the longest that counts. */
const DEFAULT_TTL_MS = 30_000;
const LONGEST_TTL_MS = 600_000;

/** The number of a task. It is repeated and never computed with. */
const NUMBER = /^[0-9]{1,20}$/;
/** A subject that NATS takes. One with a space or the end of a line would be a command of its own. */
const SUBJECT = /^[!-~]{1,1024}$/;
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The subjects of one deployment, which begin with its prefix, and the name of its service. Coordinators and workers
 * accept the same prefixes.
 */
export class Subjects {
  readonly tasks: string;
  readonly packs: string;
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
    this.packs = `${prefix}.tasks.packed`;
    this.results = `${prefix}.results`;
    this.presence = `${prefix}.workers`;
    const own = prefix === DEFAULT_PREFIX ? "" : `-${prefix.replaceAll("_", "__").replaceAll(".", "_")}`;
    this.service = `quorate-worker${own}`;
  }
}

/** Where an answer goes. */
export interface ReplyTo {
  readonly subject: string;
  /** In an answer that goes there in a pack, with others: the number of the task, which it repeats. */
  readonly packed?: { readonly task: string | undefined };
}

/** One question of a coordinator. */
export interface Task {
  readonly id: string;
  readonly query: string;
  /** How long an answer can still count. */
  readonly ttlMs: number;
  readonly reply: ReplyTo;
  /** The trace that the task belongs to. */
  readonly traceparent: string | undefined;
}

/** The tasks of a message. */
export interface Tasks {
  readonly tasks: readonly Task[];
  /** How many are lost, because they cannot be read or are too many. A message that cannot be read counts as one. */
  readonly malformed: number;
}

const NONE: Tasks = { tasks: [], malformed: 1 };

/** The task of a message, to be answered on `subject`. */
export function decodeTask(payload: Uint8Array, subject: string, traceparents: readonly string[]): Tasks {
  const [traceparent] = traceparents;
  const isOne = traceparents.length === 1;
  const task = taskOf(parse(payload), { subject }, isOne ? matching(traceparent, TRACEPARENT) : undefined);
  return task ? { tasks: [task], malformed: 0 } : NONE;
}

/**
 * The tasks of a pack. They are to be answered on the subject that the pack names, or else on `reply`, or else each by
 * itself on the shared subject.
 */
export function decodePack(payload: Uint8Array, reply: string, shared: string): Tasks {
  const body = parse(payload);
  if (!has(body, "tasks") || !Array.isArray(body.tasks)) return NONE;
  const subject = (has(body, "reply") ? body.reply : undefined) ?? reply;
  if (typeof subject !== "string" || (subject !== "" && !SUBJECT.test(subject))) return NONE;
  const elements: unknown[] = body.tasks;
  const tasks = elements.slice(0, MAX_PACKED).flatMap((element) => {
    const number = has(element, "task") ? matching(element.task, NUMBER) : undefined;
    const to = subject === "" ? { subject: shared } : { subject, packed: { task: number } };
    const trace = has(element, "traceparent") ? matching(element.traceparent, TRACEPARENT) : undefined;
    return taskOf(element, to, trace) ?? [];
  });
  return { tasks, malformed: elements.length - tasks.length };
}

/** A message as JSON; undefined if it is none, or too long. */
function parse(payload: Uint8Array): unknown {
  if (payload.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
}

/** A text of this form. Anything else counts as absent. */
function matching(value: unknown, form: RegExp): string | undefined {
  return typeof value === "string" && form.test(value) ? value : undefined;
}

function taskOf(body: unknown, reply: ReplyTo, traceparent: string | undefined): Task | undefined {
  if (!has(body, "id", "query") || typeof body.id !== "string" || typeof body.query !== "string") return undefined;
  const { id, query } = body;
  if (!isId(id) || query === "" || [...query].length > MAX_QUERY_CHARACTERS || !isPrintable(query)) return undefined;
  // A worker must not rely on `ttl_ms`: what is no duration counts as absent.
  const ttl = has(body, "ttl_ms") && Number.isInteger(body.ttl_ms) ? (body.ttl_ms as number) : -1;
  return { id, query, ttlMs: ttl >= 0 ? Math.min(ttl, LONGEST_TTL_MS) : DEFAULT_TTL_MS, reply, traceparent };
}

/** The fields that an element of a pack has besides those of a message of its own. */
interface Extra {
  readonly task: string | undefined;
  readonly traceparent: string | undefined;
}

/** A result that is sent so long after the function has returned. */
export function encodeResult(
  worker_id: string,
  request_id: string,
  observed: Observed,
  responseTimeMs: number,
  sinceMs: number,
  extra?: Extra,
): string {
  const response_time = Math.round(responseTimeMs * 1e6);
  const text = JSON.stringify({ worker_id, request_id, ...fields(observed, sinceMs), response_time, ...extra });
  // The value is JSON already, so that it keeps its digits.
  return observed.value === undefined ? text : `${text.slice(0, -1)},"value":${observed.value}}`;
}

/** Puts results into as few packs as their bounds allow. Yields each with the number of its results. */
export function* encodePacks(results: readonly string[]): Generator<{ body: string; count: number }> {
  const [begin, end] = ['{"results":[', "]}"];
  let packed: string[] = [];
  let size = 0;
  const pack = () => ({ body: begin + packed.join(",") + end, count: packed.length });
  for (const result of results) {
    // With the comma before it, or with the begin and the end of the pack.
    const more = bytes(result) + 1;
    if (packed.length === MAX_PACKED || (packed.length > 0 && size + more > MAX_MESSAGE_BYTES)) {
      yield pack();
      packed = [];
    }
    if (packed.length === 0) size = begin.length + end.length - 1;
    size += more;
    packed.push(result);
  }
  if (packed.length > 0) yield pack();
}
