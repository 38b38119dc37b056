//! How to make an artifact again: pure functions of its lineage, without storage or I/O.
//!
//! * `plan`: the plan, and what is missing; `order`: which executions it takes, in which order.
//! * `facts`: what an execution says about itself; `template`: placeholders in commands; `places`:
//!   where a rerun puts files.
//! * `gap`: what is missing; `score`: levels and the score.

mod facts;
mod gap;
mod order;
mod places;
mod plan;
mod score;
mod template;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use facts::{PlannedBlob, PlannedCode, PlannedEnvironment, RECORDED_VARIABLES};
pub(crate) use facts::{is_image, sha256_hex};
pub use gap::{Gap, GapId, GapSubject};
pub use places::is_inner_path;
pub use plan::{PlannedArtifact, PlannedStep, ReproductionPlan, RoleUse};
pub use score::{ReproductionLevel, Score};
pub use template::{Placeholder, expand, mentions};

pub use crate::model::{BLOB_TYPE, ENVIRONMENT_LOCK};
use crate::model::{Event, Node};

/// The type of executions that tell how a rerun ended.
pub const REPRODUCTION_TYPE: &str = "pedigree.Reproduction";

/// The role of the artifact that a reproduction made again.
pub const REPRODUCED_ROLE: &str = "reproduced";

/// The property of a reproduction that says how its output compares.
pub const VERDICT: &str = "verdict";

/// The verdicts.
pub const IDENTICAL: &str = "identical";
pub const PASSES_CHECK: &str = "passes its check";
pub const DIFFERS: &str = "differs";

/// The fact that has the digest of what differs from the commit, and the role of that blob.
pub const CODE_DIFF: &str = "code.diff";

/// The fact that has the digest of the specification of a pipeline, which has the code of its
/// steps, and the role of that blob.
pub const CODE_SPEC: &str = "code.spec";

/// The lineage of an artifact: everything upstream of it, the outputs of these executions, and
/// the reproductions of these outputs.
#[derive(Clone, Debug, Default)]
pub struct ArtifactLineage {
    pub artifacts: BTreeMap<i64, Node>,
    pub executions: BTreeMap<i64, Node>,
    pub events: Vec<Event>,
}

/// What a client found where it looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is there and has its digest.
    Present,
    /// It is not there.
    Missing,
    /// Something else is there: it was overwritten.
    Changed,
}

/// What a plan is made for.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Executions that are taken, where several produced an artifact. Otherwise it is the newest.
    pub executions: BTreeSet<i64>,
    /// Sources and blobs that a client looked for, by the ids of their artifacts.
    pub artifacts: BTreeMap<i64, Finding>,
    /// Commits that a client looked for in their repositories.
    pub commits: BTreeMap<String, Finding>,
}

/// The plan of making an artifact again. `None` if it is not in the lineage.
#[must_use]
pub fn plan(
    lineage: &ArtifactLineage,
    artifact: i64,
    options: &PlanOptions,
) -> Option<ReproductionPlan> {
    plan::make(lineage, artifact, options)
}
