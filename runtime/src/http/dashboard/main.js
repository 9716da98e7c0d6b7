// The page: connects its parts.

import { asking } from "./ask.js";
import { Chart } from "./chart.js";
import { byId, element, say } from "./dom.js";
import { Outcomes } from "./outcomes.js";
import { EventStream } from "./stream.js";
import { Workers } from "./workers.js";

const CONNECTION = { connecting: "Connecting", live: "Live", waiting: "Not connected, trying again" };

const stream = new EventStream();
const workers = new Workers();
const outcomes = new Outcomes();
const chart = new Chart();

stream.addEventListener("state", ({ detail }) => {
  const connection = byId("connection");
  // A stream that is reopened for a request is not a broken one.
  if (detail === "connecting" && connection.dataset.state === "live") return;
  connection.dataset.state = detail;
  say(connection, CONNECTION[detail]);
});
stream.addEventListener("outcome", ({ detail }) => {
  outcomes.add(detail.body, detail.time);
  chart.add(detail.body, detail.time);
  suggest(detail.body.query);
});
stream.addEventListener("worker", () => workers.start());
stream.addEventListener("missed", ({ detail }) => outcomes.missed(detail.body.count));

asking(byId("ask-form"), stream, (query) => workers.offering(query));

/** Suggests a query that was asked before. */
function suggest(query) {
  const list = byId("queries");
  const known = [...list.children].some((option) => option.value === query);
  if (!known && list.children.length < 50) list.append(element("option", { value: query }));
}

// A browser opens few connections to one server, so a hidden page keeps none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream.close();
    workers.stop();
  } else {
    stream.open();
    workers.start();
  }
});

stream.open();
workers.start();
