// Which colour is whose. Pointing at a worker, or focusing it, brings out its values.

import { element, renew } from "./dom.js";
import { link } from "./links.js";
import { byName } from "./order.js";
import { colourOf, meet } from "./slots.js";

/** Lists the workers of these points, unless the list is right already. */
export function legend(list, chart, points) {
  const workers = [...new Set(points.flatMap(({ values }) => values.map(({ worker }) => worker)))].sort(byName);
  meet(workers);
  const have = [...list.children].map((item) => item.dataset.worker);
  if (have.length === workers.length && have.every((worker, n) => worker === workers[n])) return;
  renew(list, ...workers.map((worker) => item(worker, chart)));
}

function item(worker, chart) {
  const swatch = element("span", { class: `swatch ${colourOf(worker)}`, "aria-hidden": "true" });
  const made = element("li", { "data-worker": worker }, swatch, link("worker", worker));
  const bringOut = (isOut) => () => {
    for (const group of chart.querySelectorAll("g.worker")) {
      group.classList.toggle("faint", isOut && group.dataset.worker !== worker);
    }
  };
  for (const [event, isOut] of [["pointerenter", true], ["focusin", true], ["pointerleave", false], ["focusout", false]]) {
    made.addEventListener(event, bringOut(isOut));
  }
  return made;
}
