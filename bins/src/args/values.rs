//! Parses the texts of flags. Each error says what is accepted.

use std::net::{IpAddr, SocketAddr};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use ipnet::IpNet;
use quorate_client::Bound;
use quorate_core::aggregate::{Millionths, OutlierRule, Strategy};
use quorate_core::feed::FeedName;
use quorate_core::offer::Offer;
use quorate_core::policy::OnDispute;
use quorate_core::value::Value;
use quorate_runtime::wire::{PrefixError, Subjects};
use reqwest::Url;
use rust_decimal::Decimal;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A decimal fraction from 0 to 1.
///
/// # Errors
/// Says what is expected if the text is not such a fraction.
pub fn share(text: &str) -> Result<Decimal, String> {
    let number = Decimal::from_str_exact(text).ok();
    number
        .filter(|share| (Decimal::ZERO..=Decimal::ONE).contains(share))
        .ok_or_else(|| "expected a decimal fraction from 0 to 1, such as 0.25".to_owned())
}

/// A decimal fraction of at least 0.
pub(super) fn fraction(text: &str) -> Result<Decimal, String> {
    let number = Decimal::from_str_exact(text).ok();
    number
        .filter(|fraction| *fraction >= Decimal::ZERO)
        .ok_or_else(|| "expected a decimal fraction of at least 0, such as 0.05".to_owned())
}

/// A rule that says which values are outliers.
pub(super) fn outlier_rule(text: &str) -> Result<OutlierRule, String> {
    match text.parse() {
        Ok(OutlierRule::Relative(fraction)) if fraction < Decimal::ZERO => Err("must not be negative".to_owned()),
        rule => rule.map_err(|error| error.to_string()),
    }
}

/// A share from 0 to 1 that must agree.
pub(super) fn agreement(text: &str) -> Result<Millionths, String> {
    let share = millionths(text).filter(|share| *share <= Millionths::ONE);
    share.ok_or_else(|| "expected a decimal fraction from 0 to 1 with at most 6 decimals, such as 0.75".to_owned())
}

/// A share from 0 to below 0.5 that is dropped at each end.
pub(super) fn trim_share(text: &str) -> Result<Millionths, String> {
    let share = millionths(text).filter(|share| share.get() * 2 < Millionths::ONE.get());
    share.ok_or_else(|| {
        "expected a decimal fraction from 0 to below 0.5 with at most 6 decimals, such as 0.1".to_owned()
    })
}

fn millionths(text: &str) -> Option<Millionths> {
    match Value::number(text) {
        Ok(Value::Number(number)) => Millionths::from_decimal(number),
        _ => None,
    }
}

/// The name of a strategy.
pub(super) fn strategies() -> impl TypedValueParser<Value = Strategy> {
    let names = Strategy::ALL.iter().map(|strategy| strategy.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Strategy>())
}

/// What happens to a disputed answer, by name.
pub(super) fn on_disputes() -> impl TypedValueParser<Value = OnDispute> {
    PossibleValuesParser::new(OnDispute::ALL.map(OnDispute::name)).try_map(|name| name.parse::<OnDispute>())
}

/// A network such as `10.0.0.0/8`, or a single address.
///
/// # Errors
/// Says what is expected if the text is neither.
pub fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| "expected a network such as 10.0.0.0/8, or an address".to_owned())
}

/// The queries that a worker offers, separated by commas, with spaces around them or not.
pub(super) fn offer(text: &str) -> Result<Offer, String> {
    Offer::new(text.split(',').map(str::trim)).map_err(|error| error.to_string())
}

/// The name of a feed.
pub(super) fn feed_name(text: &str) -> Result<FeedName, String> {
    FeedName::new(text).map_err(|error| error.to_string())
}

/// A bound of a feed's history: a round or a time.
pub(super) fn bound(text: &str) -> Result<Bound, String> {
    let round = || text.parse().ok().map(Bound::Round);
    let time = || OffsetDateTime::parse(text, &Rfc3339).ok().map(Bound::Time);
    round()
        .or_else(time)
        .ok_or_else(|| "expected a round such as 4711, or a time such as 2026-11-30T08:00:00Z".to_owned())
}

/// The subjects of a deployment, by their prefix.
pub(super) fn subjects(text: &str) -> Result<Subjects, PrefixError> {
    text.parse()
}

/// An address to listen on.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 0.0.0.0:8080".to_owned())
}

/// The base address of a coordinator.
///
/// # Errors
/// Says what is expected if the text is not such an address.
pub fn server_url(text: &str) -> Result<Url, String> {
    base_url(text, "http://localhost:8080")
}

/// The base address of a collector of traces.
pub(super) fn collector_url(text: &str) -> Result<Url, String> {
    base_url(text, "http://localhost:4318")
}

fn base_url(text: &str, example: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| format!("expected an address such as {example}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address with a user name or password is not supported".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact_and_bounded() {
        assert_eq!(share("0.05"), Ok(Decimal::new(5, 2)));
        assert_eq!(share("1"), Ok(Decimal::ONE));
        assert!(share("1.01").is_err() && share("-0.1").is_err() && share("half").is_err());
        assert_eq!(fraction("1.5"), Ok(Decimal::new(15, 1)));
        assert!(fraction("-0.1").is_err());
    }

    #[test]
    fn shares_have_their_own_bounds_and_at_most_six_decimals() {
        assert_eq!(agreement("0.75"), Ok(Millionths::new(750_000)));
        assert_eq!(agreement("1"), Ok(Millionths::ONE));
        assert_eq!(trim_share("0.499999"), Ok(Millionths::new(499_999)));
        for text in ["1.000001", "-0.5", "0.1234567", "most", ""] {
            assert!(agreement(text).is_err() && trim_share(text).is_err(), "{text:?}");
        }
        assert!(trim_share("0.5").is_err());
    }

    #[test]
    fn an_outlier_rule_is_a_fraction_or_names_its_measure() {
        assert_eq!(outlier_rule("0.05"), Ok(OutlierRule::Relative(Decimal::new(5, 2))));
        assert_eq!(outlier_rule("mad:3.5"), Ok(OutlierRule::Mad(Millionths::new(3_500_000))));
        assert_eq!(outlier_rule("iqr:1.5"), Ok(OutlierRule::Iqr(Millionths::new(1_500_000))));
        assert!(outlier_rule("-0.05").is_err() && outlier_rule("mad:-1").is_err() && outlier_rule("sd:3").is_err());
    }

    #[test]
    fn an_offer_is_a_list_of_queries() {
        let expected = Offer::new(["BTC/*", "head of main"]).expect("an offer");
        assert_eq!(offer("BTC/*,head of main"), Ok(expected.clone()));
        assert_eq!(offer(" BTC/* , head of main"), Ok(expected));
        for text in ["", "BTC/*,", "a\tb", &"x".repeat(257), &["x"; 257].join(",")] {
            assert!(offer(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_place_in_a_history_is_a_round_or_a_time() {
        let shown = |text: &str| bound(text).map(|bound| bound.to_string());
        for text in ["1", "4711", "2026-11-30T08:00:00Z", "2026-11-30T08:00:00.5+01:00"] {
            assert_eq!(shown(text).as_deref(), Ok(text));
        }
        for text in ["", "-1", "1.5", "yesterday", "2026-11-30", "2026-11-30T08:00:00"] {
            assert!(bound(text).is_err(), "{text:?}");
        }
        assert!(feed_name("BTC-USD").is_ok() && feed_name("BTC/USD").is_err() && feed_name("..").is_err());
    }

    #[test]
    fn a_proxy_is_a_network_or_one_address() {
        assert_eq!(network("10.0.0.0/8").map(|net| net.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(network("127.0.0.1").map(|net| net.to_string()), Ok("127.0.0.1/32".to_owned()));
        assert_eq!(network("::1").map(|net| net.to_string()), Ok("::1/128".to_owned()));
        assert!(network("localhost").is_err() && network("10.0.0.0/33").is_err());
    }

    #[test]
    fn an_address_names_a_scheme_and_a_host() {
        assert!(server_url("http://localhost:8080").is_ok() && server_url("https://[::1]/base/").is_ok());
        for text in ["localhost:8080", "ftp://host", "http://", "", "http://user:secret@host"] {
            assert!(server_url(text).is_err(), "{text:?}");
        }
    }
}
