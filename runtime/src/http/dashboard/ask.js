// The form: submits requests to the coordinator, and shows the workers' results meanwhile.

import { Answer } from "./answer.js";
import { byId, say } from "./dom.js";
import { parse } from "./exact.js";
import { blamedField, mark, unmark, wrongField } from "./fields.js";

const WHOLE_NUMBERS = ["timeout_ms", "quorum", "min_responses", "max_age_ms", "precision", "decimals"];
// Sent as text, so that no digit is lost.
const TEXTS = ["strategy", "max_deviation", "tolerance", "min_agreement", "on_dispute", "trim_share"];

/** Makes `form` submit requests. `expected` returns the workers that a request for a query will expect. */
export function asking(form, stream, expected) {
  const button = byId("submit");
  let asked = null;
  stream.addEventListener("observation", ({ detail }) => {
    if (asked !== null && detail.request_id === asked.id) asked.answer.observed(detail);
  });
  form.addEventListener("input", () => unmark(form));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asked !== null) {
      asked.abort.abort();
      return;
    }
    unmark(form);
    const wrong = wrongField(form);
    if (wrong !== null) {
      mark(wrong);
      return;
    }
    const body = question(new FormData(form));
    asked = { id: body.id, answer: new Answer(body.query, expected(body.query)), abort: new AbortController() };
    say(button, "Cancel");
    try {
      await stream.watch(body.id);
      const outcome = await answerOf(body, asked.abort.signal);
      const { answer } = asked;
      // A result that is still on its way must not change the rows of a finished answer.
      asked.id = null;
      answer.ended(inWords(form, outcome));
    } finally {
      asked = null;
      say(button, "Ask");
    }
  });
}

/** The outcome. An error that is about a field of the form names it as the form does, and the field is marked. */
function inWords(form, outcome) {
  const blamed = outcome.error === "invalid_request" ? blamedField(form, String(outcome.details)) : null;
  if (blamed === null) return outcome;
  mark(blamed);
  return { ...outcome, details: blamed.problem };
}

/** The request in the form, under an id of its own. */
function question(form) {
  const body = { id: drawnId(), query: String(form.get("query")) };
  for (const name of TEXTS) {
    const text = String(form.get(name)).trim();
    if (text !== "") body[name] = text;
  }
  for (const name of WHOLE_NUMBERS) {
    const text = String(form.get(name)).trim();
    if (text !== "") body[name] = Number(text);
  }
  return body;
}

/** 128 random bits. `crypto.randomUUID` does not exist on pages served over plain HTTP. */
function drawnId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The coordinator's outcome or error, or an error of the same form if it gives neither. */
async function answerOf(body, signal) {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch("request", { method: "POST", headers, body: JSON.stringify(body), signal });
    return parse(await response.text());
  } catch (error) {
    if (signal.aborted) return { error: "cancelled", details: "You took the question back." };
    const why = error instanceof SyntaxError ? "It did not answer in JSON." : "It cannot be reached.";
    return { error: "unreachable", details: `The coordinator gave no answer. ${why}` };
  }
}
