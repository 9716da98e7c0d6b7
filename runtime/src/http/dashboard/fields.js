// The fields of the form: what is wrong with one, in the words of its label, and where it is.

import { byId, say } from "./dom.js";

/** The first field of a form that is wrong by itself, and why; null if none is. */
export function wrongField(form) {
  const field = [...form.elements].find((field) => field.willValidate && !field.validity.valid);
  return field === undefined ? null : { field, problem: problemOf(field) };
}

/** The field that an error of the coordinator is about, and what the error says in the words of its label. */
export function blamedField(form, details) {
  const fields = [...form.elements].filter((field) => field.name !== "");
  const field = fields.find(({ name }) => new RegExp(`\\b${name}\\b`).test(details));
  if (field === undefined) return null;
  const words = fields.reduce((text, other) => text.replaceAll(new RegExp(`\\b${other.name}\\b`, "g"), labelOf(other)), details);
  return { field, problem: words };
}

/** Marks a field as wrong, says why beside it, and takes the reader there. */
export function mark({ field, problem }) {
  field.setAttribute("aria-invalid", "true");
  const place = byId(field.getAttribute("aria-describedby"));
  say(place, problem);
  place.hidden = false;
  const details = field.closest("details");
  if (details !== null) details.open = true;
  field.focus();
}

/** Takes back all marks. */
export function unmark(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    byId(field.getAttribute("aria-describedby")).hidden = true;
  }
}

function labelOf(field) {
  return field.labels?.[0]?.textContent.trim() ?? field.name;
}

function problemOf(field) {
  const [label, { validity, min, max }] = [labelOf(field), field];
  if (validity.valueMissing) return `${label} must not be empty`;
  if (validity.rangeUnderflow || validity.rangeOverflow || validity.badInput || validity.stepMismatch) {
    return `${label} must be a whole number${max === "" ? ` of at least ${min}` : ` from ${min} to ${max}`}`;
  }
  return `${label}: ${field.validationMessage}`;
}
