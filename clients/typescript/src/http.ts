// Requests to a coordinator, bounded in time and size.
import { errorOf, InvalidResponse, QuorateError, TimedOut, Unreachable } from "./errors.js";
import { parse } from "./json.js";

/** The longest body and the longest event that is read, in characters. The evidence of a thousand workers fits. */
export const MAX_LENGTH = 16 * 2 ** 20;
/** What a proxy answers while it cannot reach the coordinator. */
const OF_A_PROXY = [502, 503, 504];

/** The address of a coordinator without a slash at its end. */
export function base(url: string | URL): string {
  const parsed = new URL(url);
  if (!["http:", "https:"].includes(parsed.protocol)) {
    throw new TypeError(`${url} is not the address of a coordinator, such as http://localhost:8080`);
  }
  return parsed.href.replace(/\/+$/, "");
}

/** A signal that ends what it is given to when the caller's does, or when nothing has happened for some time. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(timeoutMs: number, caller?: AbortSignal) {
    this.#caller = caller;
    caller?.addEventListener("abort", this.#abort);
    if (caller?.aborted) this.#abort();
    this.renew(timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has happened: the next thing may take so long. */
  renew(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller.abort();
    }, timeoutMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#abort);
    this.#controller.abort();
  }

  /** What an error means that came while waiting. The caller's own wish to stop is passed on. */
  explain(error: unknown, url: string): unknown {
    if (this.#caller?.aborted) return this.#caller.reason;
    if (this.#isOver) return new TimedOut(`${url} did not answer in time`, { cause: error });
    const why = error instanceof Error ? (error.cause instanceof Error ? error.cause : error).message : String(error);
    return new Unreachable(`${url} cannot be reached: ${why}`, { cause: error });
  }

  readonly #abort = () => this.#controller.abort();
}

/** The pieces of a body as text. */
export async function* pieces(response: Response): AsyncGenerator<string, void> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      yield decoder.decode(piece.value, { stream: true });
    }
    yield decoder.decode();
  } finally {
    // A body that was not read to its end would keep its connection.
    await reader.cancel().catch(() => {});
  }
}

/** The whole body of a response as JSON. */
async function body(response: Response, what: string): Promise<unknown> {
  let text = "";
  for await (const piece of pieces(response)) {
    text += piece;
    if (text.length > MAX_LENGTH) throw new InvalidResponse(`${what}: the response is too long`);
  }
  try {
    return parse(text);
  } catch (error) {
    throw notUnderstood(response.status, what, error);
  }
}

/** The error of a response that is not what it should be. */
function notUnderstood(status: number, what: string, cause?: unknown): QuorateError {
  return OF_A_PROXY.includes(status)
    ? new Unreachable(`a proxy answered ${what} with ${status}`, { cause })
    : new InvalidResponse(`${what} was answered with ${status}, and not as a coordinator does`, { cause });
}

/** The error of a response with another status than 200. */
export async function failure(response: Response, what: string): Promise<QuorateError> {
  const error = errorOf(await body(response, what), response.status, response.headers.get("retry-after"));
  return error ?? notUnderstood(response.status, what);
}

/** A request. */
export interface Call<T> {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  readonly timeoutMs: number;
  /** What the answer is, unless it lacks what makes it one. */
  readonly read: (body: unknown) => T | undefined;
}

/** Sends a request, and reads the response. */
export async function send<T>(url: string, call: Call<T>, caller?: AbortSignal): Promise<T> {
  const what = `${call.method} ${call.path}`;
  const patience = new Patience(call.timeoutMs, caller);
  try {
    const response = await fetch(url + call.path, {
      method: call.method,
      signal: patience.signal,
      ...(call.body === undefined ? {} : { body: call.body, headers: { "content-type": "application/json" } }),
    });
    if (response.status !== 200) throw await failure(response, what);
    const read = call.read(await body(response, what));
    if (read === undefined) throw notUnderstood(response.status, what);
    return read;
  } catch (error) {
    throw error instanceof QuorateError ? error : patience.explain(error, url);
  } finally {
    patience.end();
  }
}
