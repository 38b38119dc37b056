//! What is missing for a plan.

/// What a gap is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapSubject {
    Artifact(i64),
    Execution(i64),
}

/// What kind of thing is missing. Programs may rely on the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapId {
    Producer,
    Circle,
    Command,
    Parameter,
    Path,
    Code,
    Environment,
    Blob,
    Digest,
    SourceMissing,
    SourceChanged,
    CommitMissing,
}

impl GapId {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Producer => "no-producer",
            Self::Circle => "circle",
            Self::Command => "no-command",
            Self::Parameter => "no-parameter",
            Self::Path => "no-path",
            Self::Code => "no-code",
            Self::Environment => "no-environment",
            Self::Blob => "no-blob",
            Self::Digest => "no-digest",
            Self::SourceMissing => "source-missing",
            Self::SourceChanged => "source-changed",
            Self::CommitMissing => "commit-missing",
        }
    }
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub id: GapId,
    pub subject: GapSubject,
    /// A sentence.
    pub text: String,
}
