//! How long to wait before the next attempt to connect.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The first pause, if the server has not said how long it should be.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause, unless the server asks for more.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest pause that a server can ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// The pause after this many failures in a row, at least one. It doubles with each, and its upper half is random, so
/// that many followers of one coordinator do not return at the same moment. `first` is what the server wants for the
/// first pause, and `at_least` what it wants for this one.
pub(super) fn pause(failures: u32, first: Option<Duration>, at_least: Option<Duration>) -> Duration {
    // The standard library seeds each of its hashers from the operating system.
    spread(failures, first, at_least, RandomState::new().hash_one(0))
}

fn spread(failures: u32, first: Option<Duration>, at_least: Option<Duration>, random: u64) -> Duration {
    let doubled = first.unwrap_or(FIRST).saturating_mul(1 << failures.saturating_sub(1).min(10));
    let whole = doubled.min(LONGEST);
    let half = whole / 2;
    let pause = half + Duration::from_micros(random % (half.as_micros() as u64 + 1));
    pause.max(at_least.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_limit_and_is_spread() {
        let second = Duration::from_secs(1);
        for (failures, first, whole) in
            [(1, None, 1), (2, None, 2), (3, None, 4), (99, None, 30), (1, Some(3), 3), (9, Some(3), 30)]
        {
            let first = first.map(Duration::from_secs);
            for random in [0, 1, 123_456_789, u64::MAX] {
                let pause = spread(failures, first, None, random);
                assert!((second * whole / 2..=second * whole).contains(&pause), "{failures} {first:?}: {pause:?}");
            }
            assert_eq!(spread(failures, first, None, 0), second * whole / 2);
        }
        assert_eq!(spread(1, Some(Duration::ZERO), None, 7), Duration::ZERO);
        assert_eq!(spread(1, None, Some(second * 7), 7), second * 7);
        assert_eq!(spread(1, None, Some(Duration::MAX), 7), LONGEST_ASKED);
    }
}
