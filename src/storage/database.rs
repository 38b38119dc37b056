//! A database: its connections, and how transactions begin.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{MySql, Postgres};
use tokio_util::task::TaskTracker;

use super::driver::{Open, Tx};
use super::notifications::NotificationListener;
use super::permits::LongReadPermit;
use super::session::Shares;
use super::statement::boxed;
use super::type_cache::{ReadTime, TypeCache};
use super::{Dialect, sqlite};
use crate::error::{Error, Result};

/// A database: connections for transactions that write, and others for those that only read. Cheap
/// to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pub(super) pools: Arc<Pools>,
    pub(super) types: TypeCache,
    tasks: TaskTracker,
    /// The label of its metrics; `None` for the default one.
    tenant: Option<Arc<str>>,
    /// Who waits for connections; `None` for the server itself.
    caller: Option<Arc<str>>,
}

/// On SQLite the writer is one connection. A store in memory has one connection for everything,
/// because it lives in that connection.
#[derive(Clone, Debug)]
pub(super) enum Pools {
    Sqlite {
        writer: sqlite::SqliteSessions,
        reader: sqlite::SqliteSessions,
        /// None for a store in memory.
        probe: Option<sqlite::SqliteSessions>,
    },
    Postgres(Shares<Postgres>),
    MySql(Shares<MySql>),
}

impl Database {
    pub(super) fn of(pools: Pools) -> Self {
        let tasks = match &pools {
            Pools::Sqlite { .. } => TaskTracker::new(),
            Pools::Postgres(shares) => shares.writer.tasks().clone(),
            Pools::MySql(shares) => shares.writer.tasks().clone(),
        };
        Self {
            pools: Arc::new(pools),
            types: TypeCache::default(),
            tasks,
            tenant: None,
            caller: None,
        }
    }

    /// The same, with the name of a tenant in its metrics.
    pub(super) fn with_tenant(mut self, tenant: Option<Arc<str>>) -> Self {
        self.tenant = tenant;
        self
    }

    /// The same, for a caller: those who wait for connections take turns.
    #[must_use]
    pub fn for_caller(&self, caller: &Arc<str>) -> Self {
        Self {
            caller: Some(caller.clone()),
            ..self.clone()
        }
    }

    /// For tasks that use the database; [`Self::close`] waits for them.
    #[must_use]
    pub const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The types that were read, where they are enough to answer a client: as they are stored.
    #[must_use]
    pub fn answered_types(&self) -> Option<&TypeCache> {
        self.dialect().is_single_process().then_some(&self.types)
    }

    /// The dialect of this database.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match *self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
            Pools::MySql(_) => Dialect::MySql,
        }
    }

    /// Begins a transaction that sees one state of the database and writes nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Exhausted` when no connection can be had.
    pub async fn read(&self) -> Result<Tx> {
        boxed(async move {
            let (began, caller) = (self.types.moment(), self.caller.as_ref());
            let open = match &*self.pools {
                Pools::Sqlite { reader, .. } => Open::Sqlite(reader.begin("BEGIN", caller).await?),
                Pools::Postgres(shares) => {
                    let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                    Open::Postgres(shares.reader.begin(snapshot, caller).await?)
                }
                Pools::MySql(shares) => Open::MySql(
                    shares
                        .reader
                        .begin("START TRANSACTION READ ONLY", caller)
                        .await?,
                ),
            };
            Ok(self.tx(open, began))
        })
        .await
    }

    /// As [`Self::read`], for a single statement, which sees one state of the database by itself.
    /// On a server it runs without BEGIN and COMMIT, which would take longer than the statement.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub async fn single_read(&self) -> Result<Tx> {
        boxed(async move {
            let (began, caller) = (self.types.moment(), self.caller.as_ref());
            let open = match &*self.pools {
                Pools::Sqlite { .. } => return self.read().await,
                Pools::Postgres(shares) => Open::Postgres(shares.reader.lend(caller).await?),
                Pools::MySql(shares) => Open::MySql(shares.reader.lend(caller).await?),
            };
            Ok(self.tx(open, began))
        })
        .await
    }

    /// The permit for a transaction of [`Self::read`] that lasts as long as a client reads. It is
    /// acquired before the transaction begins. At most half of the connections for reading are
    /// used by such transactions.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no permit becomes free in time.
    pub async fn long_read_permit(&self) -> Result<LongReadPermit> {
        let permits = match &*self.pools {
            Pools::Sqlite { reader, .. } => reader.permits(),
            Pools::Postgres(shares) => shares.reader.permits(),
            Pools::MySql(shares) => shares.reader.permits(),
        };
        let permit = permits.acquire_long_read(self.caller.as_ref()).await;
        permit.ok_or_else(|| {
            let what = "too many traces and large lists are under way on this server";
            Error::Exhausted(format!("{what}; try again later"))
        })
    }

    /// Begins a transaction that may write. On SQLite it takes the write lock at the start, so that
    /// a concurrent write never aborts it half-way.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and `Contention` when another process holds the lock of a SQLite file for
    /// too long.
    pub async fn write(&self) -> Result<Tx> {
        boxed(async move {
            let (began, caller) = (self.types.moment(), self.caller.as_ref());
            let open = match &*self.pools {
                Pools::Sqlite { writer, .. } => {
                    Open::Sqlite(writer.begin("BEGIN IMMEDIATE", caller).await?)
                }
                Pools::Postgres(shares) => {
                    Open::Postgres(shares.writer.begin("BEGIN", caller).await?)
                }
                // The first statement begins it, which saves a round trip: `connect/settings.rs`.
                Pools::MySql(shares) => {
                    Open::MySql(shares.writer.lend(caller).await?.transacting())
                }
            };
            Ok(self.tx(open, began))
        })
        .await
    }

    pub(super) fn tx(&self, open: Open, began: ReadTime) -> Tx {
        let opened = match &*self.pools {
            // The file is the same.
            Pools::Sqlite { .. } => 0,
            Pools::Postgres(shares) => shares.writer.opened(),
            Pools::MySql(shares) => shares.writer.opened(),
        };
        let began = self.types.see_connections(opened, began);
        Tx::of(self.dialect(), open, self.types.clone(), began)
    }

    /// How long a write may wait to join a group commit; `None` where there are no group commits.
    /// They pay where one transaction writes at a time and every commit waits for a disk: a SQLite
    /// file.
    #[must_use]
    pub fn group_commit_timeout(&self) -> Option<Duration> {
        match &*self.pools {
            Pools::Sqlite { writer, .. } => writer
                .is_on_disk()
                .then(|| writer.permits().acquire_timeout()),
            Pools::Postgres(_) | Pools::MySql(_) => None,
        }
    }

    /// Whether it has no connection that other databases may not take.
    #[must_use]
    pub fn shares_connections(&self) -> bool {
        match &*self.pools {
            Pools::Sqlite { .. } => false,
            Pools::Postgres(shares) => shares.writer.is_shared(),
            Pools::MySql(shares) => shares.writer.is_shared(),
        }
    }

    /// Notifies other servers on this database of new changes, where the database can.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub async fn notify(&self) -> Result<()> {
        let Some(query) = self.dialect().notify_query() else {
            return Ok(());
        };
        let mut tx = self.single_read().await?;
        tx.first::<Option<String>>(tx.sql("database::notify", query))
            .await
            .map(|_| ())
    }

    /// Listens on a connection of its own for [`Self::notify`] of other servers; `None` where the
    /// database has no notifications, or there is one connection for reading only.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the connection cannot be opened.
    pub async fn listen(&self) -> Result<Option<NotificationListener>> {
        match &*self.pools {
            Pools::Postgres(shares) => shares.reader.listen().await,
            Pools::Sqlite { .. } | Pools::MySql(_) => Ok(None),
        }
    }

    /// Counts the connections as the metrics of this moment.
    pub fn count_connections(&self) {
        let tenant = self.tenant.as_deref();
        match &*self.pools {
            Pools::Sqlite { writer, reader, .. } => {
                writer.count("write", tenant);
                reader.count("read", tenant);
            }
            Pools::Postgres(shares) => shares.count(tenant),
            Pools::MySql(shares) => shares.count(tenant),
        }
    }

    /// Closes all connections once they are idle, and waits for the tasks that use them; later
    /// transactions fail.
    pub async fn close(&self) {
        match &*self.pools {
            Pools::Sqlite {
                writer,
                reader,
                probe,
            } => {
                // One after the other: the last connection of a file removes its log when it
                // closes, if no other one is open at that moment.
                if let Some(probe) = probe {
                    probe.close().await;
                }
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres(shares) => shares.close().await,
            Pools::MySql(shares) => shares.close().await,
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}
