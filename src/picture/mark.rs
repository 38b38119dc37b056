//! The states of nodes, as they are drawn: a word, a tone and a glyph, so that no colour stands
//! alone.

/// The state of an artifact or an execution, with the words of ML Metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    Complete,
    Live,
    Cached,
    Running,
    Failed,
    Canceled,
    New,
    Pending,
    MarkedForDeletion,
    Deleted,
    Abandoned,
    Reference,
    /// A state without a name in this version.
    Other,
}

impl Mark {
    /// All marks, in the order in which bars and lists have them.
    pub const ALL: [Self; 13] = [
        Self::Complete,
        Self::Live,
        Self::Cached,
        Self::Running,
        Self::Failed,
        Self::Canceled,
        Self::New,
        Self::Pending,
        Self::MarkedForDeletion,
        Self::Deleted,
        Self::Abandoned,
        Self::Reference,
        Self::Other,
    ];

    /// The state of an artifact with this number of `Artifact.State`; `None` for unknown, 0.
    #[must_use]
    pub const fn of_artifact(number: i64) -> Option<Self> {
        Some(match number {
            0 => return None,
            1 => Self::Pending,
            2 => Self::Live,
            3 => Self::MarkedForDeletion,
            4 => Self::Deleted,
            5 => Self::Abandoned,
            6 => Self::Reference,
            _ => Self::Other,
        })
    }

    /// The state of an execution with this number of `Execution.State`; `None` for unknown, 0.
    #[must_use]
    pub const fn of_execution(number: i64) -> Option<Self> {
        Some(match number {
            0 => return None,
            1 => Self::New,
            2 => Self::Running,
            3 => Self::Complete,
            4 => Self::Failed,
            5 => Self::Cached,
            6 => Self::Canceled,
            _ => Self::Other,
        })
    }

    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Live => "Live",
            Self::Cached => "Cached",
            Self::Running => "Running",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::New => "New",
            Self::Pending => "Pending",
            Self::MarkedForDeletion => "Marked for deletion",
            Self::Deleted => "Deleted",
            Self::Abandoned => "Abandoned",
            Self::Reference => "Reference",
            Self::Other => "Other",
        }
    }

    /// The class of the colour: `ok`, `bad`, `run` or `idle`.
    #[must_use]
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Complete | Self::Live => "ok",
            Self::Failed => "bad",
            Self::Running => "run",
            _ => "idle",
        }
    }

    /// The outline of the glyph, an SVG path in a box of 12 by 12.
    #[must_use]
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Complete | Self::Live => "M2.5 6.5l2.5 2.5 5-6",
            Self::Failed => "M3 3l6 6M9 3l-6 6",
            Self::Running => "M6 1.5a4.5 4.5 0 1 1-4.2 2.9",
            Self::Cached => "M9.8 6a3.8 3.8 0 1 1-1.2-2.7M9.8 1.5v2.3H7.5",
            Self::Canceled => "M2.6 2.6l6.8 6.8M6 1.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6",
            Self::Pending => "M6 1.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4M6 3.6V6l1.6 1.2",
            Self::MarkedForDeletion | Self::Deleted | Self::Abandoned => "M2.5 6h7",
            Self::Reference => "M4 8l4-4M4.5 4H8v3.5",
            Self::New | Self::Other => "M6 1.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4",
        }
    }
}
