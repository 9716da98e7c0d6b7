// Links between the pages. A long name is cut off where there is no room, and whole in its title.

import { element } from "./dom.js";
import { addressOf } from "./view.js";

/** A text of one line that is cut off where there is no room. */
export function clipped(text, attributes = {}) {
  return element("span", { class: "clip", title: text, ...attributes }, text);
}

/** A link to the page of a query, a worker, a request or a feed. */
export function link(kind, key, text = key) {
  return element("a", { class: "clip", href: addressOf(kind, key), "data-page": kind, title: key }, text);
}
