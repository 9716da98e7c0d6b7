//! The flags of `quorate exchange`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use rust_decimal::Decimal;

use super::SeedArgs;
use super::time::duration;
use super::values::{listen_address, share};

/// The flags of `quorate exchange`.
#[derive(Args, Clone, Debug)]
pub struct ExchangeArgs {
    /// Address to listen on
    #[arg(
        long,
        env = "QUORATE_EXCHANGE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8090",
        value_parser = listen_address
    )]
    pub listen: SocketAddr,

    /// Distance between the lowest and the highest price, as a share of the price, 0 to 1
    #[arg(long, env = "QUORATE_EXCHANGE_SPREAD", value_name = "SHARE", default_value = "0.0002", value_parser = share)]
    pub spread: Decimal,

    /// Mean time that an answer takes, such as 100ms; each takes between half of it and one and a half times it
    #[arg(long, env = "QUORATE_EXCHANGE_LATENCY", value_name = "TIME", default_value = "100ms", value_parser = duration)]
    pub latency: Duration,

    /// Share of the answers that are errors, 0 to 1
    #[arg(long, env = "QUORATE_EXCHANGE_FAILURE_RATE", value_name = "SHARE", default_value = "0", value_parser = share)]
    pub failure_rate: Decimal,

    #[command(flatten)]
    pub seed: SeedArgs,
}
