//! The hosts of an address, and which of their servers is used.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, a numeric address, or the directory of a Unix socket, which starts with a slash.
    pub name: String,
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        write!(f, "{name}:{port}")
    }
}

/// Writes hosts as a URL has them.
pub(super) fn write_hosts(f: &mut fmt::Formatter<'_>, hosts: &[Host]) -> fmt::Result {
    for (place, host) in hosts.iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        write!(f, "{comma}{host}")?;
    }
    Ok(())
}

/// Which servers are used: libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetSession {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby, or else any.
    PreferStandby,
}

/// What a server says about itself.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct ServerRole {
    /// Whether it takes writes, and on a Galera cluster has what the others have.
    pub is_writable: bool,
    /// Whether it replays what another server writes.
    pub is_standby: bool,
}

impl TargetSession {
    /// What is used for a list of so many hosts where the address does not say: a list is for the
    /// server among them that takes writes.
    pub(super) const fn usual(hosts: usize) -> Self {
        if hosts > 1 {
            Self::ReadWrite
        } else {
            Self::Any
        }
    }

    /// What is looked for, first to last.
    pub(in crate::storage) const fn passes(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    pub(in crate::storage) const fn accepts(self, role: ServerRole) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => role.is_writable,
            Self::ReadOnly => !role.is_writable,
            Self::Primary => !role.is_standby,
            Self::Standby => role.is_standby,
        }
    }

    /// What is wrong with a server that [`Self::accepts`] refuses.
    pub(in crate::storage) const fn objection(self) -> &'static str {
        match self {
            Self::ReadWrite => "it takes no writes now",
            Self::ReadOnly => "it takes writes",
            Self::Primary => "it is a standby",
            Self::Standby | Self::PreferStandby | Self::Any => "it is no standby",
        }
    }

    /// Whether a server that refuses writes is not the one that is looked for.
    pub(in crate::storage) const fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Primary)
    }
}

impl FromStr for TargetSession {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return Err(Error::invalid("is none of the values of libpq")),
        })
    }
}

/// Pairs hosts with their ports: one for all of them, or one for each, of which `None` is the
/// default.
///
/// # Errors
///
/// `InvalidArgument` when a host is empty or the numbers differ.
pub(super) fn pair(names: Vec<String>, ports: &[Option<u16>], default: u16) -> Result<Vec<Host>> {
    if names.iter().any(String::is_empty) {
        return Err(Error::invalid(
            "has an empty name in its list of hosts: hosts are separated by single commas",
        ));
    }
    if ports.len() > 1 && ports.len() != names.len() {
        let (hosts, ports) = (names.len(), ports.len());
        return Err(Error::invalid(format!(
            "names {hosts} hosts and {ports} ports: give one port for all hosts, or one for each"
        )));
    }
    let port_of = |place: usize| {
        let port = if ports.len() > 1 {
            ports.get(place)
        } else {
            ports.first()
        };
        port.copied().flatten().unwrap_or(default)
    };
    let hosts = names.into_iter().enumerate();
    Ok(hosts
        .map(|(place, name)| Host {
            name,
            port: port_of(place),
        })
        .collect())
}
