//! How connections are made: addresses, limits, TLS, and the database itself when it is missing.
//!
//! An [`Address`] comes from a URL, in [`url`], or from the settings of upstream's server.

mod command_line;
pub mod hosts;
pub mod mysql;
mod passfile;
pub mod postgres;
pub(in crate::storage) mod settings;
pub mod sqlite;
pub mod tls;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use self::hosts::TargetSession;
pub use self::mysql::MySql;
pub use self::postgres::Postgres;
use self::settings::SessionSettings;
pub use self::sqlite::Sqlite;
use super::Dialect;
use super::budget::{ConnectionBudget, OpeningPermits};
use super::database::Database;
use super::db_error::no_shared_connection;
use super::session::{PoolLimits, ServerDriver, Servers, Shares};
use crate::error::{Error, Result, StartError};

/// Prepared statements that a connection keeps.
const STATEMENT_CACHE_CAPACITY: usize = 512;

/// What to connect to, and with how many connections.
#[derive(Clone, Debug)]
pub struct Connect {
    pub address: Address,
    /// The most connections at once.
    pub connections: u32,
    /// How long a request waits for one of them.
    pub wait: Duration,
    /// How long an unused connection stays open.
    pub idle: Duration,
    /// How long any connection stays open.
    pub age: Duration,
    /// How long a statement that only reads may take; zero for no limit.
    pub statement_timeout: Duration,
    /// Whether a missing PostgreSQL or MySQL database is created. SQLite's address says that of its
    /// file.
    pub create: bool,
    /// Whether MySQL text travels as utf8mb4. Upstream's servers send UTF-8 as if it were latin1,
    /// and databases that they share need the same.
    pub mysql_utf8mb4: bool,
    /// How often a schema is looked at again that is not complete, as while a server without our
    /// lock creates it.
    pub retries: usize,
    /// The tenant whose database it is, as a label of metrics; `None` for the default one.
    pub tenant: Option<Arc<str>>,
    /// The budget that its connections are of, where several databases share one.
    pub budget: Option<ConnectionBudget>,
}

/// A database and how to log in to it. What it displays is fit to be shown: no user, password or
/// option.
#[derive(Clone, Debug)]
pub enum Address {
    Sqlite(Sqlite),
    Postgres(Postgres),
    MySql(MySql),
}

impl Address {
    /// The dialect that is spoken there.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
        }
    }

    /// The same address of a standby: of several hosts, one that does not take writes is used.
    #[must_use]
    pub const fn for_reads(mut self) -> Self {
        let target = match &mut self {
            Self::Sqlite(_) => return self,
            Self::Postgres(address) => &mut address.target,
            Self::MySql(address) => &mut address.target,
        };
        if matches!(target, TargetSession::ReadWrite) {
            *target = TargetSession::Standby;
        }
        self
    }

    /// The same address for this user with this password, of which those that are not given stay.
    /// SQLite has neither.
    #[must_use]
    pub fn with_login(mut self, user: Option<String>, password: Option<SecretString>) -> Self {
        let (of_user, of_password) = match &mut self {
            Self::Sqlite(_) => return self,
            Self::Postgres(address) => (&mut address.user, &mut address.password),
            Self::MySql(address) => (&mut address.user, &mut address.password),
        };
        *of_user = user.or(of_user.take());
        *of_password = password.or(of_password.take());
        self
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(address) => address.fmt(f),
            Self::Postgres(address) => address.fmt(f),
            Self::MySql(address) => address.fmt(f),
        }
    }
}

impl Connect {
    /// The usual limits for this address.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self {
            address,
            connections: 16,
            wait: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            age: Duration::from_mins(30),
            statement_timeout: Duration::from_mins(1),
            create: true,
            mysql_utf8mb4: false,
            retries: 5,
            tenant: None,
            budget: None,
        }
    }

    /// The error of a start that fails because of this database.
    #[must_use]
    pub fn unusable(&self, source: Error) -> StartError {
        let address = self.address.to_string();
        StartError::Database { address, source }
    }

    /// Whether opening the database is tried again after this error. A SQLite file does not come by
    /// waiting.
    #[must_use]
    pub const fn waits_for(&self, error: &Error) -> bool {
        let is_away = matches!(error, Error::Unavailable(_) | Error::Exhausted(_));
        is_away && !matches!(self.address, Address::Sqlite(_))
    }

    /// How many connections read on SQLite, where one writes.
    fn readers(&self) -> u32 {
        self.connections.div_ceil(2)
    }

    /// The right to the connections by which the database is looked at before its pool is there.
    async fn opening_permits(&self) -> Result<Option<OpeningPermits>> {
        let Some(budget) = &self.budget else {
            return Ok(None);
        };
        if !budget.is_shared() {
            return Ok(None);
        }
        let permits = budget.open(Instant::now() + self.wait).await;
        permits.map(Some).ok_or_else(no_shared_connection)
    }

    /// The connections to a database server, of which the first one works.
    async fn shares<DB: ServerDriver>(
        &self,
        servers: Servers<DB>,
        settings: &[(String, String)],
    ) -> Result<Shares<DB>> {
        let limits = PoolLimits {
            connections: self.connections,
            acquire_timeout: self.wait,
            idle_timeout: self.idle,
            max_lifetime: self.age,
        };
        let settings = |purpose| SessionSettings {
            purpose,
            statement_timeout: self.statement_timeout,
            options: settings.to_vec(),
        };
        Shares::open(servers, limits, self.budget.as_ref(), settings).await
    }
}

impl Database {
    /// Connects to a URL with the usual limits and at most this many connections.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the URL cannot be used; otherwise as [`Self::connect`].
    pub async fn open(url: &str, connections: u32) -> Result<Self> {
        let to = Connect {
            connections,
            ..Connect::new(url.parse()?)
        };
        Self::connect(&to).await
    }

    /// Connects, and creates the database when it is missing and may be created.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the address names files that cannot be used, `FailedPrecondition`
    /// when the database is missing and is not to be created, `Unavailable` when it cannot be
    /// reached.
    pub async fn connect(to: &Connect) -> Result<Self> {
        let pools = match &to.address {
            Address::Sqlite(address) => Some(address.pools(to).await?),
            Address::Postgres(address) => address.pools(to).await?,
            Address::MySql(address) => address.pools(to).await?,
        };
        pools
            .map(|pools| Self::of(pools).with_tenant(to.tenant.clone()))
            .ok_or_else(|| Error::FailedPrecondition("the database does not exist".into()))
    }

    /// Connects to look at what is there, which this leaves as it is; `None` when the database is
    /// missing.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub async fn look(to: &Connect) -> Result<Option<Self>> {
        let there = Connect {
            create: false,
            ..to.clone()
        };
        let pools = match &to.address {
            Address::Sqlite(address) => match address.existing() {
                Some(existing) => Some(existing.pools(&there).await?),
                None => None,
            },
            Address::Postgres(address) => address.pools(&there).await?,
            Address::MySql(address) => address.pools(&there).await?,
        };
        Ok(pools.map(Self::of))
    }
}

/// A name as it stands in a statement, between these quotes.
fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}
