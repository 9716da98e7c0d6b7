//! Checks JSON against a schema of `docs/schemas`, or of the API's document.
//!
//! It knows the part of JSON Schema that these schemas use. A keyword or a pattern it does not know is an error, so
//! that nothing passes unchecked.

use std::fs;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::workspace;

/// A schema of the wire.
#[derive(Clone, Debug)]
pub struct Schema(Value);

impl Schema {
    /// The schema of a kind of message, such as `outcome`; `None` if there is none.
    ///
    /// # Panics
    /// If the schema is not JSON.
    pub fn of(kind: &str) -> Option<Self> {
        let text = fs::read_to_string(workspace(&format!("docs/schemas/{kind}.schema.json"))).ok()?;
        Some(Self(serde_json::from_str(&text).unwrap_or_else(|error| panic!("the schema of {kind}: {error}"))))
    }

    /// A schema of an OpenAPI document, whose references are followed.
    ///
    /// # Panics
    /// If a reference leads nowhere.
    pub fn within(document: &Value, schema: &Value) -> Self {
        Self(followed(document, schema))
    }

    /// Whether `value` is what the schema describes.
    ///
    /// # Errors
    /// Where it is not, and why; or what of the schema is not understood.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        check(&self.0, value).map_err(|(at, why)| format!("at {}: {why}", if at.is_empty() { "/" } else { &at }))
    }
}

/// A schema with its references replaced by what they refer to.
fn followed(document: &Value, schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => {
            let named = keywords.iter().map(|(keyword, rule)| match (keyword.as_str(), rule) {
                ("$ref", Value::String(path)) => {
                    let target = document.pointer(path.trim_start_matches('#'));
                    let target = target.unwrap_or_else(|| panic!("{path} has no target"));
                    // A reference may have further keywords next to it.
                    ("allOf".to_owned(), Value::Array(vec![followed(document, target)]))
                }
                _ => (keyword.clone(), followed(document, rule)),
            });
            Value::Object(named.collect())
        }
        Value::Array(items) => items.iter().map(|item| followed(document, item)).collect(),
        plain => plain.clone(),
    }
}

/// Where in the value, and why.
type Wrong = (String, String);

fn check(schema: &Value, value: &Value) -> Result<(), Wrong> {
    let here = |why: String| (String::new(), why);
    let keywords = schema.as_object().ok_or_else(|| here(format!("{schema} is not a schema")))?;
    for (keyword, rule) in keywords {
        match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "default" | "example" | "examples" => {}
            // The width of an integer. Where it matters, the bounds state it, too.
            "format" if ["uint16", "uint32", "uint64"].iter().any(|width| rule == width) => {}
            // Readers ignore unknown fields, except those of a request.
            "additionalProperties" if rule == true => {}
            "additionalProperties" => others(rule, keywords.get("properties"), value)?,
            "propertyNames" => {
                for name in value.as_object().into_iter().flat_map(Map::keys) {
                    check(rule, &Value::from(name.as_str()))?;
                }
            }
            "allOf" => list(rule).iter().try_for_each(|schema| check(schema, value))?,
            "oneOf" => {
                let tried: Vec<_> = list(rule).iter().map(|schema| check(schema, value)).collect();
                if tried.iter().filter(|tried| tried.is_ok()).count() != 1 {
                    return Err(here(format!("{value} is not exactly one of the alternatives: {tried:?}")));
                }
            }
            "properties" => properties(rule, value)?,
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item).map_err(|(at, why)| (format!("/{index}{at}"), why))?;
                }
            }
            "anyOf" => {
                let tried: Vec<_> = list(rule).iter().map(|schema| check(schema, value)).collect();
                if !tried.iter().any(Result::is_ok) {
                    return Err(here(format!("{value} is none of the alternatives: {tried:?}")));
                }
            }
            _ if holds(keyword, rule, value).map_err(here)? => {}
            _ => return Err(here(format!("{value} breaks {keyword}: {rule}"))),
        }
    }
    Ok(())
}

fn properties(rule: &Value, value: &Value) -> Result<(), Wrong> {
    let (Some(schemas), Some(fields)) = (rule.as_object(), value.as_object()) else { return Ok(()) };
    for (name, schema) in schemas {
        if let Some(field) = fields.get(name) {
            check(schema, field).map_err(|(at, why)| (format!("/{name}{at}"), why))?;
        }
    }
    Ok(())
}

/// The fields that no schema names.
fn others(rule: &Value, named: Option<&Value>, value: &Value) -> Result<(), Wrong> {
    let others =
        value.as_object().into_iter().flatten().filter(|(name, _)| named.is_none_or(|of| of.get(name).is_none()));
    for (name, field) in others {
        if *rule == false {
            return Err((format!("/{name}"), "there is no such field".to_owned()));
        }
        check(rule, field).map_err(|(at, why)| (format!("/{name}{at}"), why))?;
    }
    Ok(())
}

/// Whether a value satisfies a keyword that concerns it as a whole. A keyword for another type is always satisfied.
fn holds(keyword: &str, rule: &Value, value: &Value) -> Result<bool, String> {
    let has_all = |fields: &Map<String, Value>, names: &Value| {
        list(names).iter().all(|name| name.as_str().is_some_and(|name| fields.contains_key(name)))
    };
    let bound = || rule.as_f64().ok_or_else(|| format!("{keyword}: {rule} is not a number"));
    let length = |text: &str| text.chars().count() as f64;
    Ok(match keyword {
        "type" if rule.is_array() => list(rule).iter().any(|name| is_of(name, value)),
        "type" => is_of(rule, value),
        "const" => rule == value,
        "enum" => list(rule).contains(value),
        "format" if rule == "date-time" => {
            value.as_str().is_none_or(|text| OffsetDateTime::parse(text, &Rfc3339).is_ok())
        }
        "required" => value.as_object().is_none_or(|fields| has_all(fields, rule)),
        "dependentRequired" => value.as_object().is_none_or(|fields| {
            let dependent = rule.as_object().into_iter().flatten();
            dependent.filter(|(name, _)| fields.contains_key(*name)).all(|(_, names)| has_all(fields, names))
        }),
        "minimum" => value.as_f64().is_none_or(|number| bound().is_ok_and(|bound| number >= bound)),
        "maximum" => value.as_f64().is_none_or(|number| bound().is_ok_and(|bound| number <= bound)),
        "minLength" => value.as_str().is_none_or(|text| bound().is_ok_and(|bound| length(text) >= bound)),
        "maxLength" => value.as_str().is_none_or(|text| bound().is_ok_and(|bound| length(text) <= bound)),
        "maxItems" => value.as_array().is_none_or(|items| bound().is_ok_and(|bound| items.len() as f64 <= bound)),
        "pattern" => {
            let matches = pattern(rule)?;
            value.as_str().is_none_or(matches)
        }
        _ => return Err(format!("the keyword {keyword} is not known to this check; teach it")),
    })
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

/// The check for a pattern of the schemas.
fn pattern(rule: &Value) -> Result<fn(&str) -> bool, String> {
    match rule.as_str() {
        Some(r"^[^\u0000-\u001f\u007f-\u009f]+$") => Ok(|text| !text.is_empty() && !text.contains(char::is_control)),
        Some(r"^(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$") => Ok(is_positive_number),
        Some(r"^(mad|iqr):(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$") => {
            Ok(|text| text.strip_prefix("mad:").or(text.strip_prefix("iqr:")).is_some_and(is_positive_number))
        }
        Some(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$") => {
            Ok(|text| is_positive_number(text.strip_prefix('-').unwrap_or(text)) && !text.contains(['e', 'E']))
        }
        Some(r"^[a-zA-Z0-9_-]+$") => Ok(is_name),
        Some(r"^quorate-worker(-[a-zA-Z0-9_-]+)?$") => Ok(|text| {
            let prefix = text.strip_prefix("quorate-worker");
            prefix.is_some_and(|prefix| prefix.is_empty() || prefix.strip_prefix('-').is_some_and(is_name))
        }),
        // The pattern that semver.org suggests.
        Some(
            r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
        ) => Ok(is_version),
        _ => Err(format!("the pattern {rule} is not known to this check; teach it")),
    }
}

fn is_positive_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.parse::<serde_json::Number>().is_ok()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A version as semver.org describes it: three numbers, perhaps `-` and a pre-release, perhaps `+` and a build.
fn is_version(text: &str) -> bool {
    let is_identifier = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let has_no_leading_zero = |part: &str| part == "0" || !part.starts_with('0');
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    core.split('.').count() == 3
        && core.split('.').all(|part| is_digits(part) && has_no_leading_zero(part))
        && pre.is_none_or(|pre| {
            pre.split('.').all(|part| is_identifier(part) && (!is_digits(part) || has_no_leading_zero(part)))
        })
        && build.is_none_or(|build| build.split('.').all(is_identifier))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(kind: &str, value: &Value) -> String {
        Schema::of(kind).expect("there is one").check(value).expect_err("it is wrong")
    }

    #[test]
    fn what_breaks_a_schema_is_named_with_its_place() {
        let result = |field: &str, value: Value| {
            let mut result = json!({"worker_id": "w", "request_id": "r", "value": 1, "response_time": 1});
            result[field] = value;
            result
        };
        let good = result("value", json!("a text"));
        assert_eq!(Schema::of("result").expect("there is one").check(&good), Ok(()));
        for (value, place) in [
            (json!([]), "at /: [] breaks type"),
            (json!({"worker_id": "w"}), "breaks required"),
            (result("worker_id", json!("")), "at /worker_id: "),
            (result("worker_id", json!("a\u{7}")), "at /worker_id: "),
            (result("worker_id", json!("w".repeat(129))), "at /worker_id: "),
            (result("value", json!(true)), "at /value: "),
        ] {
            let found = wrong("result", &value);
            assert!(found.contains(place), "{value}: {found}");
        }
        let request = |rule: &str| json!({"query": "q", "max_deviation": rule});
        for rule in ["0.05", "mad:5", "iqr:1.5"] {
            assert_eq!(Schema::of("request").expect("there is one").check(&request(rule)), Ok(()));
        }
        for rule in ["-1", "sd:3", "mad:", "mad:-1", "iqr:x"] {
            assert!(wrong("request", &request(rule)).contains("at /max_deviation: "), "{rule}");
        }
        assert!(wrong("request", &json!({"query": "q", "min_agrement": 1})).contains("at /min_agrement: "));
        let error = json!({"error": "conflict", "code": 409, "details": "", "request_id": "r"});
        assert!(wrong("error", &error).contains("dependentRequired"));
        assert!(wrong("error", &json!({"error": "conflict", "code": 99, "details": ""})).contains("at /code: "));
        assert!(wrong("error", &json!({"error": "oops", "code": 409, "details": ""})).contains("at /error: "));
        let stats = |field: &str, value: Value| {
            let mut stats = json!({
                "type": "io.nats.micro.v1.stats_response", "name": "quorate-worker", "id": "i", "version": "1.2.3-rc.1+b",
                "metadata": {"worker_id": "w", "replicated": "false", "state": "live"},
                "started": "2024-01-05T10:00:00Z", "endpoints": [],
            });
            stats[field] = value;
            stats
        };
        assert_eq!(Schema::of("service_stats").expect("there is one").check(&stats("id", json!("j"))), Ok(()));
        let metadata = json!({"worker_id": "w", "replicated": "false", "state": "live", "more": 1});
        for (field, value, place) in [
            ("type", json!("io.nats.micro.v1.ping_response"), "at /type: "),
            ("version", json!("1.2"), "at /version: "),
            ("version", json!("1.02.3"), "at /version: "),
            ("version", json!("1.2.3-"), "at /version: "),
            ("version", json!("1.2.3+b_1"), "at /version: "),
            ("started", json!("yesterday"), "at /started: "),
            ("metadata", metadata, "at /metadata/more: "),
            ("endpoints", json!([{"name": "a.b", "subject": "s"}]), "at /endpoints/0"),
        ] {
            let found = wrong("service_stats", &stats(field, value));
            assert!(found.contains(place), "{field}: {found}");
        }
        assert!(Schema::of("nothing").is_none());
    }

    #[test]
    fn a_schema_that_is_not_understood_lets_nothing_pass() {
        for schema in [json!({"oneOf": []}), json!({"pattern": "^a$"}), json!({"format": "uri"}), json!(1)] {
            assert!(Schema(schema.clone()).check(&json!("a")).is_err(), "{schema}");
        }
    }
}
