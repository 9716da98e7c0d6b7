//! The subjects of one deployment. All begin with its prefix, so that several deployments can share a NATS account.

use std::str::FromStr;

use quorate_core::query::Query;

use super::{FEEDS, OUTCOMES, PACKS, PRESENCE, REPORTS, REQUESTS, RESULTS, SERVICE, TASKS};
use crate::bus::subject::token;

/// The prefix of a deployment that sets none.
pub const DEFAULT_PREFIX: &str = "oracle";

/// The longest prefix, in bytes.
const MAX_PREFIX_BYTES: usize = 64;
/// The root of inboxes under the default prefix: that of NATS itself, on which clients may subscribe by default.
const INBOX: &str = "_INBOX";
/// A token that no prefix may have: it would put the subjects of a deployment among the outcomes of another one.
const RESERVED: &str = "outcomes";
/// Tokens that a prefix may only begin with: later, they would put the subjects of a deployment among those of the store
/// of another one.
const RESERVED_LATER: [&str; 3] = ["feeds", "reports", "requests"];

/// The subjects of one deployment, and what else distinguishes it on a NATS server. Different prefixes have no subject
/// in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    prefix: String,
    tasks: String,
    packs: String,
    results: String,
    presence: String,
    /// With the dot before the token for the query.
    outcomes: String,
    /// With the dot before the token for the feed.
    feeds: String,
    reports: String,
    /// With the dot before the kind of entry.
    requests: String,
    /// What the names of streams begin with.
    stream: String,
    service: String,
    inbox: String,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Not tokens of a subject, or too long.
    #[error(
        "expected tokens of letters, digits, - and _, joined by dots, each beginning and ending with a letter or digit, \
         such as staging or eu.staging; at most {MAX_PREFIX_BYTES} characters"
    )]
    Tokens,
    /// Its subjects would lie among the outcomes or in the store of another deployment.
    #[error("no token may be {RESERVED}, and none but the first {}", RESERVED_LATER.join(" or "))]
    Reserved,
}

impl Subjects {
    /// The subject of tasks, for all workers.
    pub fn tasks(&self) -> &str {
        &self.tasks
    }

    /// The subject of packs of tasks, for all workers that take packs.
    pub fn packs(&self) -> &str {
        &self.packs
    }

    /// The subject of results that all coordinators receive.
    pub fn results(&self) -> &str {
        &self.results
    }

    /// The subject of presence announcements.
    pub fn presence(&self) -> &str {
        &self.presence
    }

    /// The name of workers as a NATS service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The root of the subjects on which this deployment receives replies.
    pub fn inbox(&self) -> &str {
        &self.inbox
    }

    /// The subject on which the outcomes of a query are published: `oracle.outcomes.` and the query as one token.
    pub fn outcome(&self, query: &Query) -> String {
        format!("{}{}", self.outcomes, token(query.as_str()))
    }

    /// The pattern of the subjects of all outcomes.
    pub fn all_outcomes(&self) -> String {
        format!("{}>", self.outcomes)
    }

    /// What the subjects of feeds begin with: `oracle.feeds.`, which the name of the feed follows as one token.
    pub fn feeds(&self) -> &str {
        &self.feeds
    }

    /// What the subjects begin with on which the records of feeds appear once they are stored: `oracle.reports.`, which the
    /// name of the feed follows as one token.
    pub fn reports(&self) -> &str {
        &self.reports
    }

    /// What the subjects of durable requests begin with: `oracle.requests.`.
    pub fn requests(&self) -> &str {
        &self.requests
    }

    /// The name of a stream or bucket of this deployment: `oracle-` and the suffix. Prefixes that differ only in dots
    /// and dashes have the same names, so that what is found under a name needs a look at its subjects.
    pub fn stream(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.stream)
    }
}

impl FromStr for Subjects {
    type Err = PrefixError;

    fn from_str(prefix: &str) -> Result<Self, PrefixError> {
        if prefix.len() > MAX_PREFIX_BYTES || !prefix.split('.').all(is_token) {
            return Err(PrefixError::Tokens);
        }
        let mut tokens = prefix.split('.').enumerate();
        if tokens.any(|(place, token)| token == RESERVED || place > 0 && RESERVED_LATER.contains(&token)) {
            return Err(PrefixError::Reserved);
        }
        let under = |subject: &str| format!("{prefix}{}", &subject[DEFAULT_PREFIX.len()..]);
        let (service, inbox) = if prefix == DEFAULT_PREFIX {
            (SERVICE.to_owned(), INBOX.to_owned())
        } else {
            // The name of a service has no dots. No two prefixes give the same name, since a token neither begins nor
            // ends with `_`.
            let name = prefix.replace('_', "__").replace('.', "_");
            (format!("{SERVICE}-{name}"), format!("{prefix}.{INBOX}"))
        };
        Ok(Self {
            prefix: prefix.to_owned(),
            tasks: under(TASKS),
            packs: under(PACKS),
            results: under(RESULTS),
            presence: under(PRESENCE),
            outcomes: under(OUTCOMES) + ".",
            feeds: under(FEEDS) + ".",
            reports: under(REPORTS) + ".",
            requests: under(REQUESTS) + ".",
            stream: prefix.replace('.', "-"),
            service,
            inbox,
        })
    }
}

impl Default for Subjects {
    fn default() -> Self {
        DEFAULT_PREFIX.parse().expect("the default is a prefix")
    }
}

impl std::fmt::Display for Subjects {
    /// The prefix.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.prefix)
    }
}

fn is_token(token: &str) -> bool {
    let ends = [token.bytes().next(), token.bytes().next_back()];
    ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn query(text: &str) -> Query {
        Query::new(text).expect("a query")
    }

    #[test]
    fn the_default_subjects_are_those_of_the_protocol() {
        let subjects = Subjects::default();
        assert_eq!(subjects.to_string(), "oracle");
        assert_eq!((subjects.tasks(), subjects.results(), subjects.presence()), (TASKS, RESULTS, PRESENCE));
        assert_eq!((subjects.service(), subjects.inbox()), (SERVICE, "_INBOX"));
        assert_eq!(subjects.outcome(&query("q")), format!("{OUTCOMES}.q"));
        assert_eq!((subjects.feeds(), subjects.requests()), ("oracle.feeds.", "oracle.requests."));
        assert_eq!(subjects.reports(), "oracle.reports.");
        assert_eq!(subjects.stream("feeds"), "oracle-feeds");
    }

    #[test]
    fn a_query_becomes_one_token_of_a_subject_and_can_be_read_back() {
        for (text, token) in [
            ("BTC/USD", "BTC/USD"),
            ("eth block", "eth%20block"),
            ("a.b.*.>", "a%2Eb%2E%2A%2E%3E"),
            ("100%", "100%25"),
            ("größe", "gr%C3%B6%C3%9Fe"),
        ] {
            assert_eq!(Subjects::default().outcome(&query(text)), format!("oracle.outcomes.{token}"));
        }
    }

    #[test]
    fn every_subject_of_another_deployment_begins_with_its_prefix() {
        let subjects: Subjects = "eu.staging_2".parse().expect("a prefix");
        assert_eq!(subjects.tasks(), "eu.staging_2.tasks");
        assert_eq!(subjects.results(), "eu.staging_2.results");
        assert_eq!(subjects.presence(), "eu.staging_2.workers");
        assert_eq!(subjects.outcome(&query("q")), "eu.staging_2.outcomes.q");
        assert_eq!((subjects.feeds(), subjects.requests()), ("eu.staging_2.feeds.", "eu.staging_2.requests."));
        assert_eq!(subjects.stream("feeds"), "eu-staging_2-feeds");
        assert_eq!(subjects.inbox(), "eu.staging_2._INBOX");
        assert_eq!(subjects.service(), "quorate-worker-eu_staging__2");
    }

    #[test]
    fn no_two_prefixes_share_a_name_or_a_subject() {
        let prefixes = [
            "oracle",
            "a",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a.b_c",
            "a_b.c",
            "a.b.c",
            "a_b_c",
            "oracle.tasks",
            "A",
            "feeds",
            "requests.open",
        ];
        let mut seen = BTreeSet::new();
        for prefix in prefixes {
            let subjects: Subjects = prefix.parse().expect(prefix);
            let outcomes = ["tasks", "results", "workers", "q"].map(|text| subjects.outcome(&query(text)));
            let stored =
                [subjects.feeds(), subjects.reports(), subjects.requests()].map(|under| format!("{under}tasks"));
            let Subjects { tasks, packs, results, presence, service, inbox, .. } = subjects;
            let names = [tasks, packs, results, presence, service, inbox].into_iter().chain(stored);
            for name in names.chain(outcomes) {
                assert!(seen.insert(name.clone()), "{name} of {prefix}");
            }
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        let long = "x".repeat(65);
        for prefix in
            ["", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "$SRV", "_INBOX", "a._b", "a-", "ü", "a/b", &long]
        {
            assert_eq!(prefix.parse::<Subjects>(), Err(PrefixError::Tokens), "{prefix:?}");
        }
        for prefix in [
            "outcomes",
            "oracle.outcomes",
            "oracle.outcomes.eu",
            "oracle.feeds",
            "a.requests.b",
            "feeds.requests",
            "a.reports",
        ] {
            assert_eq!(prefix.parse::<Subjects>(), Err(PrefixError::Reserved), "{prefix:?}");
        }
        assert!("x".repeat(64).parse::<Subjects>().is_ok());
    }
}
