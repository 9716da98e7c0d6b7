// The points of a chart: what each outcome draws, as values or as deviations from the answer.

import { disagrees } from "./badges.js";
import { approximate, shown } from "./exact.js";
import { heightOf } from "./past.js";
import { answerOf, deviation } from "./rounded.js";

/**
 * The point of an outcome: when it ended; the height of its answer, if it has a numeric one; each worker's value with
 * its height and fate; and the workers that gave none.
 */
export function pointOf({ body, number, at }) {
  const fates = new Map((body.workers ?? []).map((worker) => [worker.worker_id, worker]));
  const values = (body.worker_responses ?? [])
    .filter((response) => response.err === undefined)
    .map(({ worker_id: worker, value }) => {
      const { fate = "used", reason } = fates.get(worker) ?? {};
      return { worker, text: shown(value), y: approximate(value), fate, reason };
    });
  const silent = [...fates.values()].filter(({ fate }) => fate === "failed" || fate === "missing");
  return {
    body,
    number,
    at,
    values,
    failed: silent.map(({ worker_id }) => worker_id),
    expected: fates.size,
    text: body.error === undefined ? answerOf(body) : null,
    y: heightOf(body),
    disagrees: disagrees(body),
  };
}

/** The same points with all heights as deviations from the answer. Without a numeric answer there are none. */
export function deviations(points) {
  return points.map((point) => ({
    ...point,
    y: point.y === null ? null : 0,
    aside: null,
    values: point.values.map((value) => ({ ...value, y: deviation(value.y, point.y) })),
  }));
}

/** The heights that can be drawn: the answers of some points, and the workers' values with one of `fates`. */
export function heights(points, fates) {
  const values = points.flatMap((point) => point.values.filter((value) => fates.includes(value.fate)).map(({ y }) => y));
  return [...values, ...points.map(({ y }) => y)].filter((y) => y !== null);
}
