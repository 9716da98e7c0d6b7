// Orders of names and of workers.

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** Compares names as people order them: worker-2 before worker-10. */
export function byName(one, other) {
  return COLLATOR.compare(one, other) || (one < other ? -1 : Number(one > other));
}

/** Compares by a number of each, smallest first; what has none comes last. */
function by(number) {
  return (one, other) => {
    const [first, second] = [number(one), number(other)];
    return first === second ? 0 : (first ?? Infinity) - (second ?? Infinity);
  };
}

const quantile = (name) => (worker) => (worker.response_time ? Number(worker.response_time[name]) : null);

/** The orders in which workers can be listed: for each its label, and what compares two workers. */
export const ORDERS = {
  worst: { label: "worst first", compare: by(badness) },
  name: { label: "name", compare: () => 0 },
  score: { label: "lowest score", compare: by((worker) => Number(worker.score)) },
  p50: { label: "slowest p50", compare: by((worker) => negative(quantile("p50")(worker))) },
  p90: { label: "slowest p90", compare: by((worker) => negative(quantile("p90")(worker))) },
  p99: { label: "slowest p99", compare: by((worker) => negative(quantile("p99")(worker))) },
  seen: { label: "longest silent", compare: by((worker) => -Number(worker.last_heard_ms)) },
};

/** The workers in one of the orders; those that are equal in it by name. */
export function ordered(workers, order) {
  const { compare } = ORDERS[order] ?? ORDERS.worst;
  return [...workers].sort((one, other) => compare(one, other) || byName(one.worker_id, other.worker_id));
}

function negative(number) {
  return number === null ? null : -number;
}

/**
 * How urgently somebody should look at a worker, smallest first. Scores count in steps, so that rows do not change
 * places all the time. Who has left said so, and is last.
 */
function badness(worker) {
  if (worker.state === "left") return 100;
  if (worker.state === "expired") return 0;
  if (worker.quarantined === true) return 1;
  if (worker.suspect === true) return 2;
  return 3 + Math.floor(Number(worker.score) * 10);
}
