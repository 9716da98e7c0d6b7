//! Compares the document with what is served, with its copies, and with what else describes it.

use std::collections::BTreeSet;
use std::fs;

use quorate_core::outcome::Failure;
use quorate_core::policy::{Limits, Policy};
use quorate_test_support::{Schema, workspace};
use serde_json::{Value as Json, json};

use super::{DOCUMENT, schemas};
use crate::http::{Question, example};
use crate::wire::{Numbers, encode_outcome};

/// If this variable is set, the tests of the copies renew them.
const RENEW: &str = "QUORATE_RENEW_OPENAPI";

fn document() -> Json {
    serde_json::from_str(&DOCUMENT).expect("the document is JSON")
}

#[test]
fn the_copy_in_docs_is_the_document() {
    check_copy("docs/openapi.json", &DOCUMENT);
}

#[test]
fn the_copies_in_docs_are_the_schemas_of_the_document() {
    for (name, schema) in schemas::files(&document()) {
        check_copy(&format!("docs/schemas/{name}"), &schema);
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = document();
    let mut names = Vec::new();
    under("operationId", &document["paths"], &mut names);
    let unique: BTreeSet<_> = names.iter().map(|name| name.as_str().expect("a name")).collect();
    assert_eq!(unique.len(), names.len(), "generators of clients refuse repeated names: {names:?}");
}

fn check_copy(name: &str, text: &str) {
    let path = workspace(name);
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, text).expect("docs can be written to");
    }
    let copy = fs::read_to_string(path).unwrap_or_default();
    assert!(copy == text, "{name} is stale; renew it with: make openapi");
}

/// Collects every value under a key, at any depth.
fn under<'a>(key: &str, json: &'a Json, found: &mut Vec<&'a Json>) {
    match json {
        Json::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|field| under(key, field, found));
        }
        Json::Array(items) => items.iter().for_each(|item| under(key, item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_to_a_schema_and_every_schema_is_referred_to() {
    let document = document();
    let mut references = Vec::new();
    under("$ref", &document, &mut references);
    let referred: BTreeSet<_> = references.into_iter().filter_map(Json::as_str).collect();
    let schemas = document["components"]["schemas"].as_object().expect("there are schemas");
    let there: BTreeSet<_> = schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    assert_eq!(referred, there.iter().map(String::as_str).collect());
}

#[test]
fn every_format_is_one_of_the_registry() {
    let document = document();
    let mut formats = Vec::new();
    under("format", &document, &mut formats);
    let formats: BTreeSet<_> = formats.into_iter().filter_map(Json::as_str).collect();
    assert_eq!(formats, ["date-time", "uint16", "uint32", "uint64"].into());
}

#[test]
fn every_example_is_what_its_schema_describes() {
    let document = document();
    let mut bodies = Vec::new();
    under("application/json", &document, &mut bodies);
    let mut checked = 0;
    let mut check = |schema: &Json, example: &Json| {
        checked += 1;
        let fits = Schema::within(&document, schema).check(example);
        fits.unwrap_or_else(|wrong| panic!("{wrong}: {example} of {schema}"));
    };
    for body in bodies {
        let named = body["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        body.get("example").into_iter().chain(named).for_each(|example| check(&body["schema"], example));
    }
    for schema in document["components"]["schemas"].as_object().expect("there are schemas").values() {
        schema["examples"].as_array().into_iter().flatten().for_each(|example| check(schema, example));
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn the_errors_are_those_of_the_protocol() {
    let document = document();
    let mut described =
        BTreeSet::from([("404".into(), "not_found".into()), ("405".into(), "method_not_allowed".into())]);
    for operation in document["paths"].as_object().expect("there are routes").values().filter_map(Json::as_object) {
        let responses = operation.values().filter_map(|operation| operation["responses"].as_object()).flatten();
        for (status, response) in responses {
            let examples = response["content"]["application/json"]["examples"].as_object();
            described.extend(examples.into_iter().flatten().map(|(word, _)| (status.clone(), word.clone())));
        }
    }
    let protocol = fs::read_to_string(workspace("docs/protocol.md")).expect("there is a protocol");
    let rows = protocol.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"));
    let rows = rows.filter(|(status, _)| status.parse::<u16>().is_ok());
    let table = rows.map(|(status, rest)| (status.to_owned(), rest.split('`').next().unwrap_or_default().to_owned()));
    assert_eq!(described, table.collect());
}

/// A copy of `body` with another value in one place.
fn with(body: &Json, place: &str, value: &Json) -> Json {
    let mut body = body.clone();
    let (parent, name) = place.rsplit_once('/').expect("a place begins with a slash");
    body.pointer_mut(parent).expect("the place is there")[name] = value.clone();
    body
}

#[test]
fn the_schemas_of_bodies_are_as_strict_as_the_protocol() {
    let answered: Json =
        serde_json::from_slice(&encode_outcome(&example::answered(), Numbers::Number)).expect("an outcome is JSON");
    let disputed = example::failed(Failure::Disputed { agreeing: 1, used: 2 });
    let disputed: Json = serde_json::from_slice(&disputed.body).expect("an error is JSON");
    let conflict = json!({"error": "conflict", "code": 409, "details": ""});
    let question = json!({"query": "q"});
    let (long, longer) = ("x".repeat(4096), "x".repeat(4097));
    for (kind, body, place, good, bad) in [
        ("outcome", &answered, "/agreement", json!([0, 0.5, 1]), json!([-0.1, 1.1, "1", null])),
        ("outcome", &answered, "/workers/1/weight", json!([0, 2.5]), json!([-1, null])),
        ("outcome", &answered, "/spread/mad", json!([0]), json!([-1, null])),
        ("outcome", &answered, "/spread/interquartile", json!([1, "1", null]), json!(["x", true])),
        ("outcome", &answered, "/spread", json!([null]), json!([{}, 1])),
        ("outcome", &answered, "/final_value", json!([-1.5, longer]), json!([true, null])),
        ("outcome", &answered, "/worker_responses/0/value", json!([1, long, null]), json!([longer, true])),
        ("outcome", &answered, "/worker_responses/0/err", json!(["x"]), json!(["", longer, null])),
        ("error", &disputed, "/agreement", json!([0, 1]), json!([-0.1, 1.1, null])),
        ("error", &disputed, "/workers/1/weight", json!([0]), json!([-1])),
        ("error", &conflict, "/code", json!([400, 599]), json!([399, 600, null])),
        ("error", &conflict, "/more", json!([null]), json!([])),
        // A `request_id` requires all of the evidence. The other fields are checked even if they are alone.
        ("error", &conflict, "/request_id", json!([]), json!(["r"])),
        ("error", &conflict, "/expected", json!([1]), json!([-1, null])),
        ("request", &question, "/id", json!(["r"]), json!(["", null])),
        ("request", &question, "/strategy", json!(["median"]), json!(["mode", null])),
        ("request", &question, "/precision", json!([0, 28]), json!([-1, 29, null])),
        ("request", &question, "/trim_share", json!([0.25, "0.25"]), json!([0.5, -1, null])),
        ("request", &question, "/max_deviation", json!([9, "9", "mad:3"]), json!([-1, "sd:3", null])),
        ("request", &question, "/tolerance", json!([9, "0.1"]), json!([-1, "x", null])),
        ("request", &question, "/min_agreement", json!([1, "0.1"]), json!([1.1, null])),
        ("request", &question, "/on_dispute", json!(["reject"]), json!(["accept", null])),
        ("request", &question, "/min_responses", json!([1, 1000]), json!([0, 1001, null])),
        ("request", &question, "/quorum", json!([1, 1000]), json!([0, 1001, null])),
        // The longest time depends on the coordinator's flags.
        ("request", &question, "/timeout_ms", json!([1, 600_000]), json!([0, 1.5, null])),
        ("request", &question, "/max_age_ms", json!([0, u64::MAX]), json!([-1, null])),
        ("request", &question, "/decimals", json!([0, 28]), json!([-1, 29, null])),
        ("request", &question, "/numbers", json!(["number", "string"]), json!(["hex", null])),
    ] {
        let schema = Schema::of(kind).expect("there is such a schema");
        assert_eq!(schema.check(body), Ok(()), "{kind}");
        for (values, is_good) in [(good, true), (bad, false)] {
            for value in values.as_array().expect("values") {
                let checked = schema.check(&with(body, place, value));
                assert_eq!(checked.is_ok(), is_good, "{kind}{place}: {value:.80}: {checked:?}");
            }
        }
    }
}

/// Whether a coordinator with the default settings accepts a request with this value in this field.
fn is_taken(field: &str, value: &Json) -> bool {
    let mut body = json!({"query": "q"});
    body[field] = value.clone();
    let question = Question::parse(body.to_string().as_bytes());
    question.is_ok_and(|question| Policy::default().with(&question.overrides, &Limits::default()).is_ok())
}

#[test]
fn a_request_is_taken_within_the_ranges_that_are_described_and_not_beyond() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let mut ranges = 0;
    for (field, schema) in schemas["Request"]["properties"].as_object().expect("there are fields") {
        let mut bounds = Vec::new();
        under("minimum", schema, &mut bounds);
        under("maximum", schema, &mut bounds);
        for bound in bounds.into_iter().filter_map(Json::as_i64) {
            ranges += 1;
            let beyond = if schema["minimum"] == bound { bound - 1 } else { bound + 1 };
            assert!(is_taken(field, &json!(bound)), "{field}: {bound}");
            assert!(!is_taken(field, &json!(beyond)), "{field}: {beyond}");
        }
        assert!(is_taken(field, &Json::Null) || field == "query", "{field} may be null");
    }
    assert_eq!(ranges, 11);
    for (field, schema) in [("strategy", "Strategy"), ("on_dispute", "OnDispute"), ("numbers", "Numbers")] {
        for name in schemas[schema]["enum"].as_array().expect("there are names") {
            assert!(is_taken(field, name), "{name}");
        }
    }
    for (field, longest) in [("id", "Id"), ("query", "Query")] {
        let longest = schemas[longest]["maxLength"].as_u64().expect("there is a bound") as usize;
        assert!(is_taken(field, &"x".repeat(longest).into()) && !is_taken(field, &"x".repeat(longest + 1).into()));
        assert!(!is_taken(field, &"".into()) && !is_taken(field, &"\u{7f}".into()), "{field}");
    }
}
