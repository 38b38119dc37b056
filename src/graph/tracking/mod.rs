//! Experiments and their runs, as clients of experiment tracking know them.
//!
//! An experiment is a context, a run is an execution in it, a logged model is an artifact in it.
//! What can be found in their nodes is nowhere else; series of metrics, and what searches need
//! beside properties, have tables of their own, which are written in the same transactions.
//!
//! * `names`: types, external ids and properties; `schema`: the types, and the first experiment.
//! * `experiments`, `runs`: what is stored of them, and how it changes.
//! * `above`: the contexts into which tags of runs put them.
//! * `log`: metrics, parameters and tags of runs; `inputs`: datasets that runs used; `environment`:
//!   what their files say about their environments.
//! * `artifacts`: what runs used and made, as other systems have recorded it; `made`: files that
//!   runs made, which their tags name.
//! * `models`: logged models; `outputs`: which runs made and used them; `links`: how both are
//!   read.
//! * `fields`: properties; `lookup`: what other parts of the graph find.
//! * `read`: experiments and runs, found by their ids or by a search; `cache`: runs that have not
//!   changed since they were read.

mod above;
mod artifacts;
mod cache;
mod environment;
mod experiments;
pub(in crate::graph) mod fields;
mod inputs;
mod links;
mod log;
pub(in crate::graph) mod lookup;
mod made;
mod models;
pub mod names;
mod outputs;
mod read;
mod runs;
mod schema;

pub use artifacts::{LogArtifacts, RunArtifact};
pub(in crate::graph) use cache::RunCache;
pub use cache::RunSnapshot;
pub use environment::{EnvironmentFact, LogEnvironmentFile};
pub use experiments::{EditExperiment, Experiment, ExperimentChange, NewExperiment};
pub use inputs::{LogInputs, RunInput};
pub use log::{ExtendTag, LogRun, ModelPoint, ParamConflict};
pub use models::{EditModel, LoggedModel, ModelChange, ModelMetric, NewModel};
pub use outputs::LogOutputs;
pub use read::{GraphTracking, InputSummary, ListedRun, RunData};
pub use runs::{EditRun, NewRun, SetRunDeleted, TrackedRun};
