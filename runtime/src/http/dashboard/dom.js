// Creates elements. Texts are only ever set as text, so that nothing a worker sends becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element of the page. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An element of a drawing. */
export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A cell of a table with rows that become cards on narrow screens, where the cell shows its label. */
export function cell(label, content, attributes = {}) {
  return element("td", { role: "cell", "data-label": label, ...attributes }, content);
}

/** Sets a text only if it changes, so that screen readers do not repeat it. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Replaces the contents of a box. If the focus is within, it moves to what can be focused at the same place. */
export function renew(box, ...children) {
  const stops = () => [...box.querySelectorAll("a, [tabindex]")];
  const place = stops().indexOf(document.activeElement);
  box.replaceChildren(...children);
  stops()[place]?.focus({ preventScroll: true });
}
