// Texts of the document: paragraphs with code in backquotes, and examples.

import { element } from "../dashboard/dom.js";

/** The parts of a line; every second one was in backquotes. */
export function spans(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? element("code", {}, part) : part));
}

/** The paragraphs of a text. */
export function prose(text) {
  const paragraphs = (text ?? "").split("\n\n").filter((paragraph) => paragraph !== "");
  return paragraphs.map((paragraph) => element("p", {}, ...spans(paragraph)));
}

/** An example: JSON, or a text as it is. */
export function example(value) {
  return element("pre", {}, element("code", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}
