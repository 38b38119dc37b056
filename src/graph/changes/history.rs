//! The history of changes and its retention.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable};

use crate::error::{Error, Result};
use crate::graph::changes::feed::Feed;
use crate::graph::changes::memory::WatchMemory;
use crate::graph::changes::pages::SharedPages;
use crate::graph::changes::standby::Standby;
use crate::graph::clock::Clock;
use crate::storage::tables::changes::PositionRange;
use crate::storage::tables::{changes, messages};
use crate::storage::{Database, Tx};

/// The pause after another server gave positions at the same time, and how often that is borne.
/// Row locks keep the servers apart, but not those at different nodes of a cluster.
const RACE_DELAY: Duration = Duration::from_millis(10);
const MAX_RACES: usize = 16;

/// The time for which stored data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Of changes. With zero there is nothing to watch; [`Duration::MAX`] keeps all.
    pub changes: Duration,
    /// Of the records of the audit, if it is longer than that of changes.
    pub audit: Option<Duration>,
    /// Of the ids and answers of messages: the deduplication window.
    pub messages: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let week = Duration::from_hours(7 * 24);
        Self {
            changes: week,
            audit: None,
            messages: week,
        }
    }
}

impl Retention {
    /// Of the rows of the history. Changes and records of the audit are the same rows: the audit
    /// reads all of them, watches those whose own retention has not ended. Zero keeps no history.
    pub(super) fn rows(&self) -> Duration {
        self.audit.unwrap_or_default().max(self.changes)
    }
}

/// The history of one graph. Clones share its feed.
#[derive(Clone, Debug)]
pub(in crate::graph) struct History {
    pub database: Database,
    pub clock: Clock,
    pub retention: Retention,
    pub feed: Feed,
    pub pages: SharedPages,
    pub standby: Standby,
    pub watch_memory: WatchMemory,
}

impl History {
    pub(in crate::graph) fn new(database: Database, retention: Retention, clock: Clock) -> Self {
        Self {
            database,
            clock,
            retention,
            feed: Feed::default(),
            pages: SharedPages::default(),
            standby: Standby::default(),
            watch_memory: WatchMemory::default(),
        }
    }

    /// The same history, read and written by another handle of its database.
    pub(in crate::graph) fn with_handle(&self, database: Database) -> Self {
        Self {
            database,
            ..self.clone()
        }
    }

    /// Whether changes are stored.
    pub(in crate::graph) fn is_kept(&self) -> bool {
        !self.retention.rows().is_zero()
    }

    /// # Errors
    ///
    /// `FailedPrecondition` when a reader with this retention has nothing to read.
    pub(in crate::graph) fn require(retention: Duration) -> Result<()> {
        if !retention.is_zero() {
            return Ok(());
        }
        Err(Error::FailedPrecondition(
            "this server keeps no history of changes: it runs with --change-retention 0".into(),
        ))
    }

    /// The id of the database.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn store_id(&self) -> Result<String> {
        let mut tx = self.database.single_read().await?;
        Ok(changes::store(&mut tx).await?.0)
    }

    /// The first position for readers with this retention, of a history from `oldest` on. As in
    /// pruning, the newest row always counts.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn first_position(
        &self,
        tx: &mut Tx,
        retention: Duration,
        oldest: i64,
    ) -> Result<i64> {
        if retention >= self.retention.rows() {
            return Ok(oldest);
        }
        let first = changes::first_since(tx, self.start_of(retention)).await?;
        Ok(first.unwrap_or(oldest))
    }

    /// Assigns positions to committed changes that have none, and publishes the newest position.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn sequence_outbox(&self) -> Result<()> {
        let mut tx = self.database.read().await?;
        let mut has_more = changes::has_outbox_rows(&mut tx).await?;
        let mut range = changes::positions(&mut tx).await?;
        drop(tx);
        let has_changed = has_more;
        while has_more {
            (has_more, range) = (|| self.assign_positions())
                .retry(
                    ConstantBuilder::default()
                        .with_delay(RACE_DELAY)
                        .with_jitter()
                        .with_max_times(MAX_RACES),
                )
                .when(|error| matches!(error, Error::Contention(_) | Error::AlreadyExists(_)))
                .await?;
        }
        let went_back = self.feed.publish(range.map_or(0, |range| range.newest));
        if went_back {
            self.pages.clear();
        }
        if has_changed {
            self.notify_servers().await;
        }
        Ok(())
    }

    /// Notifies other servers of changes. Those that hear nothing look for themselves, later.
    pub(super) async fn notify_servers(&self) {
        if let Err(error) = self.database.notify().await {
            tracing::debug!(error = error.chain(), "other servers were not notified");
        }
    }

    /// One transaction of [`Self::sequence_outbox`]: whether there may be more, and the range.
    async fn assign_positions(&self) -> Result<(bool, Option<PositionRange>)> {
        let mut tx = self.database.write().await?;
        let has_more = changes::assign_positions(&mut tx).await?;
        let range = changes::positions(&mut tx).await?;
        tx.commit().await?;
        Ok((has_more, range))
    }

    /// Deletes changes and messages whose retention has ended.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn prune(&self) -> Result<()> {
        loop {
            let mut tx = self.database.write().await?;
            let before = self.start_of(self.retention.rows());
            let pruned = changes::prune(&mut tx, before).await?;
            tx.commit().await?;
            if pruned == 0 {
                break;
            }
        }
        let mut tx = self.database.write().await?;
        messages::prune(&mut tx, self.start_of(self.retention.messages)).await?;
        tx.commit().await
    }

    /// The time at which a period began that ends now, in milliseconds since epoch.
    fn start_of(&self, period: Duration) -> i64 {
        let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        self.clock.now().saturating_sub(period)
    }
}
