//! The security file, which says who may call and what they may do. It is read again when it
//! changes.

mod format;
mod issuers;
mod limits;
mod proxies;
mod tenants;
mod tokens;
mod warnings;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metrics::gauge;

pub use self::tenants::{DatabaseUrl, NamedTenant, TenantChoice, TenantList, TenantRules};
pub use self::tokens::is_token_subject;
pub use self::warnings::FileWarning;
use crate::error::StartError;
use crate::identity::IdentitySources;
use crate::policy::{Action, MethodActions, Policy};
use crate::reloaded::Reloaded;

/// What a security file says.
#[derive(Debug)]
pub struct SecuritySettings {
    pub identities: IdentitySources,
    pub policy: Policy,
    /// The actions of the reads that are recorded.
    pub audited_reads: Vec<Action>,
    /// The tenants beside the default one.
    pub tenants: TenantList,
}

impl SecuritySettings {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, with the file, the line, and no secret.
    pub fn read(path: &Path) -> Result<Self, StartError> {
        parse(path, &text(path)?)
    }

    /// Reads the tenants of a file only. What a server needs beside it, such as the keys of
    /// issuers, may be missing.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`].
    pub fn read_tenants(path: &Path) -> Result<TenantList, StartError> {
        format::parse_tenants(&text(path)?).map_err(|problem| problem.at(path))
    }

    /// Whether calls of a method are recorded although they change nothing. Who read the audit is
    /// always recorded. Writes are in the history by themselves.
    #[must_use]
    pub fn audits(&self, method: &MethodActions) -> bool {
        !method.is_write()
            && method
                .actions
                .iter()
                .all(|action| *action == Action::AuditRead || self.audited_reads.contains(action))
    }
}

/// A security file and what it says now.
pub struct SecurityFile {
    path: PathBuf,
    /// The meaning of its text.
    current: Reloaded<String, SecuritySettings>,
}

impl fmt::Debug for SecurityFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl SecurityFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// Those of [`SecuritySettings::read`].
    pub fn open(path: &Path) -> Result<Self, StartError> {
        let text = text(path)?;
        let settings = parse(path, &text)?;
        set_valid(true);
        Ok(Self {
            path: path.to_owned(),
            current: Reloaded::new(text, settings),
        })
    }

    /// What the file says, or said before it became wrong.
    #[must_use]
    pub fn current(&self) -> Arc<SecuritySettings> {
        self.current.current()
    }

    /// Reads the file again, and returns whether it has changed. What it said before stays in force
    /// if it is wrong.
    ///
    /// # Errors
    ///
    /// Those of [`SecuritySettings::read`].
    pub fn reload(&self) -> Result<bool, StartError> {
        let reloaded = self.replace();
        set_valid(reloaded.is_ok());
        reloaded
    }

    fn replace(&self) -> Result<bool, StartError> {
        self.current.replace(text(&self.path)?, |text, before| {
            let mut settings = parse(&self.path, text)?;
            let issuers = &mut settings.identities.issuers;
            issuers.keep_keys_of(&before.identities.issuers);
            Ok(settings)
        })
    }
}

fn set_valid(is_valid: bool) {
    gauge!("pedigree_security_file_valid").set(i32::from(is_valid));
}

fn text(path: &Path) -> Result<String, StartError> {
    let text = fs::read_to_string(path);
    text.map_err(|error| StartError::Security(format!("cannot read {}: {error}", path.display())))
}

fn parse(path: &Path, text: &str) -> Result<SecuritySettings, StartError> {
    format::parse(text).map_err(|problem| problem.at(path))
}
