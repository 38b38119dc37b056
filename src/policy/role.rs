//! Actions, and the roles that have them.

use serde::Deserialize;

/// What a caller may be allowed to do.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Action {
    TypeRead,
    /// To declare types and to extend them.
    TypeWrite,
    /// To read nodes, events and memberships.
    NodeRead,
    /// To create and change nodes, events and memberships.
    NodeWrite,
    /// To follow the lineage of nodes.
    LineageWalk,
    /// To receive the changes of the graph.
    Watch,
    /// To read who did what.
    AuditRead,
}

impl Action {
    pub const ALL: [Self; 7] = [
        Self::TypeRead,
        Self::TypeWrite,
        Self::NodeRead,
        Self::NodeWrite,
        Self::LineageWalk,
        Self::Watch,
        Self::AuditRead,
    ];

    /// Whether it changes something. The history has every change.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(self, Self::TypeWrite | Self::NodeWrite)
    }

    /// The name in a security file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TypeRead => "type.read",
            Self::TypeWrite => "type.write",
            Self::NodeRead => "node.read",
            Self::NodeWrite => "node.write",
            Self::LineageWalk => "lineage.walk",
            Self::Watch => "watch",
            Self::AuditRead => "audit.read",
        }
    }
}

/// A set of actions with a name.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Role {
    Reader,
    Writer,
    TypeAdmin,
    Steward,
    Auditor,
    Admin,
}

impl Role {
    pub const ALL: [Self; 6] = [
        Self::Reader,
        Self::Writer,
        Self::TypeAdmin,
        Self::Steward,
        Self::Auditor,
        Self::Admin,
    ];

    /// The name in a security file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::TypeAdmin => "type-admin",
            Self::Steward => "steward",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// Whether the role has an action.
    #[must_use]
    pub const fn allows(self, action: Action) -> bool {
        match self {
            Self::Reader => matches!(
                action,
                Action::TypeRead | Action::NodeRead | Action::LineageWalk | Action::Watch
            ),
            Self::Writer => !matches!(action, Action::AuditRead),
            Self::Steward => !matches!(action, Action::TypeWrite | Action::AuditRead),
            Self::TypeAdmin => matches!(action, Action::TypeRead | Action::TypeWrite),
            Self::Auditor => matches!(action, Action::TypeRead | Action::AuditRead),
            Self::Admin => true,
        }
    }
}

impl TryFrom<String> for Action {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let found = Self::ALL.into_iter().find(|action| action.name() == text);
        found.ok_or_else(|| {
            format!(
                "an action is one of {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| format!("a role is one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
