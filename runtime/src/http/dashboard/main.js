// The page: connects its parts, and shows those that the address asks for.

import { asking } from "./ask.js";
import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { byId, element, say } from "./dom.js";
import { FeedCard } from "./feed.js";
import { Feeds, FeedTable } from "./feeds.js";
import { Outcomes } from "./outcomes.js";
import { MAX_OUTCOMES, Past } from "./past.js";
import { Register } from "./register.js";
import { RequestCard } from "./request.js";
import { Rounds } from "./rounds.js";
import { EventStream } from "./stream.js";
import { isKeptInPaths, View } from "./view.js";
import { WorkerCard } from "./worker.js";
import { Workers } from "./workers.js";

// How many of the last events a page asks for that is not about one query.
const RECENT = 256;
const TITLES = { overview: "Overview", query: "Query", worker: "Worker", request: "Request", feed: "Feed" };

const stream = new EventStream();
const register = new Register();
const past = new Past();
const view = new View();
new Connection(stream, register);
new Workers(register);
const outcomes = new Outcomes(past);
const feeds = new Feeds();
const table = new FeedTable(feeds);
const feed = new FeedCard(feeds);
const rounds = new Rounds(feeds);
const chart = new Chart(past, rounds);
const worker = new WorkerCard(register);
const request = new RequestCard(past);

stream.addEventListener("outcome", ({ detail }) => {
  past.add(detail);
  suggest(detail.query);
});
stream.addEventListener("worker", () => register.start());
stream.addEventListener("missed", ({ detail }) => outcomes.missed(detail.count));

asking(byId("ask-form"), stream, (query) => register.offering(query));

/** Suggests a query that was asked before. */
function suggest(query) {
  const list = byId("queries");
  const known = [...list.children].some((option) => option.value === query);
  if (!known && list.children.length < 50) list.append(element("option", { value: query }));
}

/** Shows the page that the address names. */
function show({ kind, key }) {
  document.documentElement.dataset.page = kind;
  document.title = kind === "overview" ? "Quorate" : `${key} · Quorate`;
  for (const part of document.querySelectorAll("[data-on]")) part.hidden = !part.dataset.on.split(" ").includes(kind);
  say(byId("page-kind"), TITLES[kind]);
  say(byId("page-name"), key);
  if (kind === "query") byId("query").value = key;
  const isOfQuery = kind === "query";
  past.clear();
  // A request that has no route of its own is looked for among all events.
  const isSought = kind === "request" && !isKeptInPaths(key);
  stream.want({ query: isOfQuery ? key : undefined, recent: isOfQuery || isSought ? MAX_OUTCOMES : RECENT });
  if (kind === "feed") chart.showRounds();
  else chart.show(isOfQuery ? key : null);
  outcomes.show({ kind, key });
  worker.show(kind === "worker" ? key : null);
  request.show(kind === "request" ? key : null);
  table.show(kind === "overview");
  feed.show(kind === "feed" ? key : null);
  rounds.show(kind === "feed" ? key : null);
}

view.addEventListener("change", () => {
  show(view.current);
  scrollTo(0, 0);
  byId(view.current.kind === "overview" ? "ask" : "page").focus();
});

// A browser opens few connections to one server, so a hidden page keeps none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream.close();
    register.stop();
    feeds.stop();
    rounds.close();
  } else {
    stream.open();
    register.start();
    feeds.start();
    rounds.open();
  }
});

// The workers come first, so that each has the same colour whenever the page is loaded.
await Promise.all([register.start(), feeds.start()]);
show(view.current);
stream.open();
