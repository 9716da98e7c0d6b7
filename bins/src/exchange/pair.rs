//! The names of pairs, as each venue writes them.

/// The longest name of an asset.
const MAX_ASSET: usize = 10;
/// The ends of a name without a separator that are longer than three letters.
const LONG_QUOTES: [&str; 3] = ["USDT", "USDC", "EURC"];
/// The assets that Kraken named before it used the names of the market. It puts an `X` before these, a `Z` before
/// currencies, and calls bitcoin XBT.
const OLD_ASSETS: [&str; 8] = ["XBT", "ETH", "LTC", "XRP", "XLM", "ETC", "XMR", "ZEC"];
const OLD_CURRENCIES: [&str; 5] = ["USD", "EUR", "GBP", "JPY", "CAD"];

/// Two assets: the price of one, in units of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The asset that is priced, such as BTC.
    base: String,
    /// The asset in which it is priced, such as USD.
    quote: String,
}

impl Pair {
    /// Reads `BTC-USD`, `BTC/USD`, `btcusd` or `XBTUSD`; `None` if it cannot be a pair.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase().replace("%2F", "/");
        let (base, quote) = if let Some(sides) = text.split_once(['-', '/']) {
            sides
        } else {
            let long = LONG_QUOTES.iter().any(|quote| text.ends_with(quote));
            text.split_at_checked(text.len().checked_sub(if long { 4 } else { 3 })?)?
        };
        let is_asset =
            |name: &str| (2..=MAX_ASSET).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let of_the_market = |name: &str| if name == "XBT" { "BTC".to_owned() } else { name.to_owned() };
        (is_asset(base) && is_asset(quote)).then(|| Self { base: of_the_market(base), quote: of_the_market(quote) })
    }

    /// The pair as a query, such as `BTC/USD`.
    pub(super) fn query(&self) -> String {
        format!("{}/{}", self.base, self.quote)
    }

    /// The name under which Kraken answers, such as `XXBTZUSD` or `SOLUSD`.
    pub(super) fn kraken(&self) -> String {
        let base = if self.base == "BTC" { "XBT" } else { &self.base };
        if OLD_ASSETS.contains(&base) && OLD_CURRENCIES.contains(&self.quote.as_str()) {
            format!("X{base}Z{}", self.quote)
        } else {
            format!("{base}{}", self.quote)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_venue_names_the_same_pair_in_its_own_way() {
        for (names, query, kraken) in [
            (&["BTC-USD", "XBTUSD", "btcusd", "BTC/USD", "BTC%2FUSD"][..], "BTC/USD", "XXBTZUSD"),
            (&["ETH-EUR", "ETHEUR", "etheur"], "ETH/EUR", "XETHZEUR"),
            (&["SOL-USD", "SOLUSD"], "SOL/USD", "SOLUSD"),
            (&["BTC-USDT", "XBTUSDT"], "BTC/USDT", "XBTUSDT"),
            (&["1INCH-USD", "1inchusd"], "1INCH/USD", "1INCHUSD"),
        ] {
            for name in names {
                let pair = Pair::parse(name).unwrap_or_else(|| panic!("{name} is a pair"));
                assert_eq!((pair.query().as_str(), pair.kraken().as_str()), (query, kraken), "{name}");
            }
        }
    }

    #[test]
    fn what_cannot_be_a_pair_is_none() {
        let long = "A".repeat(11) + "USD";
        for text in ["", "USD", "-USD", "BTC-", "B-USD", "BTC-US D", "BTC-USD-EUR", "ÄÄÄÄ", "€€", "BTC%20USD", &long]
        {
            assert_eq!(Pair::parse(text), None, "{text:?}");
        }
    }
}
