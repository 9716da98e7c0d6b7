//! The flags of `quorate submit` and `quorate result`.

use clap::Args;
use clap::builder::FalseyValueParser;
use quorate_core::id::RequestId;

use super::ask::{AskRuleArgs, PRECISION, TRIM_SHARE, request_id};
use super::effects::{Effective, Effects, Idle};
use super::quorate::EXACT;
use super::{NumberArgs, UrlArgs};

/// The flags of `quorate submit`.
#[derive(Args, Clone, Debug)]
pub struct SubmitArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// The question, such as BTC/USD
    #[arg(env = "QUORATE_QUERY")]
    pub query: String,

    #[command(flatten)]
    pub server: UrlArgs,

    /// Id of the request; submitting it again under the same id does no harm [default: random]
    #[arg(long, env = "QUORATE_SUBMIT_ID", value_name = "ID", value_parser = request_id)]
    pub id: Option<RequestId>,

    #[command(flatten)]
    pub rule: AskRuleArgs,
}

impl Effects for SubmitArgs {
    const IDLE: &'static [Idle] = &[PRECISION, TRIM_SHARE];
}

/// The flags of `quorate result`.
#[derive(Args, Clone, Debug)]
pub struct ResultArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Id of the request
    #[arg(env = "QUORATE_RESULT_ID", value_parser = request_id)]
    pub id: RequestId,

    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,

    /// Wait until the request has its outcome
    #[arg(long, env = "QUORATE_RESULT_WAIT", value_parser = FalseyValueParser::new())]
    pub wait: bool,

    /// Exit with code 5 if the workers disagree
    #[arg(long, env = "QUORATE_RESULT_FAIL_ON_DISPUTE", value_parser = FalseyValueParser::new())]
    pub fail_on_dispute: bool,
}

impl Effects for ResultArgs {
    const IDLE: &'static [Idle] = &[EXACT];
}
