// The feeds that the coordinator keeps fresh, polled while the page is visible, and their table. Without feeds there is
// neither: the coordinator is asked once.

import { badge, statusBadge } from "./badges.js";
import { byId, cell, element, say } from "./dom.js";
import { shown } from "./exact.js";
import { ago, milliseconds } from "./format.js";
import { clipped, link } from "./links.js";
import { got } from "./register.js";
import { readable } from "./rounded.js";
import { showRows } from "./rows.js";

const EVERY = 1500;
const MAX_ROWS = 200;

/** Dispatches `change` with the feeds, as `GET /feeds` has them, by name. */
export class Feeds extends EventTarget {
  #feeds = [];
  #timer = null;
  #asking = false;

  /** All feeds, by name. */
  all() {
    return this.#feeds;
  }

  /** The feed of this name. */
  named(name) {
    return this.#feeds.find((feed) => feed.name === name);
  }

  /** Refreshes now and, if there are feeds, regularly from then on. */
  async start() {
    this.stop();
    if (!this.#asking) {
      this.#asking = true;
      await this.#refresh();
      this.#asking = false;
    }
    clearTimeout(this.#timer);
    if (!document.hidden && this.#feeds.length > 0) this.#timer = setTimeout(() => this.start(), EVERY);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  async #refresh() {
    try {
      const { feeds } = await got("feeds");
      this.#feeds = feeds;
      this.dispatchEvent(new Event("change"));
    } catch {
      // The head of the page says that the coordinator is not reached.
    }
  }
}

/** Shows the table of feeds on the overview, if there are any. */
export class FeedTable {
  #feeds;
  #isWanted = false;

  constructor(feeds) {
    this.#feeds = feeds;
    feeds.addEventListener("change", () => this.#draw());
    byId("feeds-filter").addEventListener("input", () => this.#draw());
  }

  /** Shows the table, or not. */
  show(isWanted) {
    this.#isWanted = isWanted;
    this.#draw();
  }

  #draw() {
    const all = this.#feeds.all();
    byId("feeds-card").hidden = !this.#isWanted || all.length === 0;
    if (byId("feeds-card").hidden) return;
    const words = byId("feeds-filter").value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    const found = all.filter((feed) => words.every((word) => textOf(feed).includes(word)));
    const rows = found.slice(0, MAX_ROWS);
    showRows(byId("feeds"), rows, { keyOf: ({ name }) => name, markOf, make: row, empty });
    const stale = all.filter((feed) => feed.stale).length;
    const parts = [stale > 0 ? `${stale} of ${all.length} stale` : "", rows.length < all.length ? `${rows.length} shown` : ""];
    say(byId("feeds-note"), parts.filter((part) => part !== "").join(" · "));
  }
}

/** What the filter looks at. */
function textOf(feed) {
  return [feed.name, feed.query, freshness(feed), feed.newest_status ?? ""].join(" ").toLowerCase();
}

function freshness(feed) {
  if (feed.round === null) return "no report";
  return feed.stale ? "stale" : "fresh";
}

/** The number of rounds since the last report, which were not reported. */
function unreported(feed) {
  return Number(feed.newest_round ?? 0) - Number(feed.round ?? 0);
}

/** Whether the last report of a feed is fresh. */
export function freshnessBadge(feed) {
  return feed.stale ? badge("poor", "!", freshness(feed)) : badge("good", "●", freshness(feed));
}

/** How the last round of a feed ended, and how many were not reported since the last report. */
export function lastRound(feed) {
  const all = element("span", { class: "badges" });
  if (feed.newest_status !== null) all.append(statusBadge(feed.newest_status));
  if (unreported(feed) > 0) all.append(" ", badge("fair", "≠", `${unreported(feed)} not reported`));
  return all;
}

/** How old the last report of a feed is, in words. */
export function ageOf(feed) {
  return feed.age_ms === null ? "–" : ago(Number(feed.age_ms));
}

/** All that a row shows. */
function markOf(feed) {
  const { value, stale, heartbeat_ms: heartbeat, newest_round: newest, newest_status: status } = feed;
  return JSON.stringify([shown(value), stale, ageOf(feed), String(heartbeat), String(newest), status]);
}

function row(feed) {
  return element(
    "tr",
    { role: "row", "data-feed": feed.name, "data-state": freshness(feed) },
    element("th", { scope: "row", role: "rowheader" }, link("feed", feed.name)),
    cell("Freshness", element("span", { class: "badges" }, freshnessBadge(feed))),
    cell("Value", clipped(readable(feed.value), { title: shown(feed.value) }), { class: "digits" }),
    cell("Age", ageOf(feed), { class: "number" }),
    cell("Last round", lastRound(feed)),
    cell("Heartbeat", milliseconds(Number(feed.heartbeat_ms)), { class: "number" }),
  );
}

function empty() {
  return element("tr", { role: "row" }, element("td", { role: "cell", colspan: "6", class: "empty" }, "No feed matches the filter."));
}
