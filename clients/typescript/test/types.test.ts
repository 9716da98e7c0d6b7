// What the compiler must accept and refuse. `tsc` checks it; nothing of it runs.
import { test } from "node:test";
import type { Client, Evidence, Outcome, RequestFields } from "quorate";

export async function accepted(client: Client): Promise<[string, number, string | undefined]> {
  const outcome: Outcome = await client.ask("BTC/USD", { strategy: "median", max_deviation: "mad:5" });
  const evidence: Evidence = outcome;
  return [outcome.final_value, evidence.elapsed, outcome.spread?.min];
}

// @ts-expect-error: no such strategy
export const wrongStrategy: RequestFields = { strategy: "mean" };
// @ts-expect-error: no such field
export const wrongField: RequestFields = { min_agrement: 1 };

test("the types are checked by the compiler", () => {});
