//! Tenants: each is a graph in a database of its own, and has a name.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

/// The header by which a request names its tenant.
pub const TENANT_HEADER: &str = "x-pedigree-tenant";

/// The header by which a request of a client of `MLflow` names its workspace, which is a tenant.
pub const WORKSPACE_HEADER: &str = "x-mlflow-workspace";

/// The maximum length of a name in bytes.
const MAX_NAME_BYTES: usize = 63;

/// The tenant whose database is that of the command line.
const DEFAULT_TENANT: &str = "default";

/// The name of a tenant. Cheap to clone.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct TenantName(Arc<str>);

impl TenantName {
    /// The name of a text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let lengths = 1..=MAX_NAME_BYTES;
        let is_name = lengths.contains(&text.len()) && text.bytes().all(is_allowed);
        is_name.then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the tenant of requests that name none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        &*self.0 == DEFAULT_TENANT
    }

    /// The name of a tenant beside the default one.
    #[must_use]
    pub fn unless_default(&self) -> Option<&str> {
        (!self.is_default()).then_some(&*self.0)
    }
}

impl Default for TenantName {
    fn default() -> Self {
        static NAME: LazyLock<TenantName> = LazyLock::new(|| TenantName(DEFAULT_TENANT.into()));
        NAME.clone()
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TenantName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> Self {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for TenantName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rule = "the name of a tenant has 1 to 63 of a-z, 0-9 and -";
        Self::parse(&text).ok_or(rule)
    }
}

/// The tenants of a grant or a denial.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum TenantScope {
    One(TenantName),
    All,
}

impl TenantScope {
    #[must_use]
    pub fn covers(&self, tenant: &TenantName) -> bool {
        match self {
            Self::One(name) => name == tenant,
            Self::All => true,
        }
    }
}

impl Default for TenantScope {
    /// That of a grant that names no tenant.
    fn default() -> Self {
        Self::One(TenantName::default())
    }
}

impl TryFrom<String> for TenantScope {
    type Error = &'static str;

    /// The name of a tenant, or `*` for all.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" {
            return Ok(Self::All);
        }
        text.try_into().map(Self::One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_in_lower_case() {
        let longest = "a".repeat(63);
        for name in ["a", "team-a", "0", &*longest] {
            assert_eq!(TenantName::parse(name).unwrap().as_str(), name);
        }
        let too_long = "a".repeat(64);
        for wrong in ["", "A", "a.b", "a b", "*", "é", "a\n", &*too_long] {
            assert_eq!(TenantName::parse(wrong), None, "{wrong}");
        }
    }
}
