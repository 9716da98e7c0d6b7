// The connection of a worker to NATS: how it is made and kept, what is said of its faults, and when it is given up.
import {
  AuthorizationError,
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  PermissionViolationError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { QuorateError } from "../errors.js";
import { within } from "./time.js";

const RECONNECT_EVERY_MS = 1_000;
/**
 * How long NATS must refuse the credentials until the worker ends. A service that authorizes the clients of a server may
 * start after the server.
 */
export const REFUSED_FOR_MS = 5_000;
/** How many denied subjects are remembered, so that each is told once. */
const MAX_DENIED = 1_000;

/** What a worker has to say: an error ends it, warnings are for its operator. */
export type Log = (level: "error" | "warning" | "info" | "debug", message: string) => void;

/**
 * NATS has refused the worker's credentials for some seconds, or the connection was closed for good; `cause` says why.
 * Correct the credentials or the options of the connection, then start the worker again. A server that is merely away
 * does not cause this error.
 */
export class NatsClosed extends QuorateError {}

/** A refusal of the credentials. NATS also counts a handshake that took too long as one, but that may pass. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UserAuthenticationExpiredError) return true;
  return error instanceof AuthorizationError && !/timeout/i.test(error.message);
}

/** What is said of faults: an outage is told once, and a denied permission once for each subject. */
export class Faults {
  readonly #log: Log;
  #isToldAway = false;
  readonly #denied = new Set<string>();
  #refusedSinceMs: number | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** There is a connection: a fault after this is another one. */
  clear(): void {
    this.#isToldAway = false;
    this.#denied.clear();
    this.#refusedSinceMs = undefined;
  }

  /** Tells of a fault. Returns whether NATS has refused the credentials for so long that the worker should end. */
  note(fault: unknown, nowMs: number): boolean {
    const error = fault instanceof AggregateError && fault.errors.length > 0 ? (fault.errors[0] as unknown) : fault;
    const message = `NATS: ${error instanceof Error ? error.message : String(error)}`;
    if (error instanceof PermissionViolationError) {
      this.#deny(error, message);
      return false;
    }
    if (isRefusal(error)) {
      this.#log(this.#refusedSinceMs === undefined ? "info" : "debug", message);
      this.#refusedSinceMs ??= nowMs;
      return nowMs - this.#refusedSinceMs >= REFUSED_FOR_MS;
    }
    // A server that is away is tried again every second.
    this.#log(this.#isToldAway ? "debug" : "warning", message);
    this.#isToldAway = true;
    return false;
  }

  /** Tells of a denied permission. The subjects of replies differ in their last number, and count as one. */
  #deny({ operation, subject }: PermissionViolationError, message: string): void {
    const denied = `${operation} ${subject.replace(/\.\d+$/, ".*")}`;
    this.#log(this.#denied.has(denied) ? "debug" : "warning", message);
    if (this.#denied.size >= MAX_DENIED) this.#denied.clear();
    this.#denied.add(denied);
  }
}

/** A connection that is kept until it is closed. */
export class Connection {
  readonly nats: NatsConnection;
  /** Rejects with {@link NatsClosed} when there will be no connection any more. */
  readonly lost: Promise<never>;
  readonly #watched: Promise<void>;

  private constructor(nats: NatsConnection, faults: Faults, isPatient: boolean) {
    this.nats = nats;
    let refuse: (error: NatsClosed) => void = () => {};
    const refused = new Promise<never>((_, reject) => (refuse = reject));
    const closed = nats.closed().then((error) => {
      throw new NatsClosed(`NATS: the connection is closed for good: ${error?.message ?? "nobody says why"}`, {
        cause: error,
      });
    });
    this.lost = Promise.race([refused, closed]);
    // It is awaited only while the worker serves.
    this.lost.catch(() => {});
    this.#watched = this.#watch(faults, (error) => {
      if (!isPatient) refuse(refusal(error));
    });
  }

  /** Called when the connection was lost and is made again. */
  restored: () => void = () => {};

  /**
   * Tries until there is a connection; nothing if it is told to stop before.
   *
   * @throws NatsClosed if the credentials are refused.
   */
  static async open(
    options: NodeConnectionOptions,
    faults: Faults,
    stopped: Promise<void>,
    stop: AbortSignal,
  ): Promise<Connection | undefined> {
    const isPatient = options.ignoreAuthErrorAbort ?? false;
    while (!stop.aborted) {
      try {
        const nats = await connect({
          maxReconnectAttempts: -1,
          reconnectTimeWait: RECONNECT_EVERY_MS,
          timeout: 5_000,
          ...options,
          // Else the second refusal ever would close the connection, even if the first was long ago.
          ignoreAuthErrorAbort: true,
        });
        faults.clear();
        return new Connection(nats, faults, isPatient);
      } catch (error) {
        if (faults.note(error, performance.now()) && !isPatient) throw refusal(error);
        await within(RECONNECT_EVERY_MS, stopped);
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.nats.close();
    await this.#watched;
  }

  async #watch(faults: Faults, refused: (error: unknown) => void): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === "reconnect") {
        faults.clear();
        this.restored();
      } else if (status.type === "disconnect") faults.note("the connection is lost", performance.now());
      else if (status.type === "error" && faults.note(status.error, performance.now())) refused(status.error);
    }
  }
}

function refusal(error: unknown): NatsClosed {
  const why = error instanceof Error ? error.message : String(error);
  const advice = "correct them (the option nats), and start the worker again";
  return new NatsClosed(`NATS refuses the credentials: ${why}; ${advice}`, { cause: error });
}
