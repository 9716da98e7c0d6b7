// The last rounds of one feed with the observations behind them: from its history, and then as they end.

import { approximate } from "./exact.js";
import { pointOf } from "./points.js";
import { got } from "./register.js";
import { EventStream } from "./stream.js";

const MAX_ROUNDS = 300;
// A page of the history is shorter than asked for if its records are long.
const MAX_PAGES = 12;

/** Dispatches `change` when rounds have come or gone. They are ordered by their numbers. */
export class Rounds extends EventTarget {
  #feeds;
  #name = null;
  #rounds = [];
  #stream = new EventStream("feeds/events");

  constructor(feeds) {
    super();
    this.#feeds = feeds;
    this.#stream.addEventListener("record", ({ detail }) => this.#add([detail]));
    this.#stream.addEventListener("state", ({ detail }) => {
      if (detail.state === "live") this.#catchUp(this.#name);
    });
  }

  /** Follows the feed of this name; null for none. */
  show(name) {
    this.close();
    this.#name = name;
    this.#rounds = [];
    this.#stream.want({ feed: name });
    this.open();
    this.dispatchEvent(new Event("change"));
  }

  /** Follows on, if a feed is shown. */
  open() {
    if (this.#name !== null && this.#feeds.named(this.#name) !== undefined) this.#stream.open();
  }

  close() {
    this.#stream.close();
  }

  all() {
    return this.#rounds;
  }

  /** Reads what has ended before the stream was open. */
  async #catchUp(name) {
    const newest = Number(this.#feeds.named(name)?.newest_round ?? 0);
    let next = Math.max(1, newest - MAX_ROUNDS + 1, (this.#rounds.at(-1)?.number ?? 0) + 1);
    try {
      for (let page = 0; next !== null && page < MAX_PAGES; page += 1) {
        const body = await got(`feeds/${encodeURIComponent(name)}/history?from=${next}&limit=${MAX_ROUNDS}`);
        if (this.#name !== name) return;
        this.#add(body.reports);
        next = body.next;
      }
    } catch {
      // Without its history, a feed is shown from now on.
    }
  }

  #add(records) {
    const known = new Set(this.#rounds.map(({ number }) => number));
    const added = records.map(roundOf).filter(({ number }) => !known.has(number));
    if (added.length === 0) return;
    this.#rounds = [...this.#rounds, ...added].sort((one, other) => one.number - other.number).slice(-MAX_ROUNDS);
    this.dispatchEvent(new Event("change"));
  }
}

/** A round, as the chart takes it. Evidence that was too long to be stored is missing. */
function roundOf(record) {
  const { feed, status, value, answered_at } = record;
  const body = record.outcome ?? { query: feed, status, final_value: value, answered_at, ...(value === null ? { error: status } : {}) };
  return { body, record, number: Number(record.round), at: Date.parse(answered_at) };
}

/**
 * The point of a round. Only reports belong to the line: `aside` is the height of the answer of a round that was not
 * reported, if it has one.
 */
export function pointOfRound(round) {
  const point = pointOf(round);
  const { reason, value } = round.record;
  const name = `Round ${round.number}, ${reason === null ? "not reported" : `reported (${reason})`}`;
  if (reason === null) return { ...point, name, y: null, aside: point.y };
  return { ...point, name, y: approximate(value) };
}
