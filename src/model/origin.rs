use std::borrow::Cow;
use std::sync::Arc;

/// The principal of callers without an identity.
pub const ANONYMOUS: &str = "anonymous";

/// The principal of changes whose origin was not stored.
const UNKNOWN: &str = "unknown";

/// The protocol through which a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// `ml_metadata.MetadataStoreService` over gRPC or gRPC-Web.
    MlMetadata,
    /// `pedigree.*` services over gRPC or gRPC-Web.
    Pedigree,
    /// `OpenLineage` events over HTTP.
    OpenLineage,
    /// `MLflow`'s tracking API over HTTP.
    MlFlow,
    /// The web pages of the server.
    Web,
    /// A command of the program that works on the database itself.
    Command,
    /// Not stored, or a door of a later version.
    Unknown,
}

/// What a request asked for, and what allowed it. Empty without a security file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `/SERVICE/METHOD` of gRPC, or the path of a route.
    pub method: Cow<'static, str>,
    /// The line of the grant in the security file.
    pub grant: Option<u32>,
}

impl Door {
    /// The number of the door in the history. It never changes.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::MlMetadata => 1,
            Self::Pedigree => 2,
            Self::Command => 3,
            Self::OpenLineage => 4,
            Self::MlFlow => 5,
            Self::Web => 6,
        }
    }

    /// The door with this number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::MlMetadata,
            2 => Self::Pedigree,
            3 => Self::Command,
            4 => Self::OpenLineage,
            5 => Self::MlFlow,
            6 => Self::Web,
            _ => Self::Unknown,
        }
    }
}

/// The source of a request: the principal, its address, the door and the request id. Cheap to
/// clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The authenticated identity, or [`ANONYMOUS`].
    pub principal: Arc<str>,
    /// The address of the connection, `HOST:PORT`.
    pub peer: Option<Arc<str>>,
    pub door: Door,
    pub request_id: Arc<str>,
    pub access: Access,
}

/// The caller and the time of one write. The history stores it with each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub caller: Caller,
    /// Milliseconds since epoch.
    pub time: i64,
}

impl Caller {
    /// A caller without an identity.
    #[must_use]
    pub fn anonymous(door: Door) -> Self {
        Self {
            principal: ANONYMOUS.into(),
            peer: None,
            door,
            request_id: "".into(),
            access: Access::default(),
        }
    }

    /// This caller at a time in milliseconds since epoch.
    #[must_use]
    pub fn at(&self, time: i64) -> Origin {
        Origin {
            caller: self.clone(),
            time,
        }
    }
}

impl Origin {
    /// The origin of a change that was stored without one, at a time in milliseconds since epoch.
    #[must_use]
    pub fn unknown(time: i64) -> Self {
        let caller = Caller {
            principal: UNKNOWN.into(),
            ..Caller::anonymous(Door::Unknown)
        };
        caller.at(time)
    }
}
