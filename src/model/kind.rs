use std::fmt;

/// The three kinds of node. One code path serves all three; what differs between them is a method
/// here or a column list in `storage::tables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Something produced or consumed: a dataset, a model, a metric.
    Artifact,
    /// A step that ran: training, transformation, evaluation.
    Execution,
    /// A grouping of artifacts and executions: a pipeline, a run, an experiment.
    Context,
}

impl Kind {
    /// All kinds, in the order in which RPCs name them.
    pub const ALL: [Self; 3] = [Self::Artifact, Self::Execution, Self::Context];

    /// The number stored in `Type.type_kind`.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Execution => 0,
            Self::Artifact => 1,
            Self::Context => 2,
        }
    }

    /// The kind that `Type.type_kind` names, if it is one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Lower-case singular for sentences: `artifact`.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Execution => "execution",
            Self::Context => "context",
        }
    }

    /// Lower-case plural for sentences: `artifacts`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Artifact => "artifacts",
            Self::Execution => "executions",
            Self::Context => "contexts",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Artifact => "Artifact",
            Self::Execution => "Execution",
            Self::Context => "Context",
        })
    }
}
