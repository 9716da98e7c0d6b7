// Numbers as people read them. They are rounded as decimal texts, because a binary float would round them first.

import { shown } from "./exact.js";

const NUMBER = /^-?\d+(?:\.\d+)?$/;
/** How many decimals a mean may have more than its values; that of a median of two, too. */
const MORE_FOR_A_MEAN = 2;
const DIGITS = 8;

/** The number of decimals of a value; 0 if it is not a plain number. */
function decimalsOf(value) {
  const text = shown(value);
  return NUMBER.test(text) ? (text.split(".")[1]?.length ?? 0) : 0;
}

/** Rounds a number half-even to at most this many decimals. Anything else stays as it is. */
export function rounded(value, decimals) {
  const text = shown(value);
  if (!NUMBER.test(text) || decimalsOf(text) <= decimals) return text;
  const [whole, part] = text.replace("-", "").split(".");
  const kept = BigInt(whole + part.slice(0, decimals));
  const rest = part.slice(decimals);
  const half = `5${"0".repeat(rest.length - 1)}`;
  const up = rest > half || (rest === half && kept % 2n === 1n);
  const digits = String(kept + (up ? 1n : 0n)).padStart(decimals + 1, "0");
  const fraction = decimals === 0 ? "" : digits.slice(-decimals).replace(/0+$/, "");
  const result = digits.slice(0, digits.length - decimals) + (fraction === "" ? "" : `.${fraction}`);
  return text.startsWith("-") && /[1-9]/.test(result) ? `-${result}` : result;
}

/** A value for people, where its evidence is not at hand: eight digits, or more if it is larger. */
export function readable(value) {
  const text = shown(value);
  if (!NUMBER.test(text)) return text;
  const [whole, part = ""] = text.replace("-", "").split(".");
  const zeros = /^0*/.exec(part)[0].length;
  return rounded(text, /[1-9]/.test(whole) ? Math.max(2, DIGITS - whole.length) : zeros + DIGITS);
}

/** The most decimals of a used value, without zeros at its end; null if no used value is a number. */
function decimalsOfUsed(body) {
  const excluded = new Set((body.excluded ?? []).map(({ worker_id }) => worker_id));
  const used = (body.worker_responses ?? []).filter(({ err, worker_id }) => err === undefined && !excluded.has(worker_id));
  const numbers = used.map(({ value }) => shown(value)).filter((text) => NUMBER.test(text));
  const decimals = numbers.map((text) => (text.split(".")[1] ?? "").replace(/0+$/, "").length);
  return decimals.length === 0 ? null : Math.max(...decimals);
}

/** The answer of an outcome for people: as many decimals as the values have, and up to two more if it lies between them. */
export function answerOf(body) {
  const decimals = decimalsOfUsed(body);
  // An answer that the coordinator has rounded has the decimals that somebody asked for.
  if (decimals === null || body.exact_value !== undefined) return shown(body.final_value);
  return rounded(body.final_value, decimals + MORE_FOR_A_MEAN);
}

/** The answer of an outcome with all its digits. */
export function exactAnswer(body) {
  return shown(body.exact_value ?? body.final_value);
}

/** A share from 0 to 1 in whole percent. Only 1 is 100 %, and only 0 is 0 %. */
export function percent(share) {
  const value = Number(share) * 100;
  if (value > 0 && value < 1) return "<1 %";
  return `${value < 100 ? Math.min(99, Math.round(value)) : 100} %`;
}

/** How far a value is from an answer: in percent of the answer, or as a difference if the answer is 0. */
export function deviation(value, answer) {
  if (value === null || answer === null) return null;
  const deviation = answer === 0 ? value : ((value - answer) / Math.abs(answer)) * 100;
  // An answer may be too close to 0.
  return Number.isFinite(deviation) ? deviation : null;
}

/** A deviation in words. */
export function deviationText(deviation, answer) {
  if (deviation === null) return "";
  const size = Math.abs(deviation);
  const sign = deviation > 0 ? "+" : deviation < 0 ? "−" : "±";
  const digits = size === 0 ? "0" : size < 0.001 ? size.toExponential(0) : size < 1 ? size.toFixed(3) : size.toFixed(size < 10 ? 2 : 1);
  return `${sign}${digits}${answer === 0 ? "" : " %"}`;
}
