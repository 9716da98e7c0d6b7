//! The venues: where each is asked, and the form of its answers, as the public APIs of these exchanges document them.

use std::time::UNIX_EPOCH;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::market::Trade;
use super::pair::Pair;

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Venue {
    Coinbase,
    Kraken,
    Bitstamp,
}

impl Venue {
    pub(super) const ALL: [Self; 3] = [Self::Coinbase, Self::Kraken, Self::Bitstamp];

    /// The name of its worker in `examples/exchange.toml`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Coinbase => "coinbase",
            Self::Kraken => "kraken",
            Self::Bitstamp => "bitstamp",
        }
    }

    /// Where it is asked for the price of bitcoin.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Coinbase => "/products/BTC-USD/ticker",
            Self::Kraken => "/0/public/Ticker?pair=XBTUSD",
            Self::Bitstamp => "/api/v2/ticker/btcusd/",
        }
    }

    /// Its distance from the middle of the market, in spreads.
    pub(super) fn place(self) -> Decimal {
        match self {
            Self::Kraken => Decimal::new(-5, 1),
            Self::Coinbase => Decimal::ZERO,
            Self::Bitstamp => Decimal::new(5, 1),
        }
    }

    /// The last trade.
    pub(super) fn ticker(self, pair: &Pair, trade: &Trade) -> Response {
        let price = trade.price.to_string();
        let body = match self {
            Self::Coinbase => json!({
                "ask": price, "bid": price, "volume": "5360.02040154", "trade_id": seconds(trade), "price": price,
                "size": "0.00698254",
                "time": OffsetDateTime::from(trade.at).format(&Rfc3339).unwrap_or_default(),
            }),
            Self::Kraken => {
                let price = format!("{:.5}", trade.price);
                let mut result = serde_json::Map::new();
                result.insert(
                    pair.kraken(),
                    json!({
                        "a": [price, "1", "1.000"], "b": [price, "1", "1.000"], "c": [price, "0.00067643"],
                        "v": ["4083.67001100", "4412.73601799"], "p": [price, price], "t": [34619, 38907],
                        "l": [price, price], "h": [price, price], "o": price,
                    }),
                );
                json!({"error": [], "result": result})
            }
            Self::Bitstamp => json!({
                "timestamp": seconds(trade).to_string(), "last": price, "open": price, "high": price, "low": price,
                "vwap": price, "bid": price, "ask": price, "volume": "1250.12345678", "side": "0",
            }),
        };
        Json(body).into_response()
    }

    /// The error for a pair that it does not trade.
    pub(super) fn unknown_pair(self) -> Response {
        match self {
            Self::Coinbase => refusal(StatusCode::NOT_FOUND, json!({"message": "NotFound"})),
            Self::Kraken => refusal(StatusCode::OK, json!({"error": ["EQuery:Unknown asset pair"]})),
            Self::Bitstamp => refusal(StatusCode::NOT_FOUND, json!({"status": "error", "reason": "Not found"})),
        }
    }

    /// The error of a venue that cannot answer now.
    pub(super) fn failure(self) -> Response {
        match self {
            Self::Coinbase => refusal(StatusCode::SERVICE_UNAVAILABLE, json!({"message": "Service unavailable"})),
            // Kraken's errors have the status of a success.
            Self::Kraken => refusal(StatusCode::OK, json!({"error": ["EService:Unavailable"]})),
            Self::Bitstamp => {
                refusal(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "error", "reason": "Service unavailable"}))
            }
        }
    }
}

fn refusal(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

/// The time of a trade in whole seconds since 1970.
fn seconds(trade: &Trade) -> u64 {
    trade.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
