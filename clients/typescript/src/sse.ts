// Reads server-sent events from the text of a stream, as HTML's standard specifies.
//
// EventSource does the same, but tells neither the status of a refusal nor how long an event may be.

/**
 * An event. `id` is the last id that the stream has named, in this event or before it. Without `data` it is none, and
 * only says how far the stream has come.
 */
export interface ServerSentEvent {
  readonly id: string;
  readonly name: string;
  readonly data: string | undefined;
}

/** An event is longer than it may be. */
export class TooLong extends Error {}

/** Takes a stream in pieces of any length. */
export class Parser {
  /** The time to wait before a reconnection, if the stream names one. */
  retryMs: number | undefined;
  readonly #maxLength: number;
  #line = "";
  #isAfterReturn = false;
  #isAtStart = true;
  #id = "";
  #isIdNamed = false;
  #name = "";
  #data: string[] = [];
  #length = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** The events that end in this piece. */
  *feed(piece: string): Generator<ServerSentEvent, void> {
    if (piece === "") return;
    let text = this.#isAtStart && piece.startsWith("\ufeff") ? piece.slice(1) : piece;
    this.#isAtStart = false;
    if (this.#isAfterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#isAfterReturn = text.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      this.#grow(line.length);
      const event = this.#end(this.#line + line);
      this.#line = "";
      if (event) yield event;
    }
    this.#grow(rest.length);
    this.#line += rest;
  }

  #grow(length: number): void {
    this.#length += length;
    if (this.#length > this.#maxLength) throw new TooLong(`an event has more than ${this.#maxLength} characters`);
  }

  /** Handles the end of a line. An empty line ends an event. */
  #end(line: string): ServerSentEvent | undefined {
    if (line !== "") {
      this.#field(line);
      return undefined;
    }
    const data = this.#data.length > 0 ? this.#data.join("\n") : undefined;
    const event = { id: this.#id, name: this.#name || "message", data };
    const isTold = data !== undefined || this.#isIdNamed;
    this.#isIdNamed = false;
    this.#name = "";
    this.#data = [];
    this.#length = 0;
    return isTold ? event : undefined;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#name = value;
    else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
      this.#isIdNamed = true;
    } else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value.slice(0, 9));
    // A comment belongs to no event.
    else if (name === "") this.#length -= line.length;
  }
}
