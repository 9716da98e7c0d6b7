//! `quorate exchange` in place of the exchanges and the address that the examples of sources name.

use std::fs;
use std::path::Path;

use quorate_test_support::workspace;

use crate::support::{Program, QUORATE};

/// The hosts that `examples/sources.toml` names.
const HOSTS: [&str; 3] = ["https://api.exchange.coinbase.com", "https://api.kraken.com", "https://www.bitstamp.net"];
/// Where the program listens by default, and `examples/exchange.toml` expects it.
const DEFAULT: &str = "http://127.0.0.1:8090";

/// Venues on a free port.
pub(crate) fn start(flags: &[&str]) -> Program {
    Program::start(QUORATE, &[&["exchange", "--listen", "127.0.0.1:0"], flags].concat())
}

/// The base address of venues, once they say it.
pub(crate) async fn url_of(exchange: &Program) -> String {
    let example = exchange.prints("coinbase  ").await;
    let url = example.strip_suffix("/products/BTC-USD/ticker");
    url.unwrap_or_else(|| panic!("{example} is no example")).to_owned()
}

/// Writes the examples of sources into a folder, with the venues at `url`.
pub(crate) fn write_sources(folder: &Path, url: &str) {
    for (name, hosts) in [("sources.toml", &HOSTS[..]), ("exchange.toml", &[DEFAULT])] {
        let example = fs::read_to_string(workspace("examples").join(name)).expect("it can be read");
        let redirected = hosts.iter().fold(example.clone(), |text, host| text.replace(host, url));
        assert!(redirected != example && !redirected.contains("https:"), "{name}: every exchange has a stand-in");
        fs::write(folder.join(name), redirected).expect("written");
    }
}
