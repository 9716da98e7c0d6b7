//! What can happen to a coordinator, and when: the likely, the unlikely and the absurd.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::aggregate::{Millionths, OutlierRule, Rule, Strategy as Aggregation};
use quorate_core::coordinator::{Config, Expected, Policies, PresenceState, QueryPolicy, Score, UndeliveredCause};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::pattern::Pattern;
use quorate_core::policy::{OnDispute, Overrides, Policy};
use quorate_core::time::UnixTime;
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::clock::{Clock, clock, millis};

/// One step. Tickets and tasks are counted back from the latest at that time, so that steps keep their meaning when
/// others are left out.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Submit {
        id: Option<u8>,
        query: u8,
        overrides: Overrides,
    },
    Cancel {
        ticket: u8,
    },
    Result {
        worker: u8,
        task: u8,
        subject: Subject,
        observed: Result<Value, ()>,
        overloaded: bool,
        age: Option<Duration>,
    },
    /// The last result again, unchanged.
    Repeat,
    Unknown {
        worker: u8,
    },
    Undelivered {
        task: u8,
        cause: UndeliveredCause,
    },
    Presence {
        worker: u8,
        instance: u8,
        state: PresenceState,
        replicated: bool,
        offer: u8,
        packs: bool,
    },
    /// `come` processes announce one name as live, then `leave` of them leave.
    Crowd {
        worker: u8,
        come: u8,
        leave: u8,
    },
    /// The time of day is this.
    WallClock(UnixTime),
    /// The operator's policies change.
    Policies(Policies),
    BusUp,
    BusDown,
    Drain,
    Idle,
}

/// The subject on which a result comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    Own,
    Shared,
    Other,
}

pub(super) fn worker(index: u8) -> WorkerId {
    WorkerId::new(["w0", "w1", "w2", "w3", "w4", "w5"][usize::from(index) % 6]).expect("a worker id")
}

fn aggregation() -> impl Strategy<Value = Aggregation> {
    prop::sample::select(Aggregation::ALL)
}

/// Tenths, also out of the range of shares.
fn tenths(range: std::ops::Range<i64>) -> impl Strategy<Value = Decimal> {
    range.prop_map(|tenths| Decimal::new(tenths, 1))
}

fn factor(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Millionths> {
    prop_oneof![
        9 => range.prop_map(|halves| Millionths::new(halves * 500_000)),
        1 => prop::sample::select([1, 333_333, Millionths::MAX.get()].map(Millionths::new).to_vec()),
    ]
}

fn outliers(fractions: std::ops::Range<i64>) -> impl Strategy<Value = OutlierRule> {
    prop_oneof![
        Just(OutlierRule::None),
        tenths(fractions).prop_map(OutlierRule::Relative),
        factor(0..=8).prop_map(OutlierRule::Mad),
        factor(0..=8).prop_map(OutlierRule::Iqr),
    ]
}

fn on_dispute() -> impl Strategy<Value = OnDispute> {
    prop::sample::select(&OnDispute::ALL[..])
}

/// An age or an age limit: drawn from the same few values, so that they are often equal.
fn age_limit() -> impl Strategy<Value = Duration> {
    prop_oneof![9 => millis(0..4), 1 => Just(Duration::MAX)]
}

fn age() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of(age_limit())
}

prop_compose! {
    /// The overrides of a request's rule, which are not always within the limits.
    fn rule_overrides()(
        strategy in prop::option::of(aggregation()),
        precision in prop::option::weighted(0.1, prop::sample::select(&[0_u32, 1, 28, 29][..])),
        trim_share in prop::option::weighted(0.2, (0_u64..=50).prop_map(|percent| Millionths::new(percent * 10_000))),
        max_deviation in prop::option::of(outliers(-1..12)),
        tolerance in prop::option::weighted(0.3, tenths(-1..12)),
        min_agreement in prop::option::weighted(0.3, factor(0..=2)),
        max_age in prop::option::weighted(0.3, age_limit()),
    ) -> Overrides {
        Overrides {
            strategy,
            precision,
            trim_share,
            max_deviation,
            tolerance,
            min_agreement,
            max_age,
            ..Overrides::default()
        }
    }
}

fn overrides() -> impl Strategy<Value = Overrides> {
    let counts = (prop::option::weighted(0.1, 0_u32..4), prop::option::weighted(0.3, 1_u32..5));
    let timeout = prop::option::weighted(0.5, (0_u64..40).prop_map(|it| Duration::from_millis(it * 50)));
    let on_dispute = prop::option::weighted(0.3, on_dispute());
    let decimals = prop_oneof![9 => decimals(), 1 => Just(Some(29))];
    let any = (rule_overrides(), counts, timeout, on_dispute, decimals).prop_map(
        |(rule, (min_responses, quorum), timeout, on_dispute, decimals)| Overrides {
            min_responses,
            quorum,
            timeout,
            on_dispute,
            decimals,
            ..rule
        },
    );
    prop_oneof![2 => Just(Overrides::default()), 1 => any]
}

fn observed() -> impl Strategy<Value = Result<Value, ()>> {
    let odd = ["79228162514264337593543950335", "-79228162514264337593543950335", "1e-28", "0.10", "-0", "2.675"];
    let words = ["red", "blue", "1.0", "3"].map(|text| Ok(Value::text(text).expect("short")));
    prop_oneof![
        6 => (0_i64..5).prop_map(|number| Ok(Value::Number(number.into()))),
        2 => prop::sample::select(odd.map(|text| Ok(Value::number(text).expect("a number"))).to_vec()),
        1 => prop::sample::select(words.to_vec()),
        2 => Just(Err(())),
    ]
}

/// What a worker offers: usually every query.
pub(super) fn offer_of(choice: u8) -> Offer {
    let patterns: &[&str] = match choice {
        0 => &["BTC/USD"],
        1 => &["ETH/*"],
        2 => &["SOL/USD", "*TC/U*"],
        _ => &[],
    };
    Offer::new(patterns.iter().copied()).expect("a small offer")
}

/// A time of day: around the beginning of 1970, today's, or the end of time.
fn wall_clock() -> impl Strategy<Value = UnixTime> {
    let nanos = prop_oneof![0_u64..5_000_000_000, Just(1_790_000_000_000_000_000), Just(u64::MAX), any::<u64>()];
    nanos.prop_map(UnixTime::from_nanos)
}

fn decimals() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.3, prop::sample::select(&[0_u8, 1, 2, 28][..]))
}

fn step() -> impl Strategy<Value = Step> {
    use PresenceState::{Draining, Left, Live};
    use UndeliveredCause::{Disconnected, NoResponders, QueueFull};
    let subject = prop_oneof![6 => Just(Subject::Own), 2 => Just(Subject::Shared), 1 => Just(Subject::Other)];
    prop_oneof![
        8 => (prop::option::of(0_u8..4), 0_u8..2, overrides())
            .prop_map(|(id, query, overrides)| Step::Submit { id, query, overrides }),
        2 => any::<u8>().prop_map(|ticket| Step::Cancel { ticket }),
        20 => (0_u8..6, any::<u8>(), subject, observed(), prop::bool::weighted(0.3), age()).prop_map(
            |(worker, task, subject, observed, overloaded, age)| {
                Step::Result { worker, task, subject, observed, overloaded, age }
            },
        ),
        2 => Just(Step::Repeat),
        1 => (0_u8..6).prop_map(|worker| Step::Unknown { worker }),
        2 => (any::<u8>(), prop::sample::select(&[NoResponders, Disconnected, QueueFull][..]))
            .prop_map(|(task, cause)| Step::Undelivered { task, cause }),
        6 => (
            (0_u8..6, 0_u8..3, prop::sample::select(&[Live, Live, Live, Draining, Left][..])),
            (any::<bool>(), 0_u8..8, prop::bool::weighted(0.8)),
        )
            .prop_map(|((worker, instance, state), (replicated, offer, packs))| {
                Step::Presence { worker, instance, state, replicated, offer, packs }
            }),
        1 => wall_clock().prop_map(Step::WallClock),
        1 => particulars().prop_map(Step::Policies),
        4 => Just(Step::BusUp),
        1 => Just(Step::BusDown),
        1 => prop_oneof![
            19 => Just(Step::Idle),
            1 => Just(Step::Drain),
            1 => (0_u8..6, 62_u8..67, 60_u8..67)
                .prop_map(|(worker, come, leave)| Step::Crowd { worker, come, leave }),
        ],
        3 => Just(Step::Idle),
    ]
}

/// A step and how the clock moves before it.
#[derive(Clone, Debug)]
pub struct TimedStep(pub(super) Clock, pub(super) Step);

/// Up to 300 steps.
pub fn steps() -> impl Strategy<Value = Vec<TimedStep>> {
    prop::collection::vec((clock(2), step()).prop_map(|(clock, step)| TimedStep(clock, step)), 0..300)
}

prop_compose! {
    /// The operator's rule, within the limits.
    fn rule()(
        strategy in aggregation(),
        precision in prop::sample::select(&[0_u32, 2, 2, 28][..]),
        trim_share in (0_u64..50).prop_map(|percent| Millionths::new(percent * 10_000)),
        max_deviation in outliers(0..6),
        tolerance in prop::option::of(tenths(0..6)),
        min_agreement in prop::option::weighted(0.3, factor(0..=2).prop_map(|share| share.min(Millionths::ONE))),
        max_age in prop::option::weighted(0.3, age_limit()),
    ) -> Rule {
        Rule { strategy, precision, trim_share, max_deviation, tolerance, min_agreement, max_age }
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    (rule(), 1_u32..3, prop::option::weighted(0.2, 2_u32..4), on_dispute(), decimals()).prop_map(
        |(rule, min_responses, quorum, on_dispute, decimals)| Policy {
            rule,
            min_responses,
            quorum,
            timeout: Duration::from_secs(1),
            on_dispute,
            decimals,
        },
    )
}

/// Who should be there: usually nobody in particular.
fn expected() -> impl Strategy<Value = Expected> {
    let some = (prop::collection::btree_set((0_u8..8).prop_map(worker), 0..3), 0_u32..5)
        .prop_map(|(workers, least)| Expected { workers, least });
    prop_oneof![2 => Just(Expected::default()), 1 => some]
}

/// The policies of some queries, and the weights of some workers.
fn particulars() -> impl Strategy<Value = Policies> {
    let pattern = prop::sample::select(&["*", "*/USD", "BTC/*", "ETH/USD", "ETH/EUR"][..]).prop_map(Pattern::new);
    let of_some = (pattern, policy(), expected())
        .prop_map(|(pattern, policy, expected)| Arc::new(QueryPolicy { pattern, policy, expected }));
    let policies = prop::collection::vec(of_some, 0..3);
    let weights = prop::collection::btree_map((0_u8..6).prop_map(worker), factor(0..=6), 0..4);
    (policies, prop_oneof![Just(BTreeMap::new()), weights])
        .prop_map(|(policies, weights)| Policies { policies, weights: Arc::new(weights) })
}

/// A limit that is large in most cases.
fn roomy(least: u32, most: u32) -> impl Strategy<Value = u32> {
    prop_oneof![least..most, most / 2..most]
}

/// Small limits and short waits, including absent and zero ones.
pub fn config() -> impl Strategy<Value = Config> {
    let small = (roomy(0, 8), roomy(0, 4), roomy(0, 16), roomy(0, 8));
    let presence = prop_oneof![millis(0..3000), Just(Duration::from_mins(1))];
    let redispatch = prop_oneof![Just(0_u32), 1_u32..1000, 1000_u32..3000];
    let max_lag = prop_oneof![millis(0..500), Just(Duration::from_secs(1))];
    let waits = (presence, millis(0..500), redispatch, millis(0..5000), (max_lag, millis(0..800)));
    let newcomers = (0_u32..4, millis(0..200), 0_u32..4, millis(0..3000), 0_usize..3);
    let small = (small, newcomers);
    let admitted = prop::option::weighted(0.2, prop::collection::btree_set(0_u8..6, 0..6));
    let quarantine = prop::option::weighted(0.3, (0_u32..=1_000_000).prop_map(|below_one| 1_000_000 - below_one));
    let policies = (policy(), expected(), particulars(), prop::bool::weighted(0.9));
    let defaults = Config::default();
    let bounds = (
        prop_oneof![3 => 0_usize..4, 1 => Just(defaults.max_instances)],
        prop_oneof![3 => 1_usize..6, 1 => Just(defaults.response_times)],
        prop_oneof![1 => millis(0..50), 1 => Just(defaults.reconnect_grace)],
        prop_oneof![1 => 0_usize..6000, 5 => Just(defaults.max_in_flight_bytes)],
        prop_oneof![1 => 0_usize..6000, 5 => Just(defaults.max_remembered_bytes)],
        (prop::option::weighted(0.8, millis(0..200)), 0_usize..4, millis(0..2000)),
    );
    (small, waits, admitted, quarantine, policies, bounds).prop_map(
        |((small, newcomers), waits, admitted, quarantine, policies, bounds)| {
            let (policy, expected, Policies { policies, weights }, events) = policies;
            let mut config = Config {
                policy,
                expected,
                policies,
                weights,
                max_in_flight: small.0 as usize,
                max_waiting: small.1 as usize,
                max_remembered: small.2 as usize,
                presence: waits.0,
                stall: waits.1,
                redispatch_permille: waits.2,
                remember: waits.3,
                max_lag: waits.4.0,
                no_responders_grace: waits.4.1,
                max_newcomers: newcomers.0,
                admit_every: newcomers.1,
                admit_burst: newcomers.2,
                keep_gone: newcomers.3,
                kept_queries: newcomers.4,
                admitted: admitted.map(|names| names.into_iter().map(worker).collect()),
                quarantine_below: quarantine.map(Score::from_millionths),
                max_instances: bounds.0,
                response_times: bounds.1,
                reconnect_grace: bounds.2,
                max_in_flight_bytes: bounds.3,
                max_remembered_bytes: bounds.4,
                suspect_after: bounds.5.0,
                usual_samples: bounds.5.1,
                single_every: bounds.5.2,
                events,
                ..Config::default()
            };
            config.limits.max_workers = small.3;
            config
        },
    )
}
