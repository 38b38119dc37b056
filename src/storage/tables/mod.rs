//! The statements, a file per table family. Functions take the transaction they run in; a rule of the graph does not belong
//! here, nor does a difference between databases.

pub mod changes;
pub mod events;
pub mod joins;
pub mod lists;
pub mod locks;
pub mod memberships;
pub mod messages;
pub mod nodes;
pub mod properties;
pub(super) mod schema;
pub mod types;
