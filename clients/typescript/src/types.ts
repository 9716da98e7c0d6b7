// The messages of the API by their names, from its description.
import type { components } from "./schema.js";

type Schemas = components["schemas"];

/** An answer with its evidence. Exact numbers are texts with all their digits, like all values. */
export type Outcome = Schemas["Outcome"];
/** What the workers said. */
export type Evidence = Schemas["FailureEvidence"];
/** The first answer of one worker. */
export type WorkerResponse = Schemas["WorkerResponse"];
/** What became of one worker of the expected set. */
export type WorkerFate = Schemas["WorkerFate"];
/** The known workers, and what the coordinator has counted. */
export type Register = Schemas["Register"];
/** One worker with its record. */
export type WorkerRecord = Schemas["WorkerRecord"];
/** A query or a pattern of queries, and how many live workers offer it. */
export type OfferedQuery = Schemas["OfferedQuery"];
/** A coordinator that can serve. */
export type Readiness = Schemas["Readiness"];
/** What went wrong, as a word for programs. */
export type ErrorWord = Schemas["ErrorWord"];
/** The policies in force, and the weights of workers that the operator set. */
export type Policies = Schemas["Policies"];
/** How requests for some queries are answered, as far as they set nothing themselves. */
export type Policy = Schemas["Policy"];
/** The fields of a request beside its query. What is not set follows the coordinator's policy. */
export type RequestFields = Omit<Schemas["Request"], "query" | "numbers">;
