//! The vocabulary of the metadata graph: plain data that every layer may name.
//!
//! Nothing here knows a protocol or a database. Names are ML Metadata's own.

mod audit;
mod change;
mod data_uri;
mod edge;
mod ids;
mod kind;
mod node;
mod origin;
mod page;
mod reproduction;
mod side;
mod state;
mod stored;
mod struct_text;
mod tracking;
mod transformation;
mod types;
mod value;

pub use audit::{AccessRecord, Outcome};
pub use change::{Change, JournalEntry, Operation, Subject};
pub use data_uri::{canonical_pair, canonical_uri, dataset_uri, split_uri, uri_notations};
pub use edge::{Event, EventInput, EventPath, EventType, Membership, ParentContext, Step};
pub use ids::distinct_ids;
pub use kind::Kind;
pub use node::{Node, NodeContent, NodeId, NodeInput, NodeKey, Properties};
pub use origin::{ANONYMOUS, Access, Caller, Door, Origin};
pub use page::{OffsetPage, OrderBy, PagePosition};
pub use reproduction::{BLOB_TYPE, ENVIRONMENT_LOCK, ENVIRONMENT_PYTHON};
pub use side::{PerSide, Side};
pub use state::{ArtifactState, ExecutionState, NodeState};
pub use stored::Stored;
pub use struct_text::StructText;
pub use tracking::{
    CurveAxis, ExperimentField, FieldCondition, FieldOrder, FieldTest, LifecycleView,
    MetricDataset, MetricPoint, ModelField, NumberOp, PropertyName, RegistryField, RunField,
    RunPoint, TextOp, TrackingQuery,
};
pub use transformation::Transformation;
pub use types::{BaseType, NodeType, PropertyType, SIMPLE_TYPES, TypeIdentity};
pub use value::Value;
