// The data of the chart: the last outcomes of each query, as points to draw.

import { disagrees } from "./badges.js";
import { approximate, shown } from "./exact.js";

const MAX_QUERIES = 50;
const MAX_POINTS = 60;

/** The points of every query. The query that was asked last is at the end. */
export class Series {
  #byQuery = new Map();

  /** Adds an outcome. If there are too many queries, the one that was not asked for longest is removed. */
  add(body, time) {
    const points = this.#byQuery.get(body.query) ?? [];
    points.push(point(body, time));
    if (points.length > MAX_POINTS) points.shift();
    this.#byQuery.delete(body.query);
    this.#byQuery.set(body.query, points);
    if (this.#byQuery.size > MAX_QUERIES) this.#byQuery.delete(this.#byQuery.keys().next().value);
  }

  queries() {
    return [...this.#byQuery.keys()].sort();
  }

  points(query) {
    return this.#byQuery.get(query) ?? [];
  }
}

function point(body, time) {
  const fates = new Map((body.workers ?? []).map((worker) => [worker.worker_id, worker]));
  const values = (body.worker_responses ?? [])
    .filter((response) => response.err === undefined)
    .map((response) => {
      const { fate = "used", reason } = fates.get(response.worker_id) ?? {};
      return { worker: response.worker_id, text: shown(response.value), y: approximate(response.value), fate, reason };
    });
  const answered = body.error === undefined;
  return {
    body,
    time,
    values,
    text: answered ? shown(body.final_value) : null,
    y: answered ? approximate(body.final_value) : null,
    disagrees: disagrees(body),
  };
}

/** The values that can be drawn: the answers of some points, and the workers' values with one of `fates`. */
export function heights(points, fates) {
  const values = points.flatMap((point) => point.values.filter((value) => fates.includes(value.fate)).map(({ y }) => y));
  return [...values, ...points.map(({ y }) => y)].filter((y) => y !== null && Number.isFinite(y));
}
