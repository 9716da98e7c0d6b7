// A large value: rounded for people, with all its digits at the press of a button.

import { element, say } from "./dom.js";

/** Shows an answer, or the problem that there is none, in `box`. */
export function showValue(box, { text, exact, problem }) {
  if (problem !== undefined) {
    box.replaceChildren(element("span", { class: "error" }, problem));
    return;
  }
  const value = element("span", { class: look(text), title: exact }, text);
  if (text === exact) {
    box.replaceChildren(value);
    return;
  }
  const button = element("button", { type: "button", class: "plain digits-button", "aria-pressed": "false" }, "All digits");
  button.addEventListener("click", () => {
    const isExact = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", String(isExact));
    say(value, isExact ? exact : text);
    value.className = look(value.textContent);
  });
  box.replaceChildren(value, " ", button);
}

function look(text) {
  return text.length > 16 ? "final long" : "final";
}
