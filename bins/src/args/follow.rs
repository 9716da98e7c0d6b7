//! The flags of `quorate follow`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use quorate_runtime::wire::Subjects;

use super::effects::{Contradiction, Effective, Effects, Idle, is_given};
use super::quorate::EXACT;
use super::values::subjects;
use super::{NatsArgs, NumberArgs, UrlArgs};

/// The flags of `quorate follow`.
#[derive(Args, Clone, Debug)]
pub struct FollowArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Follow only this query, in which * stands for any characters [default: all queries]
    #[arg(env = "QUORATE_FOLLOW_QUERY")]
    pub query: Option<String>,

    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,
    #[command(flatten)]
    pub nats: FollowNatsArgs,

    /// End after this number of outcomes
    #[arg(long, env = "QUORATE_FOLLOW_COUNT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// The NATS servers, if outcomes are followed there. Addresses may contain passwords, so neither `Debug` nor the help
/// shows them.
#[derive(Args, Clone)]
#[command(next_help_heading = "NATS")]
pub struct FollowNatsArgs {
    /// Follow all coordinators of this NATS server, instead of one over HTTP; several servers are separated by commas or
    /// repeated, and tried in turn
    #[arg(
        long = "nats",
        env = "QUORATE_FOLLOW_NATS",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ','
    )]
    urls: Option<Vec<String>>,

    /// First tokens of all subjects, as the coordinators have them
    #[arg(long, env = "QUORATE_SUBJECT_PREFIX", value_name = "PREFIX", default_value = "oracle", value_parser = subjects)]
    subject_prefix: Subjects,

    /// Credentials file, as `nsc` writes it
    #[arg(long = "nats-creds", env = "NATS_CREDS", value_name = "FILE")]
    credentials: Option<PathBuf>,

    /// PEM certificates to trust instead of the system's, if the connection is encrypted
    #[arg(long = "nats-ca", env = "NATS_CA", value_name = "FILE")]
    root_certificates: Option<PathBuf>,
}

impl Effects for FollowArgs {
    const IDLE: &'static [Idle] = &[
        EXACT,
        Idle {
            flags: &["subject_prefix", "credentials", "root_certificates"],
            when: |matches| !is_given(matches, "urls"),
            because: "without --nats",
        },
    ];
    const CONTRADICTIONS: &'static [Contradiction] = &[Contradiction { flags: ["urls", "url"] }];
}

impl FollowNatsArgs {
    /// The servers; `None` if the outcomes come over HTTP.
    pub fn servers(&self) -> Option<NatsArgs> {
        let Self { urls, subject_prefix, credentials, root_certificates } = self.clone();
        Some(NatsArgs { urls: urls?, subject_prefix, credentials, root_certificates })
    }
}

impl fmt::Debug for FollowNatsArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowNatsArgs").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}
