//! The policy file and the feed file, read again at each SIGHUP.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{Stream, StreamExt as _};
use quorate_core::coordinator::{Config, Policies};
use quorate_core::feed::Definition;
use quorate_runtime::{feeds, policies};
use tracing::{error, info};

use crate::signals;

/// The policies of the file, each time a signal says to read it again. A file that is wrong is logged and changes
/// nothing.
pub(crate) fn policies(file: Option<PathBuf>, machine: Config) -> impl Stream<Item = Policies> + Send {
    signals::hangups().filter_map(move |()| ready(read(file.as_deref(), &machine)))
}

/// The feeds of the file, each time a signal says to read it again. A file that is wrong is logged and changes nothing.
pub(crate) fn feeds(file: PathBuf, machine: Config) -> impl Stream<Item = Vec<Arc<Definition>>> + Send {
    signals::hangups().filter_map(move |()| {
        ready(match feeds::read(&file, &machine) {
            Ok(feeds) => {
                info!(file = %file.display(), feeds = feeds.len(), "the feeds were read again");
                Some(feeds)
            }
            Err(error) => {
                error!("{error}; the feeds stay as they are");
                None
            }
        })
    })
}

fn read(file: Option<&Path>, machine: &Config) -> Option<Policies> {
    let Some(file) = file else {
        info!("there is no policy file to read again; name one with --policies");
        return None;
    };
    match policies::read(file, machine) {
        Ok(policies) => {
            info!(file = %file.display(), policies = policies.policies.len(), "the policies were read again");
            Some(policies)
        }
        Err(error) => {
            error!("{error}; the policies stay as they are");
            None
        }
    }
}
