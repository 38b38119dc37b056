use std::sync::Arc;

use super::Origin;

/// What became of a request that is in the history without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A write whose changes are stored with those of another request, in one commit.
    Stored,
    /// A read that was served.
    Allowed,
    /// The credentials were missing or wrong.
    Unauthenticated,
    /// No grant allowed it.
    PermissionDenied,
    /// It was served, and would have been refused if the policy were enforced.
    Observed,
    /// Records that are missing, because they came faster than they could be stored.
    Lost,
    /// An outcome of a later version.
    Unknown,
}

/// Requests in the history without changes of their own: refusals, reads that are recorded by
/// choice, and writes that share the changes of another one.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessRecord {
    /// Of the first of them.
    pub origin: Arc<Origin>,
    pub outcome: Outcome,
    /// Why, without a secret.
    pub reason: String,
    /// How many equal ones came together.
    pub count: u64,
}
