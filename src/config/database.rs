//! The database part of the options.

use std::fs;

use secrecy::SecretString;

use super::compat::UpstreamSettings;
use super::options::Options;
use crate::graph::Retention;
use crate::storage::connect::{Address, Connect};
use crate::storage::migrate::Migration;

/// The user and the password that options give beside addresses.
pub(super) struct Login {
    user: Option<String>,
    password: Option<SecretString>,
}

impl Login {
    const fn is_empty(&self) -> bool {
        self.user.is_none() && self.password.is_none()
    }

    fn add_to(&self, address: Address) -> Address {
        address.with_login(self.user.clone(), self.password.clone())
    }
}

/// What to connect to, and with which limits. Problems are added to `problems`.
pub(super) fn connect(
    options: &Options,
    upstream: &UpstreamSettings,
    login: &Login,
    problems: &mut Vec<String>,
) -> Connect {
    let address = upstream.database.clone();
    let address = address.unwrap_or_else(|| options.database_url.clone());
    if !login.is_empty() && !address.dialect().has_logins() {
        problems.push("database-user and database-password are for PostgreSQL and MySQL".into());
    }
    let usual = Connect::new(login.add_to(address));
    Connect {
        connections: options.database_connections.0,
        wait: options.database_acquire_timeout,
        idle: options.database_idle_timeout,
        age: options.database_max_lifetime,
        statement_timeout: options.statement_timeout,
        create: options.database_create,
        mysql_utf8mb4: options.mysql_utf8mb4,
        retries: upstream.retries.unwrap_or(usual.retries),
        tenant: usual.tenant,
        budget: usual.budget,
        address: usual.address,
    }
}

/// The login of the options, whose password may be in a file. Problems are added to `problems`.
pub(super) fn login(options: &Options, problems: &mut Vec<String>) -> Login {
    let from_file = options.database_password_file.as_ref().and_then(|path| {
        let text = fs::read_to_string(path).map_err(|error| {
            problems.push(format!(
                "database-password-file {}: {error}",
                path.display()
            ));
        });
        Some(SecretString::from(
            text.ok()?.lines().next().unwrap_or_default(),
        ))
    });
    Login {
        user: options.database_user.clone(),
        password: options.database_password.clone().or(from_file),
    }
}

/// The standby of a database, to be read from with the same limits. Problems are added to
/// `problems`.
pub(super) fn standby(
    options: &Options,
    database: &Connect,
    login: &Login,
    problems: &mut Vec<String>,
) -> Option<Connect> {
    let address = options.database_read_url.clone()?.for_reads();
    let dialect = address.dialect();
    if !dialect.has_logins() || dialect != database.address.dialect() {
        problems.push(
            "database-read-url must be a standby of the database, which SQLite does not have"
                .into(),
        );
    }
    if options.change_retention.0.is_zero() {
        problems.push(
            "database-read-url needs the history, which tells how far the standby is: \
             change-retention must not be 0"
                .into(),
        );
    }
    Some(Connect {
        address: login.add_to(address),
        create: false,
        ..database.clone()
    })
}

pub(super) fn migration(options: &Options) -> Migration {
    Migration {
        upgrade: options.upgrade_schema,
        widen: false,
        append_only: false,
        downgrade_to: options.downgrade_schema_to,
    }
}

pub(super) fn history(options: &Options) -> Retention {
    Retention {
        changes: options.change_retention.0,
        audit: options.audit_retention.map(|time| time.0),
        messages: options.dedup_window,
    }
}
