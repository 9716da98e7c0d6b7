// Renews src/schema.ts from docs/openapi.json. Run: npm run generate [FILE]
//
// Numbers with all their digits become texts, because a JavaScript number is a binary float. The names of their fields
// are listed as well: they tell `src/json.ts` which numbers to keep.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const source = new URL("../../../docs/openapi.json", import.meta.url);
const target = process.argv[2] ?? new URL("../src/schema.ts", import.meta.url);

const EXACT = ["Number", "Decimal", "Value"];
const document = JSON.parse(await readFile(source, "utf8"));
const text = ts.factory.createKeywordTypeNode(ts.SyntaxKind.StringKeyword);
const nodes = await openapiTS(document, {
  alphabetize: true,
  transform: (_, { path }) => (EXACT.some((name) => path === `#/components/schemas/${name}`) ? text : undefined),
});

// The fields of answers that are exact numbers, or objects of them, wherever they lie.
const fields = new Set();
const maps = new Set();
const isExact = (schema) =>
  EXACT.some((name) => schema.$ref === `#/components/schemas/${name}`) ||
  ["allOf", "anyOf", "oneOf"].some((key) => (schema[key] ?? []).some(isExact));
function collect(schema) {
  if (schema === null || typeof schema !== "object") return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (isExact(property)) fields.add(name);
    if (isExact(property.additionalProperties ?? {})) maps.add(name);
  }
  Object.values(schema).forEach(collect);
}
collect(document.components.schemas);

const set = (names) => `ReadonlySet<string> = new Set(${JSON.stringify([...names].sort())})`;
await writeFile(
  target,
  `// Generated from docs/openapi.json by scripts/generate.mjs: npm run generate\n\n${astToString(nodes)}\n` +
    `/** The fields of answers that are exact numbers. */\nexport const EXACT_FIELDS: ${set(fields)};\n\n` +
    `/** The fields of answers that are objects whose fields are exact numbers. */\nexport const EXACT_MAPS: ${set(maps)};\n`,
);
