//! The tables of experiments, runs and logged models: what searches and series of metrics need
//! beside the nodes of the graph.
//!
//! * `experiments`, `runs`: which experiments and runs there are.
//! * `metrics`: points of metrics; `curves`: series as a whole, and thinned.
//! * `inputs`: tags of inputs.
//! * `models`, `model_metrics`: logged models and their metrics.
//! * `registered`: registered models and their versions.
//! * `search`: conditions and orders of searches; `text`: comparisons of texts.
//! * `run_search`: searches of runs, which follow indexes; `run_fields`: what they compare.

pub mod curves;
pub mod experiments;
pub mod inputs;
pub mod metrics;
pub mod model_metrics;
pub mod models;
pub mod registered;
mod run_fields;
pub mod run_search;
pub mod runs;
mod search;
mod text;
