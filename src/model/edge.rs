/// One step of the path by which an execution used or produced an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Index(i64),
    Key(String),
}

/// The steps of an event, in order. Empty when the event has no path.
pub type EventPath = Vec<Step>;

/// What an execution did to an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    DeclaredOutput,
    DeclaredInput,
    Input,
    Output,
    InternalInput,
    InternalOutput,
    PendingOutput,
    /// A number without a name in this version. It is stored and returned as it is.
    Unknown(i64),
}

impl EventType {
    /// All types with a name.
    pub const NAMED: [Self; 7] = [
        Self::DeclaredOutput,
        Self::DeclaredInput,
        Self::Input,
        Self::Output,
        Self::InternalInput,
        Self::InternalOutput,
        Self::PendingOutput,
    ];

    /// The number on the wire and in the column `Event.type`.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::DeclaredOutput => 1,
            Self::DeclaredInput => 2,
            Self::Input => 3,
            Self::Output => 4,
            Self::InternalInput => 5,
            Self::InternalOutput => 6,
            Self::PendingOutput => 7,
            Self::Unknown(number) => number,
        }
    }

    /// The type with this number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::DeclaredOutput,
            2 => Self::DeclaredInput,
            3 => Self::Input,
            4 => Self::Output,
            5 => Self::InternalInput,
            6 => Self::InternalOutput,
            7 => Self::PendingOutput,
            number => Self::Unknown(number),
        }
    }

    /// Whether the artifact flows into the execution.
    #[must_use]
    pub const fn is_input(self) -> bool {
        matches!(
            self,
            Self::DeclaredInput | Self::Input | Self::InternalInput
        )
    }

    /// Whether the artifact flows out of the execution.
    #[must_use]
    pub const fn is_output(self) -> bool {
        matches!(
            self,
            Self::DeclaredOutput | Self::Output | Self::InternalOutput | Self::PendingOutput
        )
    }
}

/// An edge between an artifact and an execution. Immutable once stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub artifact_id: i64,
    pub execution_id: i64,
    pub event_type: EventType,
    /// Milliseconds since epoch. Databases of old versions may have none.
    pub milliseconds: Option<i64>,
    pub path: EventPath,
}

/// An event as a client gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInput {
    pub artifact_id: Option<i64>,
    pub execution_id: Option<i64>,
    pub event_type: Option<EventType>,
    /// Milliseconds since epoch; the time of the write when unset.
    pub milliseconds: Option<i64>,
    pub path: EventPath,
}

/// A node in a context: an attribution for an artifact, an association for an execution, and a
/// link from a parent to its child for a context.
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

#[cfg(test)]
mod tests {
    use super::EventType;

    #[test]
    fn every_number_survives() {
        for number in (-1..=8).chain([i64::MIN, i64::MAX]) {
            assert_eq!(EventType::from_number(number).number(), number);
        }
    }

    #[test]
    fn every_named_type_has_one_direction() {
        let both = |event: &&EventType| event.is_input() == event.is_output();
        assert_eq!(EventType::NAMED.iter().find(both), None);
    }
}
