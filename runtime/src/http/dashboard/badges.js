// How far an outcome can be relied on, in a word and a sign, never by colour alone.

import { element } from "./dom.js";
import { counted } from "./format.js";

const STATUS = {
  complete: ["good", "✓", "complete"],
  partial: ["fair", "◐", "partial"],
  low_reliability: ["poor", "▼", "low reliability"],
  disputed: ["poor", "≠", "sources disagree"],
};

/** One badge. */
export function badge(kind, sign, text) {
  return element("span", { class: `badge ${kind}` }, element("span", { "aria-hidden": "true" }, sign), ` ${text}`);
}

/** The badge of a status, or of an error. */
export function statusBadge(status) {
  return badge(...(STATUS[status] ?? ["poor", "!", String(status).replaceAll("_", " ")]));
}

/** The badges of an outcome or of an error with evidence. */
export function badges(body) {
  const [kind, sign, text] = verdict(body);
  const excluded = (body.excluded ?? []).length;
  const all = [badge(kind, sign, text)];
  if (excluded > 0) all.push(badge("fair", "×", `${excluded} excluded`));
  if (body.tie === true) all.push(badge("fair", "=", "tie"));
  return all;
}

/** An outcome's status, or its error, in words. */
export function verdictText(body) {
  return verdict(body)[2];
}

function verdict(body) {
  if (body.error === "disputed") return STATUS.disputed;
  if (body.error !== undefined) return ["poor", "!", String(body.error).replaceAll("_", " ")];
  return STATUS[body.status] ?? ["fair", "?", String(body.status)];
}

/** Whether the sources of an outcome disagree: it is disputed, or a value was excluded as an outlier. */
export function disagrees(body) {
  return (
    body.status === "disputed" || body.error === "disputed" || (body.excluded ?? []).some((one) => one.reason === "outlier")
  );
}

/** How many of the expected workers succeeded, in words. */
export function share(body) {
  return `${body.succeeded ?? 0} of ${counted(Number(body.expected ?? 0), "worker")}`;
}
