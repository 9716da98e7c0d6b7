// What each worker contributed to an outcome: rows of a table.

import { cell, element } from "./dom.js";
import { approximate, shown } from "./exact.js";
import { nanoseconds } from "./format.js";
import { clipped, link } from "./links.js";
import { byName } from "./order.js";
import { heightOf } from "./past.js";
import { deviation, deviationText } from "./rounded.js";
import { colourOf } from "./slots.js";

const SIGNS = { used: "✓", excluded: "×", failed: "!", late: "…", missing: "–", answered: "•", waiting: "…" };

/** What became of each worker of an outcome, or of an error with evidence, by name. */
export function fates(body) {
  const responses = new Map((body.worker_responses ?? []).map((response) => [response.worker_id, response]));
  const answer = heightOf(body);
  return [...(body.workers ?? [])]
    .sort((one, other) => byName(one.worker_id, other.worker_id))
    .map(({ worker_id: worker, fate, reason, age_ms: age }) => {
      const response = responses.get(worker);
      const why = [reason, silence(body, worker), age === undefined ? undefined : `${age} ms old`];
      return {
        worker,
        fate,
        text: response ? said(response) : "",
        time: response ? took(response) : "",
        off: response ? offset(response, answer) : "",
        why: why.filter((word) => word !== undefined).join(", "),
      };
    });
}

/** The row of one worker. */
export function fateRow({ worker, text, fate, time = "", off = "", why = "" }) {
  return element(
    "tr",
    { role: "row", class: `fate ${fate}`, "data-worker": worker },
    element(
      "th",
      { scope: "row", role: "rowheader" },
      element("span", { class: "named" }, element("span", { class: `swatch ${colourOf(worker)}`, "aria-hidden": "true" }), link("worker", worker)),
    ),
    cell("Said", clipped(text), { class: "digits" }),
    cell("Off by", off, { class: "number" }),
    cell("Fate", fateText(fate, why)),
    cell("Took", time, { class: "number" }),
  );
}

/** A fate in a word and a sign, with its reason. */
export function fateText(fate, why) {
  const sign = element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[fate] ?? "?");
  return element("span", {}, sign, ` ${fate}`, why === "" ? null : element("span", { class: "why" }, ` ${why}`));
}

/** What a worker answered. */
export function said(response) {
  return response.err === undefined ? shown(response.value) : String(response.err);
}

/** How long a worker took. */
export function took(response) {
  return nanoseconds(response.response_time);
}

/** How far a worker's value is from the answer. */
export function offset(response, answer) {
  const value = response.err === undefined ? approximate(response.value) : null;
  return deviationText(deviation(value, answer), answer);
}

/** Why a missing worker was not waited for, if it was not. */
function silence(body, worker) {
  if ((body.absent ?? []).includes(worker)) return "not there";
  if ((body.suspects ?? []).includes(worker)) return "silent for longer than usual";
  return undefined;
}
