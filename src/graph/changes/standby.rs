//! Reads at a standby of the database, which see everything that was committed before they began.
//!
//! The history says whether a standby has that: replication keeps the order of the commits, so a
//! standby with the newest row of the history has everything before it. This holds for every kind
//! of replication. A standby whose row has another digest is another database by now, and is not
//! used. A read that the standby cannot serve soon goes to the primary.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::time::{Instant, sleep, timeout};

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::changes::pages::{HistoryPlace, check};
use crate::storage::tables::changes::{self, HistoryPage, PageRows, RowDigest};
use crate::storage::{Database, Tx};

/// How long a read waits for the standby to connect and to replay what was committed before.
const CATCH_UP_TIME: Duration = Duration::from_millis(250);

/// The pause before the standby is asked again how far it is.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(5);

/// How long a standby is left alone that was away or too far behind.
const AVOIDANCE_TIME: Duration = Duration::from_secs(1);

/// A standby, from when it is opened on. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct Standby {
    database: Arc<OnceLock<Database>>,
    avoided_until: Arc<Mutex<Option<Instant>>>,
}

impl Standby {
    /// Reads there from now on.
    pub(in crate::graph) fn open(&self, database: Database) {
        // A server has one standby.
        let _ = self.database.set(database);
    }

    pub(in crate::graph) async fn close(&self) {
        if let Some(database) = self.database.get() {
            database.close().await;
        }
    }

    /// Whether there is a standby that can be tried now.
    pub(in crate::graph) fn is_usable(&self) -> bool {
        self.usable().is_some()
    }

    /// The standby, if it can be tried now.
    fn usable(&self) -> Option<&Database> {
        let avoided = self.avoided_until.lock();
        let avoided = *avoided.unwrap_or_else(PoisonError::into_inner);
        let is_usable = avoided.is_none_or(|until| Instant::now() >= until);
        self.database.get().filter(|_| is_usable)
    }

    fn avoid(&self, why: &str) {
        tracing::debug!(why, "reads go to the primary for a moment");
        let avoided = self.avoided_until.lock();
        *avoided.unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + AVOIDANCE_TIME);
    }

    /// What a read at the standby found in time, if it found something.
    async fn attempt<T>(&self, read: impl Future<Output = Result<Option<T>>>) -> Option<T> {
        let found = match timeout(CATCH_UP_TIME, read).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                self.avoid(&error.chain());
                None
            }
            Err(_) => {
                self.avoid("the standby is behind");
                None
            }
        };
        let server = if found.is_some() {
            "standby"
        } else {
            "primary"
        };
        counter!("pedigree_standby_reads_total", "server" => server).increment(1);
        found
    }

    /// The rows of the history that follow a place, if the standby has some.
    pub(super) async fn page_after(
        &self,
        place: HistoryPlace,
        rows: PageRows,
    ) -> Option<HistoryPage> {
        let database = self.usable()?;
        let read = async {
            let mut tx = database.single_read().await?;
            let page = changes::page_after(&mut tx, place.position, rows).await?;
            let follows = !page.rows.is_empty() && check(place, &page).is_ok();
            Ok(follows.then_some(page))
        };
        self.attempt(read).await
    }
}

impl History {
    /// A transaction for a read that takes long, which sees everything that was committed before:
    /// at the standby if that has it in time, or else at the primary.
    ///
    /// # Errors
    ///
    /// As [`Database::read`].
    pub(in crate::graph) async fn read_long(&self) -> Result<Tx> {
        if let Some(standby) = self.standby.usable()
            && let Some(newest) = self.newest_row().await?
            && let Some(tx) = self.standby.attempt(read_with(standby, newest)).await
        {
            return Ok(tx);
        }
        self.database.read().await
    }

    /// The position and the digest of the newest row of the history. Everything that was committed
    /// before is in that row or in one before it.
    async fn newest_row(&self) -> Result<Option<(i64, RowDigest)>> {
        self.sequence_outbox().await?;
        let mut tx = self.database.single_read().await?;
        changes::newest(&mut tx).await
    }
}

/// A transaction at a standby, once that has this row of the history.
async fn read_with(standby: &Database, (position, digest): (i64, RowDigest)) -> Result<Option<Tx>> {
    loop {
        let mut tx = standby.read().await?;
        if changes::digest_at(&mut tx, position).await? == Some(digest) {
            return Ok(Some(tx));
        }
        drop(tx);
        sleep(CATCH_UP_INTERVAL).await;
    }
}
