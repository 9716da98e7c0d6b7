//! The schemas of the API's bodies, one file each, for `docs/schemas`. They are derived from the document.
//!
//! They state bounds that the document gives only in words. They leave out bounds that depend on a coordinator's flags,
//! which the document states for the default flags.

use quorate_core::policy::Policy;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

/// The order of keywords. All others, and names, follow alphabetically.
const ORDER: [&str; 7] = ["$schema", "$id", "title", "description", "type", "required", "properties"];

/// The files: names and contents.
pub(super) fn files(document: &Json) -> Vec<(String, String)> {
    [
        ("request", "Request", "The body of POST /request.", request(document)),
        ("outcome", "Outcome", "The body of a 200 from POST /request.", outcome(document)),
        ("error", "Error", "The body of every answer of the HTTP API that is not a success.", error(document)),
    ]
    .into_iter()
    .map(|(kind, title, description, mut schema)| {
        let name = format!("{kind}.schema.json");
        let about = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, "title": title,
            "description": description,
        });
        add(&mut schema, about);
        let text = serde_json::to_string_pretty(&Ordered(&schema)).expect("a schema is serializable");
        (name, text + "\n")
    })
    .collect()
}

/// A request. `null` is treated as absent, and is not described. The largest times are left out: the coordinator's
/// flags bound the timeout, and nothing the age. The defaults hold unless those flags or the policy file change them.
fn request(document: &Json) -> Json {
    let mut document = document.clone();
    let fields = document.pointer_mut("/components/schemas/Request/properties").and_then(Json::as_object_mut);
    for field in fields.expect("a request has fields").values_mut() {
        without_null(field);
    }
    let mut request = alone(&document, &document["components"]["schemas"]["Request"]);
    let fields = &mut request["properties"];
    for unbounded in ["timeout_ms", "max_age_ms"] {
        fields[unbounded].as_object_mut().expect("a field").remove("maximum");
    }
    let Policy { rule, min_responses, on_dispute, .. } = Policy::default();
    let trim_share: Json = rule.trim_share.to_string().parse().expect("a decimal is a JSON number");
    for (field, default) in [
        ("strategy", rule.strategy.name().into()),
        ("precision", rule.precision.into()),
        ("trim_share", trim_share),
        ("on_dispute", on_dispute.name().into()),
        ("min_responses", min_responses.into()),
    ] {
        add(&mut fields[field], json!({"default": default}));
    }
    request
}

/// An outcome. The length of a text is bounded where a worker sends it, and not in `final_value`.
fn outcome(document: &Json) -> Json {
    let mut outcome = alone(document, &document["components"]["schemas"]["Outcome"]);
    bound(&mut outcome);
    let fields = &mut outcome["properties"];
    add(&mut fields["spread"]["properties"]["mad"], json!({"minimum": 0}));
    for choice in fields["final_value"]["anyOf"].as_array_mut().expect("a number or a text") {
        choice.as_object_mut().expect("a schema").remove("maxLength");
    }
    outcome
}

/// An error, with or without evidence. If it has a `request_id`, it has all of the evidence.
fn error(document: &Json) -> Json {
    let schemas = &document["components"]["schemas"];
    let mut error = alone(document, &schemas["AskedError"]);
    bound(&mut error);
    error["required"] = schemas["Error"]["required"].clone();
    add(&mut error, json!({"dependentRequired": {"request_id": schemas["Evidence"]["required"]}}));
    error
}

/// Adds the bounds of shares and weights.
fn bound(schema: &mut Json) {
    let fields = &mut schema["properties"];
    add(&mut fields["agreement"], json!({"minimum": 0, "maximum": 1}));
    add(&mut fields["workers"]["items"]["properties"]["weight"], json!({"minimum": 0}));
}

/// Adds keywords, replacing those that are already there.
fn add(schema: &mut Json, keywords: Json) {
    let (Some(schema), Json::Object(keywords)) = (schema.as_object_mut(), keywords) else {
        panic!("only a schema that is there can be added to");
    };
    schema.extend(keywords);
}

/// Removes the alternative `null` from a field of the document.
fn without_null(field: &mut Json) {
    if let Some([schema, null]) = field.get("oneOf").and_then(Json::as_array).map(Vec::as_slice)
        && *null == json!({"type": "null"})
    {
        *field = schema.clone();
    } else if let Some([plain, null]) = field.get("type").and_then(Json::as_array).map(Vec::as_slice)
        && null == "null"
    {
        field["type"] = plain.clone();
    }
}

/// A self-contained copy of a schema of the document: each reference is replaced by its target, and the fields of its
/// parts become its own.
fn alone(document: &Json, schema: &Json) -> Json {
    let keywords = schema.as_object().expect("a schema is an object");
    let mut own = Map::new();
    let target = keywords.get("$ref").and_then(Json::as_str).map(|path| path.trim_start_matches('#'));
    for part in target.and_then(|path| document.pointer(path)).into_iter().chain(list(keywords, "allOf")) {
        let Json::Object(part) = alone(document, part) else { unreachable!("a schema stays an object") };
        for (keyword, rule) in part {
            match (own.get_mut(&keyword), rule) {
                (Some(Json::Object(fields)), Json::Object(more)) => fields.extend(more),
                (Some(Json::Array(names)), Json::Array(more)) => names.extend(more),
                (_, rule) => {
                    own.insert(keyword, rule);
                }
            }
        }
    }
    for (keyword, rule) in keywords {
        let rule = match keyword.as_str() {
            // The width of an integer does not concern a client.
            "$ref" | "allOf" | "oneOf" => continue,
            "format" if rule != "date-time" => continue,
            "example" => {
                own.insert("examples".to_owned(), json!([rule]));
                continue;
            }
            // Descriptions have the line breaks of the source code.
            "description" => rule.as_str().expect("words").replace('\n', " ").into(),
            "properties" => {
                let fields = rule.as_object().expect("fields by name");
                fields.iter().map(|(name, field)| (name.clone(), alone(document, field))).collect()
            }
            "items" => alone(document, rule),
            "anyOf" => list(keywords, "anyOf").map(|choice| alone(document, choice)).collect(),
            _ => rule.clone(),
        };
        own.insert(keyword.clone(), rule);
    }
    if let [schema, null] = list(keywords, "oneOf").collect::<Vec<_>>()[..] {
        assert_eq!(*null, json!({"type": "null"}), "the only supported `oneOf` is a schema or null");
        own.extend(or_null(alone(document, schema)));
    }
    if own.get("type").is_some_and(|kind| *kind == "object" || *kind == json!(["object", "null"])) {
        // Readers ignore unknown fields, unless the schema says otherwise.
        own.entry("additionalProperties").or_insert(true.into());
    }
    own.into()
}

/// The same schema, with `null` as an alternative.
fn or_null(schema: Json) -> Map<String, Json> {
    let Json::Object(mut schema) = schema else { unreachable!("a schema is an object") };
    assert!(!schema.contains_key("enum"), "a schema that allows null lists no names");
    if let Some(Json::Array(choices)) = schema.get_mut("anyOf") {
        choices.push(json!({"type": "null"}));
    } else {
        let kind = schema.get_mut("type").expect("it is a choice, or of one type");
        *kind = json!([kind, "null"]);
    }
    schema
}

fn list<'a>(keywords: &'a Map<String, Json>, keyword: &str) -> impl Iterator<Item = &'a Json> {
    keywords.get(keyword).and_then(Json::as_array).into_iter().flatten()
}

/// A schema that is written with its keywords in order, whatever order its maps have.
struct Ordered<'a>(&'a Json);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Object(keywords) => {
                let mut keywords: Vec<_> = keywords.iter().collect();
                let place = |name: &str| ORDER.iter().position(|keyword| *keyword == name).unwrap_or(ORDER.len());
                keywords.sort_by_key(|(name, _)| (place(name), *name));
                serializer.collect_map(keywords.into_iter().map(|(name, rule)| (name, Ordered(rule))))
            }
            Json::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            plain => plain.serialize(serializer),
        }
    }
}
