// The parts that need no coordinator: what is read and written.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { AuthorizationError, UserAuthenticationExpiredError } from "@nats-io/transport-node";
import * as quorate from "quorate";
import { Following } from "../node_modules/quorate/dist/following.js";
import { parse } from "../node_modules/quorate/dist/json.js";
import { Parser, TooLong } from "../node_modules/quorate/dist/sse.js";
import { VERSION } from "../node_modules/quorate/dist/version.js";
import { Faults } from "../node_modules/quorate/dist/worker/connection.js";
import { Job, Jobs, MAX_REMEMBERED, REMEMBER_MS } from "../node_modules/quorate/dist/worker/jobs.js";
import { failed, observed } from "../node_modules/quorate/dist/worker/observation.js";
import { matches, Offer } from "../node_modules/quorate/dist/worker/offer.js";
import { decodeTask, encodeResult, Subjects } from "../node_modules/quorate/dist/worker/wire.js";

const encode = (text: string) => new TextEncoder().encode(text);

test("the version is that of the package and of the coordinator", () => {
  const described = JSON.parse(readFileSync("node_modules/quorate/package.json", "utf8")) as { version: string };
  assert.equal(VERSION, described.version);
  assert.equal(VERSION, process.env["QUORATE_VERSION"]);
});

test("exact numbers are read as texts and all others as numbers", () => {
  for (const [text, expected] of [
    ['{"final_value": 0.1234567890123456789012345678}', { final_value: "0.1234567890123456789012345678" }],
    ['{"value":79228162514264337593543950335,"elapsed":7}', { value: "79228162514264337593543950335", elapsed: 7 }],
    ['{"spread":{"min":-1.50,"max":2E+3,"mad":null}}', { spread: { min: "-1.50", max: "2E+3", mad: null } }],
    ['{"value":"42000.50"}', { value: "42000.50" }],
    // Nothing within a text is a field.
    ['{"err":"\\"value\\": 1.50","value" : 1.50}', { err: '"value": 1.50', value: "1.50" }],
    ['{"err":"\\\\","value":1.50}', { err: "\\", value: "1.50" }],
    ['{"err":"value","value":[1.50]}', { err: "value", value: [1.5] }],
    ['["value",1.50]', ["value", 1.5]],
    ['{"weights":{"a":2.50,"}":1.0},"a":2.50}', { weights: { a: "2.50", "}": "1.0" }, a: 2.5 }],
    ['{"weights":{},"a":2.50}', { weights: {}, a: 2.5 }],
    ['{"\\u0076alue":1.50}', { value: 1.5 }],
  ] as const) {
    assert.deepEqual(parse(text), expected);
  }
  for (const text of ["", "NaN", '{"value": 1.5.0.}x', '{"value":01}x', '"', '{"value":1.50', "[".repeat(100_000)]) {
    assert.throws(() => parse(text), text.slice(0, 20));
  }
});

test("a long text costs time in proportion to its length", () => {
  const escaped = '\\"'.repeat(4_000_000);
  assert.equal(parse(`{"err":"${escaped}","value":1.50}`) instanceof Object, true);
  assert.throws(() => parse(`{"err":"${escaped}`));
});

test("events are read however the stream is cut", () => {
  const stream =
    "\ufeffretry: 1000\n\n: a comment\nid: c-1\nevent: outcome\ndata: {\ndata:  1}\n\nevent: empty\n\n" +
    "data\r\n\r\nid: c-2\rdata: é\r\rid: bad\0\nother: x\ndata: y\n\nid: c-3\n\ndata: unfinished\n";
  const expected = [
    { id: "c-1", name: "outcome", data: "{\n 1}" },
    { id: "c-1", name: "message", data: "" },
    { id: "c-2", name: "message", data: "é" },
    { id: "c-2", name: "message", data: "y" },
    { id: "c-3", name: "message", data: undefined },
  ];
  for (const size of [1, 2, 3, 7, stream.length]) {
    const parser = new Parser(1000);
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...parser.feed(stream.slice(at, at + size)));
    assert.deepEqual(events, expected, `in pieces of ${size}`);
    assert.equal(parser.retryMs, 1000);
  }
});

test("an event without end is not kept", () => {
  const parser = new Parser(1000);
  for (let round = 0; round < 100; round += 1) {
    assert.deepEqual([...parser.feed(": a comment that keeps the connection alive\n\n: another one\n")], []);
  }
  for (const endless of ["data: x\n", "x"]) {
    const parser = new Parser(1000);
    assert.throws(() => {
      for (let round = 0; round < 2000; round += 1) [...parser.feed(endless)];
    }, TooLong);
  }
});

test("a follower waits longer after each failure, and gives up only what does not pass", () => {
  const following = new Following(undefined, { recent: 5 });
  assert.equal(following.path, "/events?recent=5");
  assert.throws(() => following.lost(new quorate.Unreachable("the first must be made")), quorate.Unreachable);
  assert.deepEqual([...following.opened(), ...following.received("retry: 200\n\n")], []);
  for (let round = 0; round < 12; round += 1) {
    const longest = Math.min(200 * 2 ** round, 30_000);
    const wait = following.lost(new quorate.Unreachable("away"));
    assert(wait >= longest / 2 && wait <= longest, `${wait} of ${longest}`);
  }
  assert.equal(following.lost(new quorate.RateLimited("rate_limited", 429, "too many", undefined, 60)), 60_000);
  const missed = { kind: "missed", count: null };
  assert.deepEqual([...following.opened()], [missed], "without an event to continue after, events may be lost");
  assert.deepEqual([...following.received(": a comment\n\nid: c1 7\nevent: unknown\ndata: {}\n\n")], []);
  assert.equal(following.path, "/events?last_event_id=c1+7");
  assert.deepEqual([...following.received("id: c1 9\n\nid: c1 10\n")], [], "the server has passed events over");
  assert.equal(following.path, "/events?last_event_id=c1+9");
  assert(following.lost() <= 1000, "it had been connected for a while");
  for (const error of [new quorate.NotFound("not_found", 404, "no route"), new quorate.InvalidResponse("none")]) {
    assert.throws(() => following.lost(error), error);
  }
  assert.throws(() => [...following.received("event: outcome\ndata: {}\n\n")], quorate.InvalidResponse);
  assert.throws(() => [...following.received("event: outcome\ndata: {\n\n")], quorate.InvalidResponse);
});

test("the coordinator is told of which query the events are, on every connection", () => {
  const following = new Following("BTC/*&recent=7", { recent: 5 });
  assert.equal(following.path, "/events?query=BTC%2F*%26recent%3D7&recent=5");
  assert.deepEqual([...following.opened(), ...following.received("id: c-9\n\n")], []);
  assert.equal(following.path, "/events?query=BTC%2F*%26recent%3D7&last_event_id=c-9");
});

test("a refusal of the credentials is final if there is no connection for 5 s", () => {
  const said: string[] = [];
  const faults = new Faults((level, message) => said.push(`${level} ${message}`));
  const refusal = new AuthorizationError("Authorization Violation");
  const away = new AggregateError([new Error("ECONNREFUSED ::1"), new Error("ECONNREFUSED 127.0.0.1")]);
  for (const [fault, atMs, isFinal] of [
    [away, 0, false],
    [away, 100_000, false],
    [refusal, 100_000, false],
    [away, 101_000, false],
    [refusal, 104_999, false],
    [new AuthorizationError("Authentication Timeout"), 106_000, false],
    [away, 107_000, false],
    [refusal, 108_000, true],
  ] as const) {
    assert.equal(faults.note(fault, atMs), isFinal, `${fault.message} ${atMs}`);
  }
  const told = said.filter((line) => !line.startsWith("debug"));
  assert.deepEqual(told, ["warning NATS: ECONNREFUSED ::1", "info NATS: Authorization Violation"]);
  faults.clear();
  assert.equal(faults.note(new UserAuthenticationExpiredError("User Authentication Expired"), 200_000), false);
  assert.equal(faults.note(refusal, 205_000), true);
});

test("a star stands for any characters", () => {
  for (const [pattern, query, isOne] of [
    ["BTC/USD", "BTC/USD", true],
    ["BTC/USD", "BTC/USDT", false],
    ["*", "", true],
    ["*/USD", "BTC/USDT", false],
    ["BTC/*", "BTC/USD", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "acb", false],
    ["a*a", "a", false],
    ["a**a", "aba", true],
    ["a*ab*b", "aabb", true],
    ["a*ab*b", "aab", false],
  ] as const) {
    assert.equal(matches(pattern, query), isOne, `${pattern} ${query}`);
  }
});

test("an offer is bounded like that of any worker", () => {
  const offer = new Offer<number>();
  offer.add("BTC/USD", 1);
  offer.add("BTC/*", 2);
  assert.deepEqual([offer.find("BTC/USD"), offer.find("BTC/EUR"), offer.find("ETH/USD")], [1, 2, undefined]);
  for (const wrong of ["", "x".repeat(257), "a\nb", "\ud800", "BTC/USD"]) assert.throws(() => offer.add(wrong, 3));
  for (let number = 0; number < 254; number += 1) offer.add(`query ${number}`, 3);
  assert.throws(() => offer.add("one more", 3), /at most 256/);
});

test("what a function returns is sent with all its digits", () => {
  const sent = (value: unknown) => encodeResult("w", "r", observed(value), 0.000007, 0);
  for (const [value, json] of [
    [1.1, "1.1"],
    [2n ** 90n, String(2n ** 90n)],
    ["42000.50", '"42000.50"'],
    ['a "text" é', '"a \\"text\\" é"'],
  ] as const) {
    assert.equal(sent(value), `{"worker_id":"w","request_id":"r","response_time":7,"value":${json}}`);
  }
  const wrongs = [undefined, null, true, [], {}, NaN, Infinity, Symbol("s"), "x".repeat(4097), "\ud800"];
  for (const wrong of wrongs) assert.throws(() => observed(wrong), TypeError);
  for (const when of [{ observedAt: new Date(NaN) }, { observedAt: "noon" }, { ageMs: -1 }, { ageMs: "1" }]) {
    assert.throws(() => observed({ value: 1, ...when }), TypeError);
  }
  assert.equal(Buffer.byteLength(failed(new Error("é".repeat(2000))).err ?? ""), 1023, "a character is not cut in two");
});

test("a value ages until it is repeated", () => {
  const observedAt = new Date("2026-01-01T00:00:00Z");
  const aged = (value: unknown, since: number) => {
    const { age_ms, observed_at } = JSON.parse(encodeResult("w", "r", observed(value), 0, since)) as Record<
      string,
      unknown
    >;
    return [age_ms, observed_at];
  };
  assert.deepEqual(aged(1, 0.9), [undefined, undefined]);
  assert.deepEqual(aged(1, 40), [40, undefined]);
  assert.deepEqual(aged({ value: 1, ageMs: 2000 }, 0), [2000, undefined]);
  assert.deepEqual(aged({ value: 1, ageMs: 2000 }, 40), [2040, undefined]);
  assert.deepEqual(aged({ value: 1, observedAt }, 40), [undefined, "2026-01-01T00:00:00.000Z"]);
});

test("a task needs an id and a query, and nothing else", () => {
  const decoded = (text: string, traceparents: string[] = []) =>
    decodeTask(encode(text), "answers", traceparents).tasks[0];
  const task = { id: "r", query: "q", ttlMs: 30_000, reply: { subject: "answers" }, traceparent: undefined };
  assert.deepEqual(decoded('{"id":"r","query":"q"}'), task);
  for (const [ttl, milliseconds] of [
    ["5000", 5000],
    ["0", 0],
    ['"x"', 30_000],
    ["-1", 30_000],
    ["1.5", 30_000],
    ["9".repeat(30), 600_000],
  ] as const) {
    assert.equal(decoded(`{"id":"r","query":"q","ttl_ms":${ttl}}`)?.ttlMs, milliseconds);
  }
  const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  assert.equal(decoded('{"id":"r","query":"q"}', [trace])?.traceparent, trace);
  for (const invalid of [["00-1-1-01"], [trace.toUpperCase()], [`01${trace.slice(2)}`], [trace, trace]]) {
    assert.equal(decoded('{"id":"r","query":"q"}', invalid)?.traceparent, undefined);
  }
  for (const wrong of [
    "",
    "null",
    "[]",
    "{}",
    '{"id":"r"}',
    '{"id":1,"query":"q"}',
    '{"id":"","query":"q"}',
    `{"id":"${"x".repeat(129)}","query":"q"}`,
    '{"id":"r","query":""}',
    '{"id":"r","query":"a\\u0000b"}',
    `{"id":"r","query":"q","more":"${"x".repeat(70_000)}"}`,
  ]) {
    assert.equal(decoded(wrong), undefined, wrong.slice(0, 50));
  }
});

test("a deployment has subjects and a service of its own", () => {
  assert.deepEqual(
    ["oracle", "eu.staging_2"].map((prefix) => Object.values({ ...new Subjects(prefix) })),
    [
      ["oracle.tasks", "oracle.tasks.packed", "oracle.results", "oracle.workers", "quorate-worker"],
      [
        "eu.staging_2.tasks",
        "eu.staging_2.tasks.packed",
        "eu.staging_2.results",
        "eu.staging_2.workers",
        "quorate-worker-eu_staging__2",
      ],
    ],
  );
  const tokens =
    "expected tokens of letters, digits, - and _, joined by dots, each beginning and ending with a letter or digit, such " +
    "as staging or eu.staging; at most 64 characters";
  const refused = (prefix: string, message: string) =>
    assert.throws(() => new Subjects(prefix), { name: "RangeError", message }, prefix);
  const wrongs = ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "$SRV", "_INBOX", "a._b", "a-", "ü", "a/b", "a\n"];
  for (const wrong of [...wrongs, "x".repeat(65)]) refused(wrong, tokens);
  for (const wrong of ["outcomes", "oracle.outcomes", "oracle.outcomes.eu"]) refused(wrong, "no token may be outcomes");
  for (const right of ["a", "a.b_c", "a-b", "A.1", "oracle.outcome", "x".repeat(64)]) new Subjects(right);
});

test("answers are remembered for a while, and only so many", () => {
  const jobs = new Jobs<string>(1, 1);
  const task = (number: number) => ({
    id: `r${number}`,
    query: "q",
    ttlMs: 1,
    reply: { subject: "x" },
    traceparent: undefined,
  });
  const answer = (number: number, now: number) => {
    const job = new Job(task(number), "", now, now + 1);
    jobs.add(job);
    assert.equal(jobs.next(), job);
    jobs.answer(job, { value: "1" }, now);
    jobs.release(job);
  };
  for (let number = 0; number < MAX_REMEMBERED + 5; number += 1) answer(number, 0);
  const isKnown = (number: number) => jobs.find(task(number)) !== undefined;
  assert.deepEqual([isKnown(4), isKnown(5), jobs.isIdle], [false, true, true]);
  answer(-1, REMEMBER_MS);
  assert.deepEqual([isKnown(5), isKnown(-1)], [false, true]);
});
