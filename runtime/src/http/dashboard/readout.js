// One outcome of the chart in words: when, the answer, and every worker's value with its distance from it.

import { element, renew } from "./dom.js";
import { clock } from "./format.js";
import { fates } from "./evidence.js";
import { link } from "./links.js";
import { exactAnswer } from "./rounded.js";
import { colourOf } from "./slots.js";

/** Describes a point in `box`. */
export function readout(box, point) {
  if (point === undefined) {
    box.replaceChildren();
    return;
  }
  const { body, at, text, name = "" } = point;
  const answer = text === null ? "no answer" : text;
  const exact = text === null ? String(body.details ?? body.error) : exactAnswer(body);
  const head = element(
    "p",
    { class: "moment" },
    name === "" ? null : `${name}: `,
    link("request", body.request_id, clock(at, true)),
    " ",
    element("strong", { class: "digits", title: exact }, answer),
  );
  const said = fates(body).map(({ worker, text, fate, off, why }) =>
    element(
      "li",
      { class: fate, "data-worker": worker },
      element("span", { class: `swatch ${colourOf(worker)}`, "aria-hidden": "true" }),
      element("span", { class: "clip", title: worker }, worker),
      element("span", { class: "digits clip", title: text }, text === "" ? fate : text),
      element("span", { class: "why" }, [off, fate === "used" || text === "" ? "" : fate, why].filter((word) => word !== "").join(", ")),
    ),
  );
  renew(box, head, element("ul", { class: "said", id: "readout", tabindex: "0", "aria-label": "What each worker said" }, ...said));
}
