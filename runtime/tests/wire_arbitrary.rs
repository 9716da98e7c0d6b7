//! Whatever the network sends, decoding it ends in a value within its bounds or an error.

use std::time::SystemTime;

use proptest::prelude::*;
use quorate_core::id::{MAX_ID_BYTES, TaskId};
use quorate_core::value::{MAX_TEXT_BYTES, Value};
use quorate_runtime::wire::{MAX_ERROR_BYTES, PresenceMessage, decode_result, decode_task};

/// Bytes, texts, and JSON that is nearly a message.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<i128>().prop_map(|n| n.to_string()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,25})?",
        ".{0,200}".prop_map(|text| serde_json::Value::from(text).to_string()),
        (0..6000_usize).prop_map(|length| format!("\"{}\"", "é".repeat(length))),
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
        Just("response_time"),
        Just("age_ms"),
        Just("observed_at"),
        Just("state"),
        Just("replicated"),
        Just("metadata"),
    ];
    let object = prop::collection::btree_map(name, scalar, 0..12).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), ".{0,300}".prop_map(String::into_bytes), object]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

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
        }
    }
}
