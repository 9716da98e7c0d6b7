// The page: who tells whom.

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
  // A stream that is reopened for a question is not a broken one.
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

asking(byId("ask-form"), stream, () => workers.live());

/** Offers a query that was asked before. */
function suggest(query) {
  const list = byId("queries");
  const known = [...list.children].some((option) => option.value === query);
  if (!known && list.children.length < 50) list.append(element("option", { value: query }));
}

// A browser has few connections to one server: a page that nobody looks at keeps none.
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
