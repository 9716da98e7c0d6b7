//! When nothing has gone wrong for a while, one coordinator drives a feed: no work is done twice.

use std::collections::BTreeMap;

use super::calm::Calm;
use super::excuses::SECOND;
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::host::Host;

/// How long it takes until the last lease has been taken over, renewed late, or lost.
const SETTLES: u64 = 45 * SECOND;

#[derive(Default)]
pub(crate) struct Alone {
    calm: Calm,
    /// Who asked the last round of each query, and when.
    last: BTreeMap<String, (Host, u64)>,
}

pub(crate) fn new(_context: &Context<'_>) -> Alone {
    Alone::default()
}

impl Checker for Alone {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        self.calm.event(event);
        let What::Store(StoreEvent::Asked(_, query, None)) = event.what else { return Ok(()) };
        let before = self.last.insert(query.as_str().to_owned(), (event.host, event.at));
        let calm = self.calm.lasts(event.at).unwrap_or(0);
        match before {
            Some((host, at)) if host != event.host && calm > SETTLES && event.at - at < calm - SETTLES => {
                Err(format!("{query:?} is asked by {} after {host}, and nothing is wrong", event.host))
            }
            _ => Ok(()),
        }
    }
}
