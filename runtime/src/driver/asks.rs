//! How programs of this process ask the workers, so that a simulation can stand in for them.

use quorate_core::id::RequestId;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;

use super::{AskError, CoordinatorHandle};
use crate::wire::EncodedOutcome;

/// Asks the workers. Clones ask the same ones.
pub trait Asks: Clone + Send + Sync + 'static {
    /// Asks, and waits for the end of the request.
    ///
    /// # Errors
    /// [`AskError`] if the request was not accepted.
    fn ask(
        &self,
        id: Option<RequestId>,
        query: Query,
        overrides: Overrides,
    ) -> impl Future<Output = Result<EncodedOutcome, AskError>> + Send;
}

impl Asks for CoordinatorHandle {
    async fn ask(&self, id: Option<RequestId>, query: Query, overrides: Overrides) -> Result<EncodedOutcome, AskError> {
        self.ask_within(None, false, id, query, overrides).await.0
    }
}
