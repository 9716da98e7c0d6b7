// Whether what the page shows is up to date: the stream, the polled routes, what the coordinator says of NATS, and why it
// refuses to say anything.

import { byId, say } from "./dom.js";

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  nats: "NATS is down",
  waiting: "Coordinator not reached, trying again",
  refused: "Refused: ",
};
// The states other than `live`, the most urgent first.
const URGENT = ["waiting", "refused", "nats", "connecting"];

/** Shows the state of the connection in the head of the page. */
export class Connection {
  #stream = { state: "connecting" };
  #polled = { state: "connecting" };

  constructor(stream, register) {
    stream.addEventListener("state", ({ detail }) => {
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
    const { state, details = "" } = this.#worst();
    const connection = byId("connection");
    connection.dataset.state = state;
    say(connection, WORDS[state] + details);
  }

  /** The state of the stream or of the polled routes, whichever a reader must know first. */
  #worst() {
    const both = [this.#stream, this.#polled];
    return URGENT.map((state) => both.find((one) => one.state === state)).find((one) => one !== undefined) ?? { state: "live" };
  }
}
