//! The trace for which a source is asked.

use crate::wire::TraceContext;

tokio::task_local! {
    static CONTEXT: TraceContext;
}

/// Where in a trace the observation at hand belongs, for a source that passes it on to what it asks; `None` outside one.
pub fn trace_context() -> Option<TraceContext> {
    CONTEXT.try_with(|context| *context).ok()
}

/// Does what belongs there.
pub(crate) async fn within<T>(context: Option<TraceContext>, work: impl Future<Output = T>) -> T {
    match context {
        Some(context) => CONTEXT.scope(context, work).await,
        None => work.await,
    }
}
