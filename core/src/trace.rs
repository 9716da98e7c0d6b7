//! The mark by which an adapter recognises what belongs to a trace.

/// An opaque mark that an adapter passes with a request or a task, and receives back with every output for it.
///
/// The machines copy it and never look into it: no decision depends on it. The adapters store a W3C trace context in
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trace(pub [u8; 25]);
