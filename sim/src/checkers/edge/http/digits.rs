//! The numbers of a response, digit by digit.

use quorate_core::outcome::{Answer, Outcome};
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The numbers of a body, as text.
#[derive(Deserialize)]
struct Numbers<'a> {
    #[serde(borrow)]
    final_value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    exact_value: Option<&'a RawValue>,
    #[serde(borrow)]
    spread: Option<SpreadNumbers<'a>>,
    #[serde(borrow)]
    worker_responses: Vec<ValueNumber<'a>>,
}

#[derive(Deserialize)]
struct SpreadNumbers<'a> {
    #[serde(borrow)]
    min: &'a RawValue,
    #[serde(borrow)]
    max: &'a RawValue,
    #[serde(borrow)]
    interquartile: Option<&'a RawValue>,
    #[serde(borrow)]
    mad: &'a RawValue,
}

#[derive(Deserialize)]
struct ValueNumber<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Checks that every digit of every number is the machine's. A parsed JSON value keeps only the digits of a float.
pub(super) fn check_digits(text: &str, outcome: &Outcome, answer: Option<&Answer>) -> Result<(), String> {
    let numbers: Numbers<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let is = |raw: Option<&RawValue>, number: Decimal| {
        let written = raw.and_then(|raw| Decimal::from_str_exact(raw.get()).ok());
        if written == Some(number) { Ok(()) } else { Err(format!("{raw:?} should be {number} to the last digit")) }
    };
    if let Some(answer) = answer {
        if let Value::Number(number) = answer.value {
            is(numbers.final_value, number)?;
        }
        if let Some(exact) = answer.exact {
            is(numbers.exact_value, exact)?;
        }
        if let (Some(said), Some(spread)) = (&numbers.spread, &answer.spread) {
            is(Some(said.min), spread.min)?;
            is(Some(said.max), spread.max)?;
            is(Some(said.mad), spread.mad)?;
            match spread.interquartile {
                Some(interquartile) => is(said.interquartile, interquartile)?,
                None if said.interquartile.is_none() => {}
                None => {
                    return Err(
                        "interquartile should be null: the quartiles are farther apart than a decimal can express"
                            .to_owned(),
                    );
                }
            }
        }
    }
    for (said, observation) in numbers.worker_responses.iter().zip(&outcome.observations) {
        if let Ok(Value::Number(number)) = observation.observed {
            is(said.value, number)?;
        }
    }
    Ok(())
}
