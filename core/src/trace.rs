//! The mark by which an adapter recognises what belongs together.

/// What an adapter gives along with a request or a task, and gets back with all that is done for it.
///
/// The machines carry it and never look into it: no decision depends on it. The adapters put a W3C trace context there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trace(pub [u8; 25]);
