// A colour for each worker: one of eight, in the order of the workers' names. A worker that comes later gets the next
// one, and nobody's colour changes. The style sheet has the colours.

import { byName } from "./order.js";

const COLOURS = 8;
const slots = new Map();

/** Gives these workers colours, in the order of their names, unless they have one. */
export function meet(workers) {
  for (const worker of [...workers].sort(byName)) if (!slots.has(worker)) slots.set(worker, slots.size % COLOURS);
}

/** The class of a worker's colour. */
export function colourOf(worker) {
  meet([worker]);
  return `hue-${slots.get(worker)}`;
}
