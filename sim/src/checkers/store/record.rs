//! Records of feeds as any reader can read them, without the code under test.

use ring::digest::{SHA256, digest};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The record of a round.
#[derive(Deserialize)]
pub(super) struct Record<'a> {
    pub(super) feed: &'a str,
    pub(super) round: u64,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    pub(super) status: &'a str,
    pub(super) reason: Option<&'a str>,
    #[serde(borrow)]
    pub(super) last_report: Option<Report<'a>>,
    pub(super) previous: Option<Link<'a>>,
    pub(super) outcome: Option<Evidence<'a>>,
}

/// A report before.
#[derive(Deserialize)]
pub(super) struct Report<'a> {
    pub(super) round: u64,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// The record before.
#[derive(Deserialize)]
pub(super) struct Link<'a> {
    pub(super) sequence: u64,
    pub(super) sha256: &'a str,
}

/// What a round asked.
#[derive(Deserialize)]
pub(super) struct Evidence<'a> {
    request_id: &'a str,
}

impl<'a> Record<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("a record cannot be read: {error}"))
    }

    /// The reported value.
    pub(super) fn value(&self) -> Option<Decimal> {
        self.value.map(number)
    }

    /// The number of the round that it records, as the stage counts them.
    pub(super) fn asked(&self) -> Result<u64, String> {
        let named = self.outcome.as_ref().and_then(|evidence| evidence.request_id.strip_prefix('r'));
        named.and_then(|number| number.parse().ok()).ok_or_else(|| "a record names no round".to_owned())
    }
}

impl Report<'_> {
    pub(super) fn value(&self) -> Decimal {
        number(self.value)
    }
}

fn number(raw: &RawValue) -> Decimal {
    Decimal::from_str_exact(raw.get()).expect("every value of this stage is a number")
}

/// The SHA-256 of a record, in hexadecimal digits.
pub(super) fn sha256(body: &[u8]) -> String {
    digest(&SHA256, body).as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
