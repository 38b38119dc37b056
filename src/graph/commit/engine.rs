//! How a change of the graph is stored: in one transaction with its entry in the history, run again when the database asks for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use metrics::counter;

use crate::error::{Error, Result};
use crate::graph::changes::feed::Feed;
use crate::graph::commit::command::Write;
use crate::graph::commit::group::{Joined, Queue};
use crate::graph::{Clock, Graph};
use crate::model::Caller;
use crate::storage::tables::changes;
use crate::storage::{Database, Tx};

/// How often a transaction is run again after it lost to others.
const RETRIES: usize = 16;

/// No transaction is run again when so much time has passed since the first began: somebody holds a lock for good.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is run again because something that it looked up was created meanwhile.
pub(in crate::graph) const RACES: usize = 3;

/// Transactions whose changes become known to those who watch. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Writer {
    pub database: Database,
    pub clock: Clock,
    pub feed: Feed,
    pub keeps_history: bool,
}

impl Writer {
    pub(in crate::graph) async fn begin(&self) -> Result<Tx> {
        let mut tx = self.database.write().await?;
        if self.keeps_history {
            tx.enable_journal();
        }
        Ok(tx)
    }

    pub(in crate::graph) async fn commit(&self, mut tx: Tx) -> Result<()> {
        let journal = tx.take_journal();
        let changed = !journal.is_empty();
        changes::commit(tx, journal, (self.clock)()).await?;
        if changed {
            self.feed.wrote();
        }
        Ok(())
    }
}

/// The writer, and where writes wait for each other if the database has one writer only.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Writes {
    writer: Writer,
    queue: Option<Queue>,
}

impl Writes {
    pub(in crate::graph) fn new(writer: Writer) -> Self {
        let timeout = writer.database.group_commit_timeout();
        let queue = timeout.map(|timeout| Queue::new(writer.clone(), timeout));
        Self { writer, queue }
    }

    async fn attempt<W: Write + 'static>(
        &self,
        caller: &Caller,
        change: &Arc<W>,
    ) -> Result<W::Answer> {
        let joined = match &self.queue {
            Some(queue) => queue.join(caller, change).await?,
            None => Joined::Alone(None),
        };
        // Who works alone keeps others waiting until the end.
        let _turn = match joined {
            Joined::Done(done) => return done,
            Joined::Alone(turn) => turn,
        };
        let mut tx = self.writer.begin().await?;
        let answer = change
            .apply(&mut tx, &caller.at((self.writer.clock)()))
            .await?;
        self.writer.commit(tx).await?;
        Ok(answer)
    }
}

impl Graph {
    /// Stores a caller's change entirely or not at all; when this returns it is durable.
    ///
    /// # Errors
    ///
    /// Those of the change; `Contention` when others went first each of several times; `Uncertain` when it may or may not be
    /// stored.
    pub async fn write<W: Write + 'static>(&self, caller: &Caller, change: W) -> Result<W::Answer> {
        let change = Arc::new(change);
        let attempt = || self.writes.attempt(caller, &change);
        let end = Instant::now() + PATIENCE;
        let mut races = 0;
        attempt
            .retry(
                ExponentialBuilder::default()
                    .with_min_delay(Duration::from_millis(2))
                    .with_max_delay(Duration::from_millis(250))
                    .with_jitter()
                    .with_max_times(RETRIES),
            )
            .when(|error| match error {
                Error::Contention(_) => Instant::now() < end,
                Error::Raced(_) => {
                    races += 1;
                    races <= RACES
                }
                _ => false,
            })
            .notify(|_, _| counter!("pedigree_transaction_retries_total").increment(1))
            .await
            .map_err(|error| match error {
                Error::Raced(inner) => *inner,
                other => other,
            })
    }
}
