//! An answer says when it was given, and when the values that it rests on were observed.

use std::time::Duration;

use quorate_core::coordinator::Output;
use quorate_core::outcome::Outcome;
use quorate_core::time::{Timestamp, UnixTime};

use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::Coordinator;

/// How far the time of day may be off: a driver tells its machine of larger differences.
const TOLERANCE: Duration = Duration::from_millis(10);

pub(crate) struct Dated {
    coordinators: Vec<Coordinator>,
}

pub(crate) fn new(context: &Context<'_>) -> Dated {
    Dated { coordinators: context.scenario.cluster.coordinators.clone() }
}

/// Judges an outcome that a coordinator gave at the time of day `wall`.
fn check(outcome: &Outcome, wall: UnixTime) -> Result<(), String> {
    let said = outcome.answered_at;
    if said.before(TOLERANCE) > wall || said.after(TOLERANCE) < wall {
        return Err(format!("{} ended at {wall:?} and says {said:?}", outcome.request));
    }
    let used = || outcome.observations.iter().filter(|it| it.observed.is_ok() && it.excluded.is_none());
    let Some(observed) = outcome.observed else {
        let is_none = used().next().is_none();
        return is_none
            .then_some(())
            .ok_or_else(|| format!("{} says not when its values were observed", outcome.request));
    };
    let oldest_age = used().map(|it| it.age.unwrap_or_default()).max().unwrap_or_default();
    let earliest = said.before(outcome.elapsed.saturating_add(oldest_age));
    if observed.oldest < earliest || observed.oldest > observed.newest || observed.newest > said {
        return Err(format!(
            "{} rests on values from {observed:?}, between {earliest:?} and {said:?}",
            outcome.request
        ));
    }
    Ok(())
}

impl Checker for Dated {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let (Host::Coordinator(number), What::CoordinatorOutput(now, Output::Ended(outcome))) =
            (event.host, event.what)
        else {
            return Ok(());
        };
        let coordinator = self.coordinators.iter().find(|it| it.number == number);
        let wall: Timestamp = coordinator.map_or(now, |coordinator| coordinator.wall(now));
        check(outcome, UnixTime::from_nanos(wall.as_nanos())).map_err(|error| format!("{}: {error}", event.host))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quorate_core::id::{RequestId, WorkerId};
    use quorate_core::outcome::{Observation, Observed};
    use quorate_core::query::Query;
    use quorate_core::value::Value;

    use super::*;
    use crate::checkers::testing::rig::Rig;

    /// Ended at 10 s after 100 ms, with one used value that was 50 ms old.
    fn outcome() -> Outcome {
        let worker = WorkerId::new("a").expect("an id");
        let observation = Observation::new(worker, Ok(Value::number("1").expect("a number")));
        let at = |millis: u64| UnixTime::from_nanos(millis * 1_000_000);
        Outcome {
            observations: vec![Observation { age: Some(Duration::from_millis(50)), ..observation }],
            elapsed: Duration::from_millis(100),
            answered_at: at(10_000),
            observed: Some(Observed { oldest: at(9_900), newest: at(9_900) }),
            ..Outcome::unanswered(RequestId::new("r").expect("an id"), Query::new("q").expect("a query"))
        }
    }

    fn judged(outcome: Outcome, at_ms: u64) -> Rig {
        let mut rig = Rig::new(new);
        let output = Output::Ended(Arc::new(outcome));
        rig.tell(Host::Coordinator(1), What::CoordinatorOutput(Timestamp::from_millis(at_ms), &output));
        rig
    }

    #[test]
    fn an_outcome_is_dated_by_its_coordinators_clock() {
        judged(outcome(), 10_000).expect_fine();
        judged(outcome(), 10_009).expect_fine();
        judged(outcome(), 10_020).expect_violation("and says");
        judged(outcome(), 9_980).expect_violation("and says");
    }

    #[test]
    fn values_are_observed_between_the_request_and_its_end_or_earlier_by_their_age() {
        let with = |oldest: u64, newest: u64| {
            let [oldest, newest] = [oldest, newest].map(|millis| UnixTime::from_nanos(millis * 1_000_000));
            Outcome { observed: Some(Observed { oldest, newest }), ..outcome() }
        };
        judged(with(9_850, 10_000), 10_000).expect_fine();
        for (oldest, newest) in [(9_849, 9_900), (9_900, 9_899), (9_900, 10_001)] {
            judged(with(oldest, newest), 10_000).expect_violation("rests on values from");
        }
        judged(Outcome { observed: None, ..outcome() }, 10_000).expect_violation("says not when");
    }
}
