//! The database part of the options.

use std::fs;

use secrecy::SecretString;

use super::compat::UpstreamSettings;
use super::options::Options;
use crate::graph::Retention;
use crate::storage::connect::{Address, Connect};
use crate::storage::migrate::Migration;

/// What to connect to, and with which limits. Problems are added to `problems`.
pub(super) fn connect(
    options: &Options,
    upstream: &UpstreamSettings,
    problems: &mut Vec<String>,
) -> Connect {
    let address = upstream.database.clone();
    let address = address.unwrap_or_else(|| options.database_url.clone());
    let usual = Connect::new(with_login(address, options, problems));
    Connect {
        connections: options.database_connections.0,
        wait: options.database_acquire_timeout,
        idle: options.database_idle_timeout,
        age: options.database_max_lifetime,
        statement_timeout: options.statement_timeout,
        create: options.database_create,
        mysql_utf8mb4: options.mysql_utf8mb4,
        retries: upstream.retries.unwrap_or(usual.retries),
        address: usual.address,
    }
}

/// The address with the user and the password that options give beside it.
fn with_login(address: Address, options: &Options, problems: &mut Vec<String>) -> Address {
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
    let (user, password) = (
        options.database_user.clone(),
        options.database_password.clone().or(from_file),
    );
    let has_login = user.is_some() || password.is_some();
    if has_login && !address.dialect().has_logins() {
        problems.push("database-user and database-password are for PostgreSQL and MySQL".into());
    }
    address.with_login(user, password)
}

pub(super) fn migration(options: &Options) -> Migration {
    Migration {
        upgrade: options.upgrade_schema,
        widen: false,
        downgrade_to: options.downgrade_schema_to,
    }
}

pub(super) fn history(options: &Options) -> Retention {
    Retention {
        changes: options.change_retention,
        messages: options.dedup_window,
    }
}
