//! How the clock moves before a step.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::time::Timestamp;

/// How the clock moves before a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// Forward by this much. The machine is woken whenever it asks for it.
    Wait(Duration),
    /// Forward by this much at once, without waking the machine on the way.
    Jump(Duration),
    /// Back by this much, for this step only.
    Back(Duration),
    /// To any time, in nanoseconds, which may be past.
    To(u64),
    /// To this long before the end of time.
    BeforeTheEnd(Duration),
}

impl Clock {
    /// The time of the step, and whether the machine is woken on the way there.
    pub(super) fn from(self, now: Timestamp) -> (Timestamp, bool) {
        let nanos = |duration: Duration| duration.as_nanos() as u64;
        match self {
            Self::Wait(wait) => (now.after(wait), true),
            Self::Jump(jump) => (now.after(jump), false),
            Self::Back(back) => (Timestamp::from_nanos(now.as_nanos().saturating_sub(nanos(back))), false),
            Self::To(nanos) => (Timestamp::from_nanos(nanos), false),
            Self::BeforeTheEnd(rest) => (Timestamp::from_nanos(u64::MAX - nanos(rest)), false),
        }
    }
}

pub(super) fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// Mostly no time passes. Otherwise, it is mostly less than 100 ms times `scale`.
pub(super) fn clock(scale: u64) -> impl Strategy<Value = Clock> {
    let absurd = prop_oneof![
        any::<u64>().prop_map(Clock::To),
        (0_u64..3000).prop_map(|millis| Clock::BeforeTheEnd(Duration::from_millis(millis))),
    ];
    prop_oneof![
        1280 => Just(Clock::Wait(Duration::ZERO)),
        480 => millis(0..100 * scale).prop_map(Clock::Wait),
        160 => (0_u64..20).prop_map(move |count| Clock::Wait(Duration::from_millis(count * 50 * scale))),
        80 => millis(0..5000 * scale).prop_map(Clock::Wait),
        80 => millis(0..1000 * scale).prop_map(Clock::Jump),
        80 => any::<u32>().prop_map(|nanos| Clock::Back(Duration::from_nanos(nanos.into()))),
        40 => Just(Clock::To(0)),
        1 => absurd,
    ]
}
