// A NATS server, coordinators and workers for one test: processes, ended with it.
//
// `QUORATE_BIN` names the folder of the built programs, `NATS_SERVER` the NATS server.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTo, createServer, type Socket, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "quorate";

/** How long a test waits for something that must happen. */
export const PATIENCE_MS = 30_000;

/** A simulated source that is fast and never fails. */
export const QUICK = ["--delay-min-ms", "1", "--delay-max-ms", "5", "--failure-rate", "0"];
/** One that answers after longer than any test takes. */
export const STUCK = ["--delay-min-ms", "50000", "--delay-max-ms", "50000", "--failure-rate", "0"];

/** Waits for something that is true, checking again and again. */
export async function until<T>(what: string, found: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const result = await found();
    if (result) return result;
    assert(performance.now() < deadline, `timed out waiting for ${what}`);
    await pause(20);
  }
}

function variable(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

export const binary = (name: string) => join(variable("QUORATE_BIN"), name);

/** A running process. What it writes is kept. */
export class Program {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  written = "";

  constructor(program: string, args: readonly string[], variables: Record<string, string> = {}) {
    this.#process = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...variables } });
    this.#ended = once(this.#process, "close");
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.written += text));
    }
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Waits until it has written what the pattern matches. */
  writes(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`${pattern} in: ${this.written}`, () => {
      const hasEnded = this.#hasEnded;
      const match = pattern.exec(this.written);
      assert(match || !hasEnded, `it has ended: ${this.written}`);
      return match;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until it ends by itself, and returns its exit code or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    const late = new AbortController();
    await Promise.race([this.#ended, pause(PATIENCE_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    assert(this.#hasEnded, `it does not end: ${this.written}`);
    return this.#process.exitCode ?? this.#process.signalCode;
  }

  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** Tells it to stop, and checks that it does so without an error. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    assert.equal(await this.ended(), 0, this.written);
  }
}

/** A port on which nothing listens, below those that the system gives away. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 8_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    await new Promise((resolve) => probe.close(resolve));
    if (isFree) return port;
  }
}

/** Everything that a test starts. Ended with it. */
export class Cluster {
  readonly #test: TestContext;
  readonly natsUrl: string;
  readonly #port: number;
  #nats: Program | undefined;

  private constructor(test: TestContext, port: number) {
    this.#test = test;
    this.#port = port;
    this.natsUrl = `nats://127.0.0.1:${port}`;
  }

  static async start(test: TestContext): Promise<Cluster> {
    const cluster = new Cluster(test, await freePort());
    await cluster.startNats();
    return cluster;
  }

  /** Starts the NATS server, on the same port as before if it was killed. */
  async startNats(...flags: string[]): Promise<void> {
    const args = ["--addr", "127.0.0.1", "--port", String(this.#port), ...flags];
    this.#nats = await this.program(variable("NATS_SERVER"), args, /Server is ready/);
  }

  async killNats(): Promise<void> {
    await this.#nats?.kill();
  }

  /** Restarts the NATS server with this configuration. */
  async configureNats(config: string): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "quorate-nats-"));
    this.#test.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "nats.conf");
    writeFileSync(path, config);
    await this.killNats();
    await this.startNats("--config", path);
  }

  async program(
    program: string,
    args: readonly string[],
    untilItWrites?: RegExp,
    variables?: Record<string, string>,
  ): Promise<Program> {
    const started = new Program(program, args, variables);
    this.#test.after(() => started.kill());
    if (untilItWrites) await started.writes(untilItWrites);
    return started;
  }

  /** A worker with a simulated source. */
  worker(name: string, ...flags: string[]): Promise<Program> {
    const args = ["--nats", this.natsUrl, "--id", name, ...flags];
    return this.program(binary("worker"), args, /the bus is connected/);
  }

  /** A worker in JavaScript. */
  script(path: string, name: string, ...args: string[]): Promise<Program> {
    return this.scriptAt(this.natsUrl, path, name, ...args);
  }

  /** The same, with another way to NATS. */
  scriptAt(natsUrl: string, path: string, name: string, ...args: string[]): Promise<Program> {
    return this.program(process.execPath, [path, name, ...args], undefined, { NATS_URL: natsUrl });
  }

  async coordinator(...flags: string[]): Promise<Coordinator> {
    const coordinator = new Coordinator(this, flags);
    await coordinator.start("127.0.0.1:0");
    return coordinator;
  }
}

/** A coordinator that can be restarted on its address, with a client of it. */
export class Coordinator {
  address = "";
  url = "";
  client = new Client();
  program!: Program;

  constructor(
    readonly cluster: Cluster,
    readonly flags: readonly string[],
  ) {}

  async start(listen: string): Promise<void> {
    const args = ["--nats", this.cluster.natsUrl, "--listen", listen, ...this.flags];
    const unlimited = { QUORATE_RATE_LIMIT: "0", QUORATE_READ_RATE_LIMIT: "0" };
    // It listens before it is connected.
    this.program = await this.cluster.program(binary("coordinator"), args, /the bus is connected/, unlimited);
    const [, address] = await this.program.writes(/the coordinator listens address=(\S+)/);
    this.address = address ?? "";
    this.url = `http://${this.address}`;
    this.client = new Client(this.url);
  }

  /** Kills it, and starts another process on its address. */
  async restart(): Promise<void> {
    await this.program.kill();
    await this.start(this.address);
  }

  async waitFor(count: number, state = "live"): Promise<void> {
    await until(`${count} ${state} workers`, async () => {
      const { workers } = await this.client.workers();
      return workers.filter((worker) => worker.state === state).length === count;
    });
  }

  async waitForInFlight(count: number): Promise<void> {
    await until(`${count} requests in flight`, async () => (await this.client.workers()).in_flight === count);
  }
}

/** Passes connections on to an address until they are cut. */
export class Relay {
  readonly #open = new Set<Socket>();
  /** What is held back, by where it goes; nothing unless something is. */
  #held: Map<Socket, Buffer[]> | undefined;
  address = "";

  static async to(test: TestContext, address: string): Promise<Relay> {
    const relay = new Relay();
    const [host = "", port = ""] = address.split(":");
    const server = createServer((here) => {
      const there = connectTo(Number(port), host);
      for (const socket of [here, there]) relay.#open.add(socket);
      there.pipe(here);
      here.on("data", (piece) => relay.#pass(piece, there)).on("end", () => there.end());
      here.on("error", () => there.destroy()).on("close", () => there.destroy());
      there.on("error", () => here.destroy()).on("close", () => here.destroy());
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    relay.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    test.after(() => {
      relay.cut();
      server.close();
    });
    return relay;
  }

  #pass(piece: Buffer, there: Socket): void {
    if (!this.#held) there.write(piece);
    else this.#held.set(there, [...(this.#held.get(there) ?? []), piece]);
  }

  /** Holds back from now on what comes from those who connect here. */
  hold(): void {
    this.#held = new Map();
  }

  /** What is held back. */
  get held(): string {
    return Buffer.concat([...(this.#held?.values() ?? [])].flat()).toString();
  }

  /** Passes on what was held back, and all that follows. */
  release(): void {
    for (const [there, pieces] of this.#held ?? []) there.write(Buffer.concat(pieces));
    this.#held = undefined;
  }

  /** Breaks off every open connection. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }
}
