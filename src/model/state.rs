use super::Kind;

/// The state of an artifact. It is recorded only: no transition is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactState {
    /// Announced and not there yet.
    Pending,
    /// There and usable.
    Live,
    /// Still there and due to be removed.
    MarkedForDeletion,
    /// The payload is gone; the record stays.
    Deleted,
    Abandoned,
    Reference,
    /// A number without a name in this version. It is stored and returned as it is.
    Unknown(i64),
}

/// The state of an execution. It is recorded only: no transition is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionState {
    /// Created and not started yet.
    New,
    Running,
    /// Ended without a failure.
    Complete,
    Failed,
    /// Did not run, because earlier results were reused.
    Cached,
    /// Stopped before it ended.
    Canceled,
    /// A number without a name in this version. It is stored and returned as it is.
    Unknown(i64),
}

/// The state of a node. Contexts have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    Artifact(ArtifactState),
    Execution(ExecutionState),
}

impl ArtifactState {
    /// The number on the wire and in the database.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Pending => 1,
            Self::Live => 2,
            Self::MarkedForDeletion => 3,
            Self::Deleted => 4,
            Self::Abandoned => 5,
            Self::Reference => 6,
            Self::Unknown(number) => number,
        }
    }

    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Pending,
            2 => Self::Live,
            3 => Self::MarkedForDeletion,
            4 => Self::Deleted,
            5 => Self::Abandoned,
            6 => Self::Reference,
            number => Self::Unknown(number),
        }
    }
}

impl ExecutionState {
    /// The number on the wire and in the database.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::New => 1,
            Self::Running => 2,
            Self::Complete => 3,
            Self::Failed => 4,
            Self::Cached => 5,
            Self::Canceled => 6,
            Self::Unknown(number) => number,
        }
    }

    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::New,
            2 => Self::Running,
            3 => Self::Complete,
            4 => Self::Failed,
            5 => Self::Cached,
            6 => Self::Canceled,
            number => Self::Unknown(number),
        }
    }
}

impl NodeState {
    /// The number on the wire and in the database.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Artifact(state) => state.number(),
            Self::Execution(state) => state.number(),
        }
    }

    /// The state of a node of a kind with this number; `None` for a context.
    #[must_use]
    pub const fn from_number(kind: Kind, number: i64) -> Option<Self> {
        match kind {
            Kind::Artifact => Some(Self::Artifact(ArtifactState::from_number(number))),
            Kind::Execution => Some(Self::Execution(ExecutionState::from_number(number))),
            Kind::Context => None,
        }
    }
}

impl From<ArtifactState> for NodeState {
    fn from(state: ArtifactState) -> Self {
        Self::Artifact(state)
    }
}

impl From<ExecutionState> for NodeState {
    fn from(state: ExecutionState) -> Self {
        Self::Execution(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives() {
        for number in (-1..=8).chain([i64::MIN, i64::MAX]) {
            assert_eq!(ArtifactState::from_number(number).number(), number);
            assert_eq!(ExecutionState::from_number(number).number(), number);
        }
    }

    #[test]
    fn a_context_has_no_state() {
        assert_eq!(NodeState::from_number(Kind::Context, 2), None);
    }
}
