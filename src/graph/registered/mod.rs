//! Registered models, their versions and aliases.
//!
//! A model is a context, a version is a context below it, and what the version is, is the artifact
//! that training made: lineage of a version is that of its artifact. The types are those of
//! Kubeflow's Model Registry.
//!
//! * `names`: types and properties; `schema`: the types; `rules`: what names may be.
//! * `models`, `versions`: what is stored of them, and how it changes.
//! * `source`: the artifact of a version; `aliases`: which version an alias names, and its history.
//! * `read`: models and versions, found by their names or by a search; `of_artifact`: the versions
//!   that an artifact is, or was at a time.

mod aliases;
mod models;
pub mod names;
mod of_artifact;
mod read;
mod rules;
mod schema;
mod source;
mod versions;

pub use aliases::{AliasMove, AliasTarget, MoveAlias};
pub use models::{EditRegisteredModel, NewRegisteredModel, RegisteredModel, RegisteredModelChange};
pub use of_artifact::{VersionOfArtifact, VersionsOfArtifact};
pub use read::{AliasedVersion, GraphRegistry, RegisteredModelData};
pub use source::VersionSource;
pub use versions::{EditVersion, ModelVersion, NewVersion, VersionChange};
