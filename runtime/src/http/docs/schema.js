// Schemas: a type in a few words, and a named schema with its fields.

import { element } from "../dashboard/dom.js";
import { example, prose, spans } from "./prose.js";

const WORDS = { string: "text", integer: "whole number", boolean: "true or false", array: "list" };

function nameIn(reference) {
  return reference.split("/").at(-1);
}

/** Puts a separator between things. */
function joined(things, between) {
  return things.flatMap((thing, index) => (index === 0 ? thing : [between, ...thing]));
}

function range(least, most, unit) {
  if (least === undefined && most === undefined) return "";
  if (most === undefined) return `, ${least} or more${unit}`;
  return `, ${least === undefined ? "up to" : `${least} to`} ${most}${unit}`;
}

function plain(name, schema) {
  const size = range(schema.minimum, schema.maximum, "") + range(schema.minLength, schema.maxLength, " characters");
  const pattern = schema.pattern ? [", like ", element("code", {}, schema.pattern)] : [];
  return [(WORDS[name] ?? name) + size, ...pattern];
}

/** The type of a schema, in a few words and links. */
export function kind(schema) {
  if (schema.$ref) return [element("a", { href: `#schema-${nameIn(schema.$ref)}` }, nameIn(schema.$ref))];
  const choices = schema.oneOf ?? schema.anyOf;
  // Null comes last, whatever the order in the document.
  const sorted = (all) => [...all].sort((a, b) => Number(a.type === "null") - Number(b.type === "null"));
  if (choices) return joined(sorted(choices).map(kind), " or ");
  if (schema.allOf) return joined(schema.allOf.map(kind), " and ");
  if (schema.enum) return ["one of ", ...joined(schema.enum.map((value) => [element("code", {}, value)]), ", ")];
  if (schema.type === "array") return ["list of ", ...kind(schema.items)];
  if (schema.additionalProperties?.type) return ["an object of which each value is: ", ...kind(schema.additionalProperties)];
  const names = [schema.type ?? "anything"].flat();
  return joined(sorted(names.map((type) => ({ type }))).map(({ type }) => plain(type, schema)), " or ");
}

/** Named things, each with its type and its description. */
export function definitions(things) {
  const items = things.flatMap(({ name, is, schema, description }) => [
    element("dt", {}, element("code", {}, name), " ", element("span", { class: "quiet" }, ...kind(schema)), is ? " " : null, is),
    element("dd", {}, ...spans(description ?? "")),
  ]);
  return element("dl", {}, ...items);
}

export function badge(text) {
  return element("span", { class: "badge gone" }, text);
}

function fields(schema) {
  const required = schema.required ?? [];
  const properties = Object.entries(schema.properties).map(([name, property]) => ({
    name,
    is: required.includes(name) ? badge("required") : null,
    schema: property,
    // A nullable property has its description next to the reference.
    description: property.description ?? property.oneOf?.find((choice) => choice.description)?.description,
  }));
  return definitions(properties);
}

/** The parts of a schema: the schemas that it includes, and fields of its own. */
function body(schema) {
  if (schema.properties) return [fields(schema)];
  const own = (schema.allOf ?? []).filter((part) => part.properties);
  const others = (schema.allOf ?? []).filter((part) => !part.properties);
  if (schema.allOf) {
    const whole = element("p", {}, "Everything of ", ...joined(others.map(kind), " and "), own.length > 0 ? ", and:" : ".");
    return [whole, ...own.map(fields)];
  }
  return [element("p", { class: "quiet" }, ...kind(schema))];
}

/** A named schema. */
export function component(name, schema) {
  const title = element("h3", { id: `schema-${name}` }, name);
  const examples = (schema.examples ?? []).map(example);
  return element("section", { class: "card", "aria-labelledby": title.id }, title, ...prose(schema.description), ...body(schema), ...examples);
}
