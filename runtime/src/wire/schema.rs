//! How the API's document describes the base types of bodies: texts with their bounds, exact numbers, and names that
//! the core defines. They replace Rust types that say less than what a field accepts.

use std::borrow::Cow;

use quorate_core::aggregate::{Exclusion, Strategy};
use quorate_core::feed::MAX_NAME_BYTES;
use quorate_core::id::MAX_ID_BYTES;
use quorate_core::policy::OnDispute;
use quorate_core::query::MAX_QUERY_CHARS;
use quorate_core::value::MAX_TEXT_BYTES;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{Number, PartialSchema, ToSchema};

use super::{JsonDecimal, JsonNumber, JsonTime, JsonValue, Numbers};

/// A text without control characters.
const PRINTABLE: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
/// A number that is not negative, in JSON's grammar.
const POSITIVE: &str = r"^(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$";
/// A number with a sign, in digits only.
const DECIMAL: &str = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$";
/// A factor of a robust outlier rule.
const ROBUST: &str = r"^(mad|iqr):(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$";

/// Describes types under names.
macro_rules! described {
    ($($(#[$doc:meta])* $type:ty, $name:literal => $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )*};
}

/// The name of a request, a worker or a process.
pub(crate) struct Id;
/// The text of a query.
pub(crate) struct QueryText;
/// The name of a feed.
pub(crate) struct FeedNameText;
/// The name of a [`Strategy`].
pub(crate) struct StrategyName;
/// The name of an [`Exclusion`].
pub(crate) struct ExclusionName;
/// The name of an [`OnDispute`].
pub(crate) struct OnDisputeName;
/// The name of [`Numbers`].
pub(crate) struct NumbersName;
/// The values of `trim_share`.
pub(crate) struct TrimShare;
/// The values of `max_deviation`.
pub(crate) struct MaxDeviation;
/// The values of `tolerance`.
pub(crate) struct Tolerance;
/// The values of `min_agreement`.
pub(crate) struct MinAgreement;

described! {
    Id, "Id" => text(MAX_ID_BYTES)
        .description(Some("1 to 128 bytes of UTF-8 without control characters."));
    QueryText, "Query" => text(MAX_QUERY_CHARS)
        .description(Some("1 to 256 characters without control characters."))
        .examples(["BTC/USD"]);
    FeedNameText, "FeedName" => ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_NAME_BYTES))
        .pattern(Some("^[A-Za-z0-9_-]+$"))
        .description(Some("1 to 64 letters, digits, - and _."))
        .examples(["BTC-USD"]);
    StrategyName, "Strategy" => names(Strategy::ALL.iter().map(|strategy| strategy.name()))
        .description(Some("How the values are aggregated."));
    ExclusionName, "Exclusion" => names(Exclusion::ALL.map(Exclusion::name))
        .description(Some(
            "`not_a_number`: a text where the strategy needs numbers. `outlier`: beyond `max_deviation`. `stale`: older \
             than `max_age_ms`. `quarantined`: the worker's score is below the coordinator's `--quarantine-below`. \
             `newcomer`: the worker has no record yet, and a worker with a record sent a value, or was awaited.",
        ));
    OnDisputeName, "OnDispute" => names(OnDispute::ALL.map(OnDispute::name))
        .description(Some("What happens to a disputed answer: `answer` returns it, `reject` makes it 409."));
    TrimShare, "TrimShare" => either(fraction().maximum(Some(Number::Float(0.499_999))), [POSITIVE])
        .description(Some("A share below 0.5 with at most 6 decimals, as a number or as a string."));
    MaxDeviation, "MaxDeviation" => either(fraction(), [POSITIVE, ROBUST])
        .description(Some(
            "A fraction: values farther from the median than this fraction of its magnitude. `mad:K`: values farther \
             from it than K times 1.4826 times the median absolute deviation. `iqr:K`: values farther below the first or \
             above the third quartile than K times the interquartile range. K is from 0 to 1000000, at most 6 decimals.",
        ));
    Tolerance, "Tolerance" => either(fraction(), [POSITIVE])
        .description(Some("A fraction that is not negative, as a number or as a string."));
    MinAgreement, "MinAgreement" => either(fraction().maximum(Some(Number::Int(1))), [POSITIVE])
        .description(Some("A share from 0 to 1 with at most 6 decimals, as a number or as a string."));
    JsonNumber, "Number" => ObjectBuilder::new()
        .schema_type(Type::Number)
        .description(Some("A number with all its digits, up to 28: read it as a decimal, not as a binary float."));
    JsonDecimal, "Decimal" => AnyOfBuilder::new()
        .item(JsonNumber::schema())
        .item(ObjectBuilder::new().schema_type(Type::String).pattern(Some(DECIMAL)))
        .description(Some("A number with all its digits; a string if the request asks for `numbers` as `string`."));
    JsonTime, "Time" => ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("A time of day as RFC 3339 writes it, in UTC and in milliseconds."))
        .examples(["2026-11-29T20:20:46.123Z"]);
    NumbersName, "Numbers" => names(Numbers::ALL.map(Numbers::name))
        .description(Some("How the values of the answer are written if they are numbers."));
    JsonValue<'_>, "Value" => AnyOfBuilder::new()
        .item(JsonNumber::schema())
        .item(ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_TEXT_BYTES)))
        .description(Some("A number that a 96-bit decimal holds exactly, or a text of at most 4096 bytes. A number is a string if the \
             request asks for `numbers` as `string`."))
        .examples([serde_json::json!(42000.5), "4c1f9e0".into()]);
}

fn text(max_length: usize) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PRINTABLE));
    text.min_length(Some(1)).max_length(Some(max_length))
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names))
}

fn fraction() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).minimum(Some(Number::Int(0)))
}

/// A number, or a text that matches one of the patterns.
fn either(number: ObjectBuilder, patterns: impl IntoIterator<Item = &'static str>) -> AnyOfBuilder {
    patterns.into_iter().fold(AnyOfBuilder::new().item(number), |either, pattern| {
        either.item(ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)))
    })
}
