//! The engine that stores writes: one transaction each, retried on conflict.
//!
//! [`Engine::write`] is the only way to change the graph. It runs a [`Write`] in a transaction that
//! also stores the changes for the history, commits, and repeats all of that when the database
//! reports a conflict. On a database with a single writer, concurrent writes share a commit: see
//! [`super::group`].

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use metrics::counter;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::graph::changes::history::History;
use crate::graph::commit::group::{Admission, GroupCommit};
use crate::graph::commit::transactions::Transactions;
use crate::graph::write::Write;
use crate::model::Caller;

/// A write that lost to concurrent ones is not retried later than this after its first attempt:
/// some lock is then held for longer than any retry would wait. The number of retries has no bound
/// of its own: on a cluster where every node takes writes, waiting in line does not help, and a
/// write may lose many times.
const RETRY_TIME_LIMIT: Duration = Duration::from_secs(30);

/// The shortest and the longest pause before a retry.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(2);
const MAX_RETRY_DELAY: Duration = Duration::from_millis(50);

/// How long a write that has lost waits for its turn among those that have.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);

/// The most retries of a write that found a row missing which was then created concurrently.
pub(in crate::graph) const MAX_RACE_RETRIES: usize = 3;

/// One attempt at a write. It is boxed to keep the types of the futures around it small, which the
/// compiler goes through for each kind of write.
type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Stores writes. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Engine {
    transactions: Transactions,
    /// Set if the database has a single writer.
    group: Option<GroupCommit>,
    /// The turn of writes that have lost. Without it they make each other lose again: at the nodes
    /// of a cluster, some lose for seconds.
    losers: Arc<Semaphore>,
}

impl Engine {
    /// The engine for the database of this history.
    pub(in crate::graph) fn new(history: History) -> Self {
        let timeout = history.database.group_commit_timeout();
        let transactions = Transactions::new(history);
        let group = timeout.map(|timeout| GroupCommit::new(transactions.clone(), timeout));
        Self {
            transactions,
            group,
            losers: Arc::new(Semaphore::new(1)),
        }
    }

    /// Stores a caller's write entirely or not at all. When this returns, it is durable.
    ///
    /// # Errors
    ///
    /// Those of the write; `Contention` when it lost to concurrent writes for too long;
    /// `Uncertain` when it may or may not be stored.
    pub(in crate::graph) async fn write<W: Write + 'static>(
        &self,
        caller: &Caller,
        write: W,
    ) -> Result<W::Answer> {
        let write = Arc::new(write);
        let (has_lost, turn) = (AtomicBool::new(false), OnceCell::new());
        let attempt = || -> Attempt<'_, W::Answer> {
            Box::pin(async {
                if has_lost.load(Ordering::Relaxed) {
                    // One that waited in vain is tried all the same. The turn ends with the write.
                    let wait = || timeout(TURN_TIMEOUT, self.losers.acquire());
                    turn.get_or_init(wait).await;
                }
                self.attempt(caller, &write).await
            })
        };
        let end = Instant::now() + RETRY_TIME_LIMIT;
        let mut races = 0;
        let delays = ExponentialBuilder::default()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .with_jitter()
            .without_max_times();
        attempt
            .retry(delays)
            .when(|error| match error {
                Error::Contention(_) => Instant::now() < end,
                Error::Raced(_) => {
                    races += 1;
                    races <= MAX_RACE_RETRIES
                }
                _ => false,
            })
            .notify(|_, _| {
                has_lost.store(true, Ordering::Relaxed);
                counter!("pedigree_transaction_retries_total").increment(1);
            })
            .await
            .map_err(|error| match error {
                Error::Raced(inner) => *inner,
                other => other,
            })
    }

    async fn attempt<W: Write + 'static>(
        &self,
        caller: &Caller,
        write: &Arc<W>,
    ) -> Result<W::Answer> {
        let admission = match &self.group {
            Some(group) => group.admit(caller, write).await?,
            None => Admission::Alone(None),
        };
        // The permit keeps later writes queued until this one has ended.
        let _permit = match admission {
            Admission::Done(outcome) => return outcome,
            Admission::Alone(permit) => permit,
        };
        let mut tx = self.transactions.begin(Some(caller)).await?;
        let answer = self.transactions.apply(&mut tx, caller, &**write).await?;
        self.transactions.commit(tx).await?;
        Ok(answer)
    }
}
