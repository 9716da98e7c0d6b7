// The page of one request: its outcome with all its digits, as long as the coordinator has it.

import { showOutcome } from "./answer.js";
import { byId, say } from "./dom.js";
import { fateRow, fates } from "./evidence.js";
import { parse, written } from "./exact.js";
import { clock, day } from "./format.js";
import { link } from "./links.js";
import { isKeptInPaths } from "./view.js";

const LATER = "If it is still in flight, it appears here when it ends.";

/** Shows one request. */
export class RequestCard {
  #past;
  #id = null;
  #isShown = false;

  constructor(past) {
    this.#past = past;
    past.addEventListener("change", () => this.#look());
  }

  /** Shows the request with this id; null for none. */
  async show(id) {
    this.#id = id;
    this.#isShown = false;
    byId("request-known").hidden = true;
    if (id === null) return;
    // The route of one request cannot be asked for some ids. Their outcomes come with the other events.
    const isAsked = isKeptInPaths(id);
    say(byId("request-unknown"), isAsked ? "Looking for this request …" : `Looking for this request among the kept events. ${LATER}`);
    byId("request-unknown").hidden = false;
    this.#look();
    if (isAsked && !this.#isShown) await this.#fetch(id);
  }

  /** Looks among what has ended: a request that is in flight ends later. */
  #look() {
    const found = this.#id === null || this.#isShown ? undefined : this.#past.request(this.#id);
    if (found !== undefined) this.#draw(found.body, found.at);
  }

  async #fetch(id) {
    let problem;
    try {
      const response = await fetch(`requests/${encodeURIComponent(id)}`);
      const body = parse(await response.text());
      if (this.#id !== id || this.#isShown) return;
      if (response.ok) {
        this.#draw(body, Date.parse(body.answered_at));
        return;
      }
      problem = response.status === 404 ? `No outcome of this request is kept. ${LATER}` : String(body.details);
    } catch {
      problem = "The coordinator does not answer.";
    }
    if (this.#id === id) say(byId("request-unknown"), problem);
  }

  #draw(body, at) {
    this.#isShown = true;
    byId("request-unknown").hidden = true;
    byId("request-known").hidden = false;
    byId("request-query").replaceChildren(link("query", body.query));
    say(byId("request-time"), Number.isNaN(at) ? "" : `${day(at)} ${clock(at, true)}`);
    showOutcome("request", body);
    byId("request-workers").replaceChildren(...fates(body).map(fateRow));
    say(byId("request-json"), written(body));
  }
}
