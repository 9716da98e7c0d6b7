// The page of one feed: its last report, and how it is kept fresh. The chart shows its rounds.

import { byId, element, renew } from "./dom.js";
import { shown } from "./exact.js";
import { ageOf, freshnessBadge, lastRound } from "./feeds.js";
import { milliseconds } from "./format.js";
import { link } from "./links.js";
import { percent, readable } from "./rounded.js";
import { showValue } from "./value.js";

/** Shows one feed. */
export class FeedCard {
  #feeds;
  #name = null;
  #exact = null;

  constructor(feeds) {
    this.#feeds = feeds;
    feeds.addEventListener("change", () => this.#draw());
  }

  /** Shows the feed of this name; null for none. */
  show(name) {
    this.#name = name;
    this.#draw();
  }

  #draw() {
    if (this.#name === null) return;
    const feed = this.#feeds.named(this.#name);
    byId("feed-known").hidden = feed === undefined;
    byId("feed-unknown").hidden = feed !== undefined;
    if (feed === undefined) return;
    const exact = feed.round === null ? "No report yet" : shown(feed.value);
    // A value that stands keeps the choice of its digits.
    if (exact !== this.#exact) showValue(byId("feed-value"), { text: readable(exact), exact });
    this.#exact = exact;
    renew(byId("feed-state"), freshnessBadge(feed));
    renew(byId("feed-facts"), ...facts(feed).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  }
}

/** What is known of a feed, by name. */
function facts(feed) {
  const span = (ms) => milliseconds(Number(ms));
  return [
    ["Query", link("query", feed.query)],
    ["Last report", feed.round === null ? "–" : `round ${feed.round}, ${ageOf(feed)}`],
    ["Last round", feed.newest_round === null ? "–" : element("span", {}, `${feed.newest_round} `, lastRound(feed))],
    ["Stale after", span(feed.max_staleness_ms)],
    ["Heartbeat", span(feed.heartbeat_ms)],
    ["Reported earlier at", feed.deviation === null ? "never" : deviationOf(feed.deviation)],
    ["A round every", span(feed.min_interval_ms)],
  ];
}

/** The deviation at which a feed is reported before its heartbeat. */
function deviationOf(share) {
  const value = Number(share) * 100;
  return value >= 1 ? `a change of ${percent(share)}` : `a change of ${Number(value.toPrecision(3))} %`;
}
