//! Reads one value out of a JSON text without losing a digit: numbers stay text until they become decimals.

use std::collections::HashMap;

use quorate_core::value::Value;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::age::StatedTime;

/// How the JSON value that a source returns becomes a [`Value`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadAs {
    /// A JSON number, or a string that contains one, as many price feeds send. Anything else is an error.
    #[default]
    Number,
    /// A string, or the digits of a JSON number, as a text.
    Text,
}

impl ReadAs {
    /// Reads a JSON number or string.
    ///
    /// # Errors
    /// A message that says what is there instead.
    pub(crate) fn read(self, json: &RawValue) -> Result<Value, String> {
        match (self, content(json)?) {
            (Self::Number, Content::Number(text)) => number(text),
            (Self::Number, Content::Text(text)) => number(&text),
            (Self::Text, Content::Number(text)) => self::text(text),
            (Self::Text, Content::Text(text)) => self::text(&text),
        }
    }
}

/// Reads a JSON number as a number and a JSON string as a text.
///
/// # Errors
/// A message that says what is there instead.
pub(crate) fn read_as_written(json: &RawValue) -> Result<Value, String> {
    match content(json)? {
        Content::Number(text) => number(text),
        Content::Text(text) => self::text(&text),
    }
}

/// Reads a time: an RFC 3339 text, or a number of seconds or milliseconds since 1970, which may be in a string.
///
/// # Errors
/// A message that says what is there instead.
pub(crate) fn read_time(json: &RawValue) -> Result<StatedTime, String> {
    let value = read_as_written(json)?;
    let time = match (value.as_number(), &value) {
        (Some(number), _) => StatedTime::from_number(number),
        (None, Value::Text(text)) => StatedTime::rfc3339(text),
        (None, Value::Number(_)) => None,
    };
    time.ok_or_else(|| format!("{:?} is neither an RFC 3339 time nor seconds or milliseconds since 1970", json.get()))
}

/// Checks that a text is one JSON value. Nesting costs no stack.
///
/// # Errors
/// A message that says where it is not JSON.
pub(crate) fn parse(bytes: &[u8]) -> Result<&RawValue, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the answer is not UTF-8".to_owned())?;
    serde_json::from_str(text).map_err(|error| format!("the answer is not JSON: {error}"))
}

/// A JSON number or string, distinguished by its first character.
enum Content<'a> {
    Number(&'a str),
    Text(String),
}

fn content(json: &RawValue) -> Result<Content<'_>, String> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map(Content::Text).map_err(|error| format!("bad string: {error}")),
        Some(b'-' | b'0'..=b'9') => Ok(Content::Number(text)),
        Some(b'{') => Err("is an object, not a value".into()),
        Some(b'[') => Err("is an array, not a value".into()),
        _ => Err(format!("is {text}, not a value")),
    }
}

fn number(text: &str) -> Result<Value, String> {
    Value::number(text).map_err(|error| format!("{text:?} {error}"))
}

fn text(text: &str) -> Result<Value, String> {
    Value::text(text).map_err(|error| error.to_string())
}

/// A JSON Pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)): the position of a value within another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    /// Reads a pointer such as `/result/XXBTZUSD/c/0`. The empty pointer refers to the whole value.
    ///
    /// # Errors
    /// A message that says what is wrong with it.
    pub fn parse(pointer: &str) -> Result<Self, String> {
        if pointer.is_empty() {
            return Ok(Self { tokens: Vec::new() });
        }
        let Some(tokens) = pointer.strip_prefix('/') else {
            return Err(format!("a JSON Pointer starts with '/': write \"/{pointer}\""));
        };
        tokens.split('/').map(unescape).collect::<Result<_, _>>().map(|tokens| Self { tokens })
    }

    /// Finds the value that it points to. If an object has a name more than once, the last one counts.
    ///
    /// # Errors
    /// A message that names the step that leads nowhere.
    pub(crate) fn find<'a>(&self, json: &'a RawValue) -> Result<&'a RawValue, String> {
        self.tokens.iter().try_fold(json, |json, token| step(json, token))
    }
}

fn unescape(token: &str) -> Result<String, String> {
    let mut parts = token.split('~');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match part.split_at_checked(1) {
            Some(("0", rest)) => ('~', rest),
            Some(("1", rest)) => ('/', rest),
            _ => return Err("in a JSON Pointer '~' is written \"~0\" and '/' within a name \"~1\"".into()),
        };
        plain.push(sign);
        plain.push_str(rest);
    }
    Ok(plain)
}

fn step<'a>(json: &'a RawValue, token: &str) -> Result<&'a RawValue, String> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let mut members: HashMap<String, &RawValue> =
                serde_json::from_str(text).map_err(|error| format!("the answer is not JSON: {error}"))?;
            members.remove(token).ok_or_else(|| format!("there is no member {token:?}"))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| format!("the answer is not JSON: {error}"))?;
            let index = index(token)?;
            items.get(index).copied().ok_or_else(|| format!("there is no item {index}: the array has {}", items.len()))
        }
        _ => Err(format!("{token:?} leads into a value that is neither an object nor an array")),
    }
}

/// An array index in the pointer's grammar: `0`, or digits that do not begin with `0`.
fn index(token: &str) -> Result<usize, String> {
    if token == "-" {
        return Err("\"-\" names the place after the last item, which is always empty".into());
    }
    let canonical = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    match token.parse() {
        Ok(index) if canonical => Ok(index),
        _ => Err(format!("{token:?} is not an array index")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example document of RFC 6901, section 5.
    const RFC: &str = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;

    fn find(pointer: &str, json: &str) -> Result<String, String> {
        Pointer::parse(pointer)?.find(parse(json.as_bytes())?).map(|found| found.get().to_owned())
    }

    #[test]
    fn a_pointer_finds_what_the_rfc_says() {
        for (pointer, found) in [
            ("", RFC),
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(find(pointer, RFC).as_deref(), Ok(found), "{pointer}");
        }
        assert_eq!(find("/~01", r#"{"~1":1,"/":2}"#).as_deref(), Ok("1"), "~01 is ~1, not /");
        assert_eq!(find("/a", r#"{"a":1,"a":2}"#).as_deref(), Ok("2"));
    }

    #[test]
    fn a_pointer_that_leads_nowhere_says_where() {
        for (pointer, says) in [
            ("/bar", "no member \"bar\""),
            ("/foo/2", "the array has 2"),
            ("/foo/-", "after the last item"),
            ("/foo/01", "not an array index"),
            ("/foo/+1", "not an array index"),
            ("/foo/", "not an array index"),
            ("/foo/99999999999999999999999", "not an array index"),
            ("/foo/0/1", "neither an object nor an array"),
            ("foo", "write \"/foo\""),
            ("/a~", "~0"),
            ("/a~2", "~0"),
            ("/a~é", "~0"),
        ] {
            let error = find(pointer, RFC).expect_err(pointer);
            assert!(error.contains(says), "{pointer}: {error}");
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
        let pointer = "/0".repeat(200);
        assert_eq!(find(&pointer, &deep).map(|found| found.len()), Ok(60_001 - 400));
        assert!(find(&pointer, &"[".repeat(60_000)).is_err());
    }

    #[test]
    fn what_is_not_a_value_is_refused_by_name() {
        for (json, says) in
            [("{}", "object"), ("[1]", "array"), ("null", "null"), ("true", "true"), (r#""\ud800""#, "bad string")]
        {
            for read in [ReadAs::Number, ReadAs::Text] {
                let error = parse(json.as_bytes()).and_then(|json| read.read(json)).expect_err(json);
                assert!(error.contains(says), "{json}: {error}");
            }
        }
        for json in ["", "nul", "1 2", "{\"a\":}", "<html>", "NaN", "01"] {
            assert!(parse(json.as_bytes()).expect_err(json).contains("not JSON"), "{json}");
        }
        assert!(parse(b"\"\xff\"").expect_err("not UTF-8").contains("UTF-8"));
    }
}
