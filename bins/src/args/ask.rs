//! The flags of `quorate ask`.

use clap::Args;
use clap::builder::FalseyValueParser;
use quorate_client::Ask;
use quorate_core::aggregate::{Millionths, OutlierRule, Strategy};
use quorate_core::id::RequestId;
use quorate_core::policy::OnDispute;
use rust_decimal::Decimal;

use super::coordinator::{decimals, positive, precision};
use super::effects::{Contradiction, Effective, Effects, Idle, is_given, is_one_of};
use super::quorate::EXACT;
use super::time::{millis, millis_from_zero};
use super::values::{agreement, fraction, on_disputes, outlier_rule, strategies, trim_share};
use super::watch::WATCHING;
use super::{NumberArgs, UrlArgs, WatchArgs};

/// The flags of `quorate ask`.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// The question, such as BTC/USD
    #[arg(env = "QUORATE_QUERY")]
    pub query: String,

    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,

    /// Id of the request; a retry under the same id receives the same answer [default: random]
    #[arg(long, env = "QUORATE_ASK_ID", value_name = "ID", value_parser = request_id)]
    pub id: Option<RequestId>,

    #[command(flatten)]
    pub rule: AskRuleArgs,

    /// Exit with code 5 if the workers disagree
    #[arg(long, env = "QUORATE_ASK_FAIL_ON_DISPUTE", value_parser = FalseyValueParser::new())]
    pub fail_on_dispute: bool,

    #[command(flatten)]
    pub watch: WatchArgs,
}

impl Effects for AskArgs {
    const IDLE: &'static [Idle] = &[WATCHING, EXACT, PRECISION, TRIM_SHARE];
    const CONTRADICTIONS: &'static [Contradiction] = &[Contradiction { flags: ["id", "watch"] }];
}

/// How one request is answered.
#[derive(Args, Clone, Debug)]
pub struct AskRuleArgs {
    /// How to combine the values [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_STRATEGY", value_name = "NAME", value_parser = strategies())]
    pub strategy: Option<Strategy>,

    /// Usable answers below which the request fails [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MIN_RESPONSES", value_name = "N", value_parser = positive)]
    pub min_responses: Option<u32>,

    /// Usable values with which the request ends early [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_QUORUM", value_name = "N", value_parser = positive)]
    pub quorum: Option<u32>,

    /// Milliseconds until the deadline, when the request is answered with what has come [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_TIMEOUT_MS", value_name = "MS", value_parser = millis)]
    pub timeout_ms: Option<u64>,

    /// Exclude values farther from the median than this fraction of it, such as 0.06, or by mad:K or iqr:K; or none
    /// [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MAX_DEVIATION", value_name = "RULE", value_parser = outlier_rule)]
    pub max_deviation: Option<OutlierRule>,

    /// Distance from the answer within which a value agrees with it, as a fraction of the answer [default: the
    /// coordinator's]
    #[arg(long, env = "QUORATE_ASK_TOLERANCE", value_name = "FRACTION", value_parser = fraction)]
    pub tolerance: Option<Decimal>,

    /// Share of the used values, 0 to 1, that must agree with the answer; with fewer it is disputed [default: the
    /// coordinator's]
    #[arg(long, env = "QUORATE_ASK_MIN_AGREEMENT", value_name = "SHARE", value_parser = agreement)]
    pub min_agreement: Option<Millionths>,

    /// Whether a disputed answer is returned, or rejected with 409 [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_ON_DISPUTE", value_name = "WHAT", value_parser = on_disputes())]
    pub on_dispute: Option<OnDispute>,

    /// Exclude values known to be older than this many milliseconds [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MAX_AGE_MS", value_name = "MS", value_parser = millis_from_zero)]
    pub max_age_ms: Option<u64>,

    /// Share of the values that `trimmed_mean` drops at each end, from 0 to below 0.5 [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_TRIM_SHARE", value_name = "SHARE", value_parser = trim_share)]
    pub trim_share: Option<Millionths>,

    /// Decimals that `majority` keeps when it compares numbers, 0 to 28 [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_PRECISION", value_name = "N", value_parser = precision())]
    pub precision: Option<u32>,

    /// Decimals to which an answer that is a number is rounded, 0 to 28; its evidence keeps the exact number [default:
    /// the coordinator's]
    #[arg(long, env = "QUORATE_ASK_DECIMALS", value_name = "N", value_parser = decimals())]
    pub decimals: Option<u8>,
}

/// What has no effect on other strategies.
pub(super) const PRECISION: Idle = Idle {
    flags: &["precision"],
    when: |matches| is_given(matches, "strategy") && !is_one_of(matches, "strategy", &["majority"]),
    because: "on a --strategy other than majority",
};
pub(super) const TRIM_SHARE: Idle = Idle {
    flags: &["trim_share"],
    when: |matches| is_given(matches, "strategy") && !is_one_of(matches, "strategy", &["trimmed_mean"]),
    because: "on a --strategy other than trimmed_mean",
};

impl AskRuleArgs {
    /// The question that is answered so.
    pub fn ask(self, query: String, id: Option<&RequestId>) -> Ask {
        Ask {
            id: id.map(|id| id.as_str().to_owned()),
            strategy: self.strategy.map(|strategy| strategy.name().to_owned()),
            min_responses: self.min_responses,
            quorum: self.quorum,
            timeout_ms: self.timeout_ms,
            max_deviation: self.max_deviation.map(|rule| rule.to_string()),
            tolerance: self.tolerance,
            min_agreement: self.min_agreement.map(Millionths::to_decimal),
            on_dispute: self.on_dispute.map(|what| what.name().to_owned()),
            max_age_ms: self.max_age_ms,
            trim_share: self.trim_share.map(Millionths::to_decimal),
            precision: self.precision,
            decimals: self.decimals,
            ..Ask::new(query)
        }
    }
}

impl AskArgs {
    /// How to repeat the question, if it is repeated. One id has one answer, so a question with an id is not.
    pub fn watch(&self) -> Option<&WatchArgs> {
        Some(&self.watch).filter(|watch| watch.watch && self.id.is_none())
    }
}

pub(super) fn request_id(text: &str) -> Result<RequestId, String> {
    RequestId::new(text).map_err(|error| error.to_string())
}
