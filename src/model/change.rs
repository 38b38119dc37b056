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
    /// Values of it are no more. Its edges stay.
    Erased,
    /// It was deleted, and is back.
    Restored,
    /// It is older than the history, and was added to it as it is.
    Adopted,
}

impl Operation {
    /// The number of the operation in the history. It never changes.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Created => 1,
            Self::Updated => 2,
            Self::Reconciled => 3,
            Self::Deleted => 4,
            Self::Erased => 5,
            Self::Restored => 6,
            Self::Adopted => 7,
        }
    }

    /// The operation with this number; `None` for one of a later version.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Created),
            2 => Some(Self::Updated),
            3 => Some(Self::Reconciled),
            4 => Some(Self::Deleted),
            5 => Some(Self::Erased),
            6 => Some(Self::Restored),
            7 => Some(Self::Adopted),
            _ => None,
        }
    }
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
