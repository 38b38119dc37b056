use std::sync::Arc;

use super::{Event, Kind, Membership, Node, NodeType, Origin, Stored};

/// What became of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Created,
    Updated,
    /// Another program wrote it, and it was found later.
    Reconciled,
    /// It is no more. The subject is as it was.
    Deleted,
}

/// What a change is about, as the change left it.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    Node(Kind, Node),
    Type(Kind, Stored<NodeType>),
    Event(Event),
    /// An attribution, an association, or a link from a parent context.
    Membership(Kind, Membership),
}

/// A change of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub operation: Operation,
    pub subject: Subject,
}

/// A change of the graph and its origin. Changes of one write share the origin.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    pub origin: Arc<Origin>,
    pub change: Change,
}

impl Change {
    /// The change that created this.
    #[must_use]
    pub const fn created(subject: Subject) -> Self {
        Self {
            operation: Operation::Created,
            subject,
        }
    }

    /// The change that deleted this.
    #[must_use]
    pub const fn deleted(subject: Subject) -> Self {
        Self {
            operation: Operation::Deleted,
            subject,
        }
    }

    /// The change that left this so.
    #[must_use]
    pub const fn updated(subject: Subject) -> Self {
        Self {
            operation: Operation::Updated,
            subject,
        }
    }
}
