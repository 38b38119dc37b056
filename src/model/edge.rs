/// One step of the path by which an execution used or produced an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Index(i64),
    Key(String),
}

/// The steps of an event, in order. Empty when the event has no path.
pub type EventPath = Vec<Step>;

/// What an execution did to an artifact. The numbers are those of the wire and of the `Event.type` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventType(pub i64);

impl EventType {
    pub const DECLARED_OUTPUT: Self = Self(1);
    pub const DECLARED_INPUT: Self = Self(2);
    pub const INPUT: Self = Self(3);
    pub const OUTPUT: Self = Self(4);
    pub const INTERNAL_INPUT: Self = Self(5);
    pub const INTERNAL_OUTPUT: Self = Self(6);
    pub const PENDING_OUTPUT: Self = Self(7);

    /// Whether the artifact flows into the execution.
    #[must_use]
    pub const fn is_input(self) -> bool {
        matches!(
            self,
            Self::DECLARED_INPUT | Self::INPUT | Self::INTERNAL_INPUT
        )
    }

    /// Whether the artifact flows out of the execution.
    #[must_use]
    pub const fn is_output(self) -> bool {
        matches!(
            self,
            Self::DECLARED_OUTPUT | Self::OUTPUT | Self::INTERNAL_OUTPUT | Self::PENDING_OUTPUT
        )
    }
}

/// An edge between an artifact and an execution. Immutable once stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub artifact_id: Option<i64>,
    pub execution_id: Option<i64>,
    /// `None` for unset, UNKNOWN and numbers that are not declared.
    pub event_type: Option<EventType>,
    /// Milliseconds since epoch; now, when unset on write.
    pub milliseconds: Option<i64>,
    pub path: EventPath,
}

/// A node in a context: an attribution when the node is an artifact, an association when it is an execution, and a link from
/// a parent to its child when it is a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Membership {
    pub context_id: i64,
    pub node_id: i64,
}

/// A parent and a child among contexts, as a client gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentContext {
    pub parent_id: Option<i64>,
    pub child_id: Option<i64>,
}
