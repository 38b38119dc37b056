//! The statements, a file per family of tables. Functions take the transaction that they run in.
//! Rules of the graph and differences between databases do not belong here.

pub mod adoption;
pub mod alias_moves;
pub mod artifact_files;
pub mod browse;
pub mod catalog;
pub mod changes;
pub mod column_lineage;
pub mod dataset_names;
pub mod dataset_uses;
pub mod events;
pub mod facets;
pub mod joins;
pub mod lists;
pub mod locks;
pub mod memberships;
pub mod messages;
pub mod nodes;
pub mod properties;
pub mod run_lineage;
pub(super) mod schema;
pub mod targets;
pub mod tracking;
pub mod types;
pub mod versions;
