//! What the tests of several crates share. Nothing here is part of a program.
#![warn(missing_docs)]

pub mod bus_contract;
pub mod documents;
mod exposition;
pub mod fuzz;
pub mod nats_by_hand;
mod nats_cluster;
mod nats_server;
mod schema;
pub mod store_contract;

use std::path::{Path, PathBuf};

pub use exposition::{Exposition, Family, Sample};
pub use nats_cluster::NatsCluster;
pub use nats_server::NatsServer;
pub use schema::Schema;

/// A path within the workspace.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the workspace").join(path)
}
