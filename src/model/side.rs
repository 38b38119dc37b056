use super::Kind;

/// The kinds of node that events link. A traversal of lineage alternates between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    Artifact,
    Execution,
}

impl Side {
    /// Both sides, in the order in which a hop visits them.
    pub const ALL: [Self; 2] = [Self::Artifact, Self::Execution];

    /// The kind of the nodes on this side.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Artifact => Kind::Artifact,
            Self::Execution => Kind::Execution,
        }
    }

    /// The side at the other end of an event.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Artifact => Self::Execution,
            Self::Execution => Self::Artifact,
        }
    }
}

/// A value for each side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerSide<T> {
    pub artifacts: T,
    pub executions: T,
}

impl<T> PerSide<T> {
    /// The value of a side.
    #[must_use]
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Artifact => &self.artifacts,
            Side::Execution => &self.executions,
        }
    }

    /// The value of a side, to change it.
    pub const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Artifact => &mut self.artifacts,
            Side::Execution => &mut self.executions,
        }
    }
}
