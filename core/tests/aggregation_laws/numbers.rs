//! Reading and writing numbers.

use proptest::prelude::*;
use quorate_core::value::{Value, ValueError};
use serde_json::value::RawValue;

use crate::support::decimal;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_number_survives_being_written_and_read(number in decimal()) {
        let text = number.to_string();
        let read = Value::number(&text).expect("a decimal is a number");
        prop_assert_eq!(&read, &Value::Number(number));
        prop_assert_eq!(read.as_number().map(|read| read.scale()), Some(number.scale()));
    }

    #[test]
    fn reading_a_number_never_panics_and_agrees_with_a_json_parser(
        noise in "\\PC{0,40}",
        almost in "-?[0-9]{0,40}\\.?[0-9]{0,40}([eE][+-]?[0-9]{0,30})?",
    ) {
        for text in [noise, almost] {
            let number_like = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
            let in_grammar = number_like && text.trim_end() == text && serde_json::from_str::<&RawValue>(&text).is_ok();
            match Value::number(&text) {
                Ok(read) => prop_assert!(in_grammar && Value::number(&read.to_string()).as_ref() == Ok(&read)),
                Err(error) => prop_assert_eq!(in_grammar, error == ValueError::OutOfRange),
            }
        }
    }
}
