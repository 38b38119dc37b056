//! The entries `[tenant.NAME]` of a security file, and the tenant of a request.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::Spanned;

use super::SecuritySettings;
use super::format::FileProblem;
use crate::policy::{TenantName, TenantScope, Who};

/// What the URL of a database begins with.
const SCHEMES: [&str; 4] = ["sqlite:", "postgres://", "postgresql://", "mysql://"];

/// A database that is lost when it is closed.
const IN_MEMORY: &str = "sqlite::memory:";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantEntry {
    database_url: Option<SecretString>,
    database_url_file: Option<PathBuf>,
    #[serde(default)]
    hosts: Vec<TenantHost>,
    connections: Option<ConnectionCount>,
}

#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct TenantHost(String);

impl TryFrom<String> for TenantHost {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.[]:".contains(&byte);
        let host = url_host(&text);
        let is_host = !host.is_empty() && host.bytes().all(is_allowed);
        let rule = "a host is a name without a port, such as team-a.example.org";
        is_host.then_some(Self(host)).ok_or(rule)
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct ConnectionCount(NonZeroU32);

impl TryFrom<i64> for ConnectionCount {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        let count = u32::try_from(number).ok().and_then(NonZeroU32::new);
        count
            .map(Self)
            .ok_or("the number of connections is at least 1")
    }
}

/// Where the URL of a tenant's database stands.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// In the security file.
    Text(SecretString),
    /// In the first line of a file, such as a mounted Secret.
    File(PathBuf),
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.expose_secret() == other.expose_secret(),
            (Self::File(one), Self::File(other)) => one == other,
            _ => false,
        }
    }
}

impl DatabaseUrl {
    /// The URL itself.
    ///
    /// # Errors
    ///
    /// If its file cannot be read. The text has no secret.
    pub fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let text = fs::read_to_string(path);
                let text =
                    text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                let line = text.lines().next().unwrap_or_default();
                Ok(line.trim().into())
            }
        }
    }
}

/// A tenant beside the default one.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantRules {
    /// Its line in the security file.
    pub line: usize,
    pub database: DatabaseUrl,
    /// The most connections to its database.
    pub connections: Option<NonZeroU32>,
    /// The hosts whose requests are for it, in lower case.
    pub hosts: Vec<String>,
}

impl TenantRules {
    /// Whether it has the same database, with as many connections.
    #[must_use]
    pub fn has_database_of(&self, other: &Self) -> bool {
        self.database == other.database && self.connections == other.connections
    }
}

/// The tenants of a security file. The default one has no entry.
#[derive(Debug, Default)]
pub struct TenantList {
    by_name: BTreeMap<TenantName, Arc<TenantRules>>,
    by_host: HashMap<String, TenantName>,
}

/// The host as requests and files are compared by: in lower case, without a dot at the end.
fn url_host(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()
}

impl TenantList {
    /// The tenants of these entries, by their names.
    ///
    /// # Errors
    ///
    /// As [`Self::add`], with the line.
    pub(super) fn read(
        entries: BTreeMap<String, Spanned<TenantEntry>>,
        line_at: impl Fn(usize) -> usize,
    ) -> Result<Self, FileProblem> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|(_, entry)| entry.span().start);
        let mut tenants = Self::default();
        for (name, entry) in entries {
            let line = line_at(entry.span().start);
            let name = TenantName::try_from(name).map_err(str::to_owned);
            let added = name.and_then(|name| tenants.add(name, line, entry.into_inner()));
            added.map_err(|text| FileProblem { line, text })?;
        }
        Ok(tenants)
    }

    /// Refuses a line that names a tenant that is not there.
    pub(super) fn check(&self, line: usize, scope: &TenantScope) -> Result<(), FileProblem> {
        match scope {
            TenantScope::One(name) if !self.has(name) => {
                let text = format!("there is no tenant {name}");
                Err(FileProblem { line, text })
            }
            _ => Ok(()),
        }
    }

    /// Adds a tenant that stands at a line.
    ///
    /// # Errors
    ///
    /// If its keys do not fit together, or another tenant has the same database or host.
    fn add(&mut self, name: TenantName, line: usize, entry: TenantEntry) -> Result<(), String> {
        if name.is_default() {
            return Err("the tenant default has the database of --database-url".into());
        }
        let database = match (entry.database_url, entry.database_url_file) {
            (Some(text), None) => {
                let url = text.expose_secret();
                if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
                    return Err("database_url is a URL of sqlite, postgres or mysql".into());
                }
                if url.starts_with(IN_MEMORY) {
                    return Err("the database of a tenant cannot live in memory".into());
                }
                DatabaseUrl::Text(text)
            }
            (None, Some(path)) => DatabaseUrl::File(path),
            _ => return Err("a tenant has either database_url or database_url_file".into()),
        };
        let rules = TenantRules {
            line,
            database,
            connections: entry.connections.map(|count| count.0),
            hosts: entry.hosts.into_iter().map(|host| host.0).collect(),
        };
        let has_same = |other: &Arc<TenantRules>| other.database == rules.database;
        if self.by_name.values().any(has_same) {
            return Err("another tenant has this database".into());
        }
        for host in &rules.hosts {
            let before = self.by_host.insert(host.clone(), name.clone());
            if before.is_some() {
                return Err("another tenant has this host".into());
            }
        }
        self.by_name.insert(name, Arc::new(rules));
        Ok(())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The rules of a tenant beside the default one.
    #[must_use]
    pub fn find(&self, name: &TenantName) -> Option<&Arc<TenantRules>> {
        self.by_name.get(name)
    }

    /// All of them, by their names.
    pub fn all(&self) -> impl Iterator<Item = (&TenantName, &Arc<TenantRules>)> {
        self.by_name.iter()
    }

    /// Whether there is a tenant of this name.
    #[must_use]
    pub fn has(&self, name: &TenantName) -> bool {
        name.is_default() || self.by_name.contains_key(name)
    }

    /// The tenant of a host, which is given without its port.
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&TenantName> {
        if self.by_host.is_empty() {
            return None;
        }
        self.by_host.get(&url_host(host))
    }
}

/// What a request says of its tenant.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedTenant<'a> {
    /// The text of its header, if it has one.
    pub header: Option<&'a str>,
    /// The host that it is for, without the port.
    pub host: Option<&'a str>,
    /// The only tenant for which its credential is good.
    pub bound: Option<&'a TenantName>,
}

/// The tenant of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantChoice {
    Chosen(TenantName),
    /// The caller has nothing there.
    Foreign(TenantName),
    Missing,
}

impl SecuritySettings {
    /// The tenant of a subject's request: the one that the request names, by its header or else by
    /// its host; or else the one of its credential, or of all grants of the subject; or else the
    /// default one. A name that the credential or the grants of the subject do not cover is
    /// foreign.
    #[must_use]
    pub fn tenant_of<'a>(&self, who: impl Into<Who<'a>>, named: NamedTenant<'_>) -> TenantChoice {
        let who = who.into();
        let NamedTenant {
            header,
            host,
            bound,
        } = named;
        let by_host = host.and_then(|host| self.tenants.of_host(host)).cloned();
        let given = match header {
            Some(text) => match TenantName::parse(text) {
                Some(name) => Some(name),
                None => return TenantChoice::Missing,
            },
            None => by_host,
        };
        let is_named = given.is_some();
        let name = given.or_else(|| bound.cloned());
        let is_given = name.is_some();
        let name = name.unwrap_or_else(|| {
            let only = self.policy.only_tenant(who).cloned();
            only.unwrap_or_default()
        });
        if !self.tenants.has(&name) {
            return TenantChoice::Missing;
        }
        let is_foreign = is_named && bound.is_some_and(|bound| *bound != name)
            || is_given && !self.policy.has_grant(who, &name);
        if is_foreign {
            TenantChoice::Foreign(name)
        } else {
            TenantChoice::Chosen(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::format::parse;

    const TENANTS: &str = "[tenant.one]\ndatabase_url = \"sqlite:one.db\"\n\
        hosts = [\"One.example.\"]\n\
        [tenant.two]\ndatabase_url_file = \"two\"\nhosts = [\"two.example\"]\n\
        [[grant]]\nsubjects = [\"token:one\"]\nrole = \"reader\"\ntenant = \"one\"\n\
        [[grant]]\nsubjects = [\"token:all\"]\nrole = \"reader\"\ntenant = \"*\"\n\
        [[grant]]\nsubjects = [\"token:old\"]\nrole = \"reader\"\n\
        [[grant]]\nsubjects = [\"token:both\"]\nrole = \"reader\"\ntenant = \"one\"\n\
        [[grant]]\nsubjects = [\"token:both\"]\nrole = \"reader\"\ntenant = \"two\"\n";

    fn name(text: &str) -> TenantName {
        TenantName::parse(text).unwrap()
    }

    /// The choice of a subject: its name, with `!` before it where it is foreign.
    fn choice(
        subject: &str,
        header: Option<&str>,
        host: Option<&str>,
        bound: Option<&str>,
    ) -> String {
        let settings = parse(TENANTS).unwrap();
        let bound = bound.map(name);
        let named = NamedTenant {
            header,
            host,
            bound: bound.as_ref(),
        };
        match settings.tenant_of(subject, named) {
            TenantChoice::Chosen(name) => name.to_string(),
            TenantChoice::Foreign(name) => format!("!{name}"),
            TenantChoice::Missing => "?".into(),
        }
    }

    #[test]
    fn a_request_is_for_the_tenant_that_it_names_or_that_its_caller_has() {
        for (subject, header, host, bound, expected) in [
            ("token:old", None, None, None, "default"),
            ("token:none", None, None, None, "default"),
            ("token:one", None, None, None, "one"),
            ("token:both", None, None, None, "default"),
            ("token:all", None, None, None, "default"),
            ("token:all", None, None, Some("two"), "two"),
            ("token:all", Some("one"), None, None, "one"),
            ("token:all", Some("one"), Some("two.example"), None, "one"),
            ("token:all", None, Some("TWO.example"), None, "two"),
            ("token:all", None, Some("one.example."), None, "one"),
            ("token:all", None, Some("other.example"), None, "default"),
            ("token:all", Some("default"), None, None, "default"),
        ] {
            assert_eq!(choice(subject, header, host, bound), expected, "{subject}");
        }
    }

    #[test]
    fn a_tenant_without_a_grant_or_beside_the_credential_is_foreign() {
        for (subject, header, host, bound, expected) in [
            ("token:one", Some("two"), None, None, "!two"),
            ("token:one", None, Some("two.example"), None, "!two"),
            ("token:one", Some("default"), None, None, "!default"),
            ("token:old", None, None, Some("one"), "!one"),
            ("token:all", Some("one"), None, Some("two"), "!one"),
            ("token:all", Some("three"), None, None, "?"),
            ("token:one", Some("three"), None, None, "?"),
            ("token:one", Some("Two"), None, None, "?"),
            ("token:one", Some(""), None, None, "?"),
            ("token:all", None, None, Some("gone"), "?"),
        ] {
            assert_eq!(choice(subject, header, host, bound), expected, "{subject}");
        }
    }

    #[test]
    fn wrong_tenants_are_refused_with_their_line_and_without_their_url() {
        let url = "database_url = \"postgres://u:hunter2@h/d\"\n";
        for (text, lead) in [
            (format!("[tenant.A]\n{url}"), "1: the name of a tenant"),
            (format!("[tenant.default]\n{url}"), "1: the tenant default"),
            ("\n[tenant.a]\n".into(), "2: a tenant has either"),
            (
                format!("[tenant.a]\n{url}database_url_file = \"x\"\n"),
                "1: a tenant has either",
            ),
            (
                "[tenant.a]\ndatabase_url = \"hunter2\"\n".into(),
                "1: database_url is a URL",
            ),
            (
                "[tenant.a]\ndatabase_url = \"sqlite::memory:\"\n".into(),
                "1: the database of a tenant",
            ),
            (
                format!("[tenant.a]\n{url}[tenant.b]\n{url}"),
                "3: another tenant has this database",
            ),
            (
                format!("[tenant.a]\n{url}hosts = [\"h\", \"H.\"]\n"),
                "1: another tenant has this host",
            ),
            (
                format!("[tenant.a]\n{url}hosts = [\"h/hunter2\"]\n"),
                "3: a host is",
            ),
            (
                format!("[tenant.a]\n{url}connections = 0\n"),
                "3: the number of connections",
            ),
            (
                "[[grant]]\nsubjects = []\nrole = \"reader\"\ntenant = \"a\"\n".into(),
                "1: there is no tenant a",
            ),
        ] {
            let problem = parse(&text).unwrap_err();
            let refusal = format!("{}: {}", problem.line, problem.text);
            assert!(refusal.starts_with(lead), "{lead} for {text}: {refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
