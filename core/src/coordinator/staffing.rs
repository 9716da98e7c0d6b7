//! Whether the workers that the operator's policies need are there.

use std::sync::Arc;

use super::Coordinator;
use super::config::QueryPolicy;
use crate::id::WorkerId;
use crate::outcome::count;
use crate::pattern::Pattern;

/// The workers that are there for the queries of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staffing {
    /// The queries of the policy; `*` for the default policy.
    pub pattern: Pattern,
    /// The number of live workers that offer some of these queries.
    pub live: u32,
    /// The least number with which a request can succeed: [`Policy::min_responses`](crate::policy::Policy).
    pub required: u32,
    /// The least number that should be there: the larger of `required` and [`Expected::least`](super::Expected).
    pub needed: u32,
    /// The workers that should be there by name, and are not, in order.
    pub missing: Vec<WorkerId>,
    /// The number of workers that should be there besides.
    pub unnamed: u32,
}

impl Staffing {
    /// Whether a request can succeed.
    pub fn can_serve(&self) -> bool {
        self.live >= self.required
    }

    /// Whether somebody who should be there is not.
    pub fn is_short(&self) -> bool {
        self.live < self.needed || self.lacking() > 0
    }

    /// The number of workers that should be there, and are not.
    pub fn lacking(&self) -> u32 {
        count(self.missing.len()) + self.unnamed
    }
}

impl Coordinator {
    /// Who is there for each of the [`Coordinator::policies`].
    pub fn staffing(&self) -> Vec<Staffing> {
        self.policies().map(|policy| self.staffing_of(policy)).collect()
    }

    /// The policies in force: first those of some queries, in their order, then the default one, unless one of the others
    /// is for every query. The first that covers a query applies to it.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<QueryPolicy>> {
        let is_used = self.config.policies.iter().all(|it| it.pattern != self.default.pattern);
        self.config.policies.iter().chain(is_used.then_some(&self.default))
    }

    fn staffing_of(&self, policy: &QueryPolicy) -> Staffing {
        let QueryPolicy { pattern, policy, expected } = policy;
        let offers = |id: &WorkerId| {
            let worker = self.registry.get(id).filter(|worker| worker.is_live());
            worker.is_some_and(|worker| worker.offers().any(|offer| offer.overlaps(pattern)))
        };
        let live = count(self.registry.iter().filter(|(id, _)| offers(id)).count());
        let missing: Vec<WorkerId> = expected.workers.iter().filter(|id| !offers(id)).cloned().collect();
        let unnamed = expected.least.saturating_sub(live + count(missing.len()));
        let required = policy.min_responses;
        let needed = required.max(expected.least);
        Staffing { pattern: pattern.clone(), live, required, needed, missing, unnamed }
    }
}
