//! The trace that a source is queried for.

use crate::wire::TraceContext;

tokio::task_local! {
    static CONTEXT: TraceContext;
}

/// The trace context of the current observation, for a source to pass on to what it queries; `None` outside a trace.
pub fn trace_context() -> Option<TraceContext> {
    CONTEXT.try_with(|context| *context).ok()
}

/// Runs `work` in a trace context.
pub(crate) async fn within<T>(context: Option<TraceContext>, work: impl Future<Output = T>) -> T {
    match context {
        Some(context) => CONTEXT.scope(context, work).await,
        None => work.await,
    }
}
