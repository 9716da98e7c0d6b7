//! A simulated store: it gives what JetStream gives and no more, and a seed decides what goes wrong.
//!
//! * An append is taken by the leader, stored by a majority, and acknowledged. Each of the three may fail by itself: the
//!   message comes late or never, the leader dies and what it has taken is stored by the next one or never, the
//!   acknowledgement is lost. The author learns only that no answer came.
//! * While the leader has taken an entry that is not stored, it refuses every other one under the same key as a
//!   conflict, although nothing has come first, and maybe never will.
//! * [`last`](quorate_runtime::store::Store::last) is answered by the leader, and by nobody during an election. Readings
//!   and watches come from any replica, which may be behind, and are there without a leader, too.
//! * A watch may begin again a little earlier after an election.
//! * An entry with a time to live disappears somewhat late. How late depends on the leader, so that an entry that has
//!   disappeared may be there again after an election, as long as no other one came under its key. Nothing else comes
//!   back: the replicas agree on everything but the time.
//! * A fault of its own, [`Forget`](crate::scenario::StoreFaultKind::Forget), loses entries that were acknowledged, as
//!   a power failure does to a server that does not write to its disk at once. Their sequences are given again.
//!
//! `engine.rs` is the store, `ledger.rs` what it holds, `conditions.rs` what goes wrong and when, `client.rs` the
//! connection of a process, and `watch.rs` a watch.

mod client;
mod conditions;
mod engine;
mod ledger;
mod watch;

pub use client::SimulatedStore;
pub use engine::{Happened, Observer};
pub use watch::SimulatedWatch;
