//! Decoding whatever the network sends yields a value within its bounds or an error.

use std::time::SystemTime;

use proptest::prelude::*;
use quorate_core::id::{MAX_ID_BYTES, TaskId};
use quorate_core::offer::MAX_PATTERNS;
use quorate_core::value::{MAX_TEXT_BYTES, Value};
use quorate_runtime::bus::{Headers, MAX_HEADER_BYTES, MAX_HEADERS};
use quorate_runtime::wire::{MAX_ERROR_BYTES, PresenceMessage, TraceContext, decode_result, decode_task};

/// Bytes, texts, and JSON that resembles a message.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<i128>().prop_map(|n| n.to_string()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,25})?",
        ".{0,200}".prop_map(|text| serde_json::Value::from(text).to_string()),
        (0..6000_usize).prop_map(|length| format!("\"{}\"", "é".repeat(length))),
        prop::collection::vec(".{0,300}", 0..300).prop_map(|texts| serde_json::Value::from(texts).to_string()),
        (0..300_usize).prop_map(|depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth))),
    ];
    let name = prop_oneof![
        Just("id"),
        Just("query"),
        Just("ttl_ms"),
        Just("attempt"),
        Just("worker_id"),
        Just("request_id"),
        Just("value"),
        Just("err"),
        Just("overloaded"),
        Just("response_time"),
        Just("age_ms"),
        Just("observed_at"),
        Just("state"),
        Just("replicated"),
        Just("queries"),
        Just("metadata"),
    ];
    let object = prop::collection::btree_map(name, scalar, 0..12).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), ".{0,300}".prop_map(String::into_bytes), object]
}

/// Texts that resemble a `traceparent`, and some that are one.
fn traceparents() -> impl Strategy<Value = String> {
    let hex =
        |least: usize, most: usize| prop::collection::vec("[0-9a-f]", least..=most).prop_map(|digits| digits.concat());
    let near = (hex(2, 2), hex(31, 33), hex(15, 17), hex(1, 3), "(-.{0,20})?")
        .prop_map(|(version, trace, span, flags, rest)| format!("{version}-{trace}-{span}-{flags}{rest}"));
    let exact = (hex(2, 2), hex(32, 32), hex(16, 16), hex(2, 2), prop_oneof![Just(""), Just("-more")])
        .prop_map(|(version, trace, span, flags, rest)| format!("{version}-{trace}-{span}-{flags}{rest}"));
    prop_oneof![".{0,80}", near, exact]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_trace_context_is_passed_on_with_its_trace_and_span(text in traceparents()) {
        if let Ok(context) = text.parse::<TraceContext>() {
            let passed_on = context.to_string();
            prop_assert_eq!(&passed_on[2..53], &text[2..53], "the same trace and span");
            prop_assert_eq!(passed_on.parse::<TraceContext>(), Ok(context));
            prop_assert_eq!(TraceContext::of_mark(context.mark()), Some(context));
        }
    }

    #[test]
    fn headers_keep_to_their_bounds(pairs in prop::collection::vec((".{0,12}", ".{0,200}"), 0..40)) {
        let headers = Headers::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        prop_assert!(headers.iter().len() <= MAX_HEADERS && headers.wire_bytes() <= MAX_HEADER_BYTES);
        prop_assert_eq!(Headers::new(headers.iter()), headers.clone(), "headers made of headers are the same");
        prop_assert!(headers.iter().all(|(name, value)| !name.contains([':', '\n']) && !value.contains(['\r', '\n'])));
    }

    #[test]
    fn decoding_keeps_to_its_bounds(message in messages()) {
        if let Ok(task) = decode_task(&message, Some("reply")) {
            prop_assert!(task.request.as_str().len() <= MAX_ID_BYTES);
            prop_assert!((1..=256).contains(&task.query.as_str().chars().count()));
        }
        if let Ok(result) = decode_result(&message, Some(TaskId(1)), SystemTime::now()) {
            prop_assert!(result.worker.as_str().len() <= MAX_ID_BYTES);
            match result.observed {
                Ok(Value::Text(text)) => prop_assert!(text.len() <= MAX_TEXT_BYTES),
                Ok(Value::Number(_)) => {}
                Err(error) => prop_assert!(!error.is_empty() && error.len() <= MAX_ERROR_BYTES),
            }
        }
        for presence in [PresenceMessage::decode(&message), PresenceMessage::decode_ping(&message)].into_iter().flatten() {
            prop_assert!(presence.worker.as_str().len() <= MAX_ID_BYTES);
            prop_assert!(presence.offer.patterns().len() <= MAX_PATTERNS);
        }
    }
}
