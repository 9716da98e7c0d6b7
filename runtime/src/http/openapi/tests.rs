//! The document, against what is served and what else describes it.

use std::collections::BTreeSet;
use std::fs;

use quorate_core::policy::{Limits, Policy};
use quorate_test_support::{Schema, workspace};
use serde_json::{Value as Json, json};

use super::DOCUMENT;
use crate::http::Question;

/// Set, the test of the copy renews it instead.
const RENEW: &str = "QUORATE_RENEW_OPENAPI";

fn document() -> Json {
    serde_json::from_str(&DOCUMENT).expect("the document is JSON")
}

#[test]
fn the_copy_in_docs_is_the_document() {
    let path = workspace("docs/openapi.json");
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, &*DOCUMENT).expect("docs can be written to");
    }
    let copy = fs::read_to_string(path).unwrap_or_default();
    assert!(copy == *DOCUMENT, "docs/openapi.json is stale; this renews it: make openapi");
}

/// Every value under a key, however deep.
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
    assert_eq!(formats, ["uint16", "uint32", "uint64"].into());
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

#[test]
fn the_schemas_of_the_protocol_have_the_same_fields() {
    let document = document();
    for (kind, name) in [("request", "Request"), ("outcome", "Outcome"), ("error", "AskedError")] {
        let generated = Schema::within(&document, &document["components"]["schemas"][name]);
        let protocol = Schema::of(kind).expect("there is such a schema");
        assert_eq!(generated.fields(), protocol.fields(), "{kind}");
    }
}

/// Whether a request with this value in this field is taken by a coordinator that is set up as usual.
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
    assert_eq!(ranges, 9);
    for (field, schema) in [("strategy", "Strategy"), ("on_dispute", "OnDispute")] {
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
