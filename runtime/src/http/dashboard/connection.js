// Whether what the page shows is up to date: the stream, the polled routes, and what the coordinator says of NATS.

import { byId, say } from "./dom.js";

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  nats: "NATS is down",
  waiting: "Coordinator not reached, trying again",
};

/** Shows the state of the connection in the head of the page. */
export class Connection {
  #stream = "connecting";
  #polled = { reached: true, nats: null };

  constructor(stream, register) {
    stream.addEventListener("state", ({ detail }) => {
      // A stream that is reopened for a request or another page is not a broken one.
      if (detail === "connecting" && this.#stream === "live") return;
      this.#stream = detail;
      this.#show();
    });
    register.addEventListener("state", ({ detail }) => {
      this.#polled = detail;
      this.#show();
    });
    this.#show();
  }

  #show() {
    const connection = byId("connection");
    connection.dataset.state = this.#state();
    say(connection, WORDS[connection.dataset.state]);
  }

  #state() {
    if (!this.#polled.reached || this.#stream === "waiting") return "waiting";
    if (this.#polled.nats === false) return "nats";
    // Until the first poll, nobody has said that NATS is connected.
    return this.#polled.nats === null ? "connecting" : this.#stream;
  }
}
