// A route: its parameters, its body, and its responses.

import { element } from "../dashboard/dom.js";
import { example, prose, spans } from "./prose.js";
import { badge, definitions, kind } from "./schema.js";

/** The anchor of a route within the page. */
export function anchorOf({ method, path }) {
  return `${method}-${path.slice(1).replaceAll("/", "-")}`;
}

function parameters(listed) {
  if (!listed?.length) return [];
  const things = listed.map(({ name, in: place, required, schema, description }) => ({
    name,
    is: badge(required ? `${place}, required` : place),
    schema,
    description,
  }));
  return [element("h4", {}, "Parameters"), definitions(things)];
}

/** The possible bodies: their media types, schemas and examples. */
function contents(content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema, example: one, examples }]) => {
    const named = Object.entries(examples ?? {}).flatMap(([name, { value }]) => [element("p", {}, element("code", {}, name)), example(value)]);
    const shown = one === undefined ? named : [example(one)];
    return [element("p", {}, element("code", {}, type), ": ", ...kind(schema ?? {})), ...shown];
  });
}

function body(requestBody) {
  return requestBody ? [element("h4", {}, "Body"), ...contents(requestBody.content)] : [];
}

function headers(listed) {
  const things = Object.entries(listed ?? {}).map(([name, { schema, description }]) => ({ name, is: badge("header"), schema, description }));
  return things.length > 0 ? [definitions(things)] : [];
}

function answer([status, { description, headers: listed, content }]) {
  const look = status < 400 ? "good" : "fair";
  const summary = element("summary", {}, element("span", { class: `badge ${look}` }, status), " ", ...spans(description));
  const parts = [...headers(listed), ...contents(content)];
  return parts.length > 0
    ? element("details", { "data-status": status }, summary, ...parts)
    : element("p", { "data-status": status }, ...summary.childNodes);
}

/** A route as a card. */
export function route(operation) {
  const { method, path, summary, description, responses } = operation;
  const title = element("h3", { id: anchorOf(operation) }, element("code", {}, `${method.toUpperCase()} ${path}`), " ", summary);
  return element(
    "section",
    { class: "card", "aria-labelledby": title.id },
    title,
    ...prose(description),
    ...parameters(operation.parameters),
    ...body(operation.requestBody),
    element("h4", {}, "Answers"),
    ...Object.entries(responses).map(answer),
  );
}
