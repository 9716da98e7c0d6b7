// Lays out the OpenAPI document that this coordinator serves.

import { byId, element } from "../dashboard/dom.js";
import { prose } from "./prose.js";
import { anchorOf, route } from "./route.js";
import { component } from "./schema.js";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** Every route: its method, its path, and its description. */
function operations(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, ...item[method] })),
  );
}

function show(api) {
  const schemas = Object.entries(api.components.schemas);
  const routes = operations(api);
  document.title = `${api.info.title}: the API`;
  byId("title").textContent = `${api.info.title}: the API`;
  byId("facts").textContent = `version ${api.info.version}, OpenAPI ${api.openapi}`;
  byId("about").append(...prose(api.info.description));
  for (const { name, description } of api.tags) {
    const grouped = routes.filter((one) => one.tags.includes(name));
    const links = grouped.map((one) =>
      element("li", {}, element("a", { href: `#${anchorOf(one)}` }, `${one.method.toUpperCase()} ${one.path}`), ` ${one.summary}`),
    );
    byId("contents").append(element("h3", {}, name), element("ul", {}, ...links));
    const title = element("h2", { id: `group-${name}` }, name);
    // A schema may have the same name as a group.
    const section = element("section", { "aria-label": `${name}: routes` }, title, ...prose(description), ...grouped.map(route));
    byId("routes").append(section);
  }
  byId("schemas").append(...schemas.map(([name, schema]) => component(name, schema)));
  // The element that the address names exists only now.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  document.documentElement.dataset.state = "shown";
}

try {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`the coordinator answered ${response.status}`);
  show(await response.json());
} catch (error) {
  byId("problem").hidden = false;
  byId("problem").textContent = `The document cannot be shown: ${error.message}.`;
}
