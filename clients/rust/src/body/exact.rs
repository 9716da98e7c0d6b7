//! Decimals and times in JSON: the functions that serde calls for single fields.

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::value::Value;

/// A number, or a string that spells one, with all its digits.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let value = Value::deserialize(deserializer)?;
    value.number().ok_or_else(|| D::Error::custom(format!("{value:?} is not a number")))
}

/// The same, or null.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else { return Ok(None) };
    value.number().map(Some).ok_or_else(|| D::Error::custom(format!("{value:?} is not a number")))
}

/// A time in RFC 3339; `None` if there is none, or it is written otherwise.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()))
}

/// Writes a decimal, if there is one, as a JSON number with all its digits.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(super) fn written<S: Serializer>(number: &Option<Decimal>, to: S) -> Result<S::Ok, S::Error> {
    let json = number.map(|number| RawValue::from_string(number.to_string())).transpose();
    json.map_err(S::Error::custom)?.serialize(to)
}
