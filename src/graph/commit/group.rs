//! Group commit, for a database that has a single writer and syncs its disk at every commit.
//!
//! The first write gets the permit and runs its own transaction. Writes that arrive meanwhile
//! queue. When the permit is released, one task takes it, applies all queued writes in one
//! transaction, each in a savepoint, and commits once. A write that fails rolls back to its
//! savepoint only. Callers are answered after the commit. The task is independent of its callers:
//! one that disconnects does not affect the writes of others.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::error::{Error, Result};
use crate::graph::commit::transactions::Transactions;
use crate::graph::write::Write;
use crate::model::Caller;
use crate::storage::Tx;

/// The most writes of one commit.
const MAX_GROUP_WRITES: usize = 256;

/// A group takes no more writes after this time, and commits.
const GROUP_FILL_TIME: Duration = Duration::from_millis(20);

/// The queue of writes. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct GroupCommit {
    shared: Arc<GroupState>,
}

struct GroupState {
    transactions: Transactions,
    /// The longest time that a write stays queued.
    queue_timeout: Duration,
    state: Mutex<QueueState>,
}

impl fmt::Debug for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupState").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct QueueState {
    queued: VecDeque<Box<dyn QueuedWrite>>,
    /// Whether there is a [`WritePermit`]. The next group follows its release.
    is_writing: bool,
}

/// How a write goes on after it was offered to the queue.
pub(super) enum Admission<T> {
    /// It was part of a group, with this outcome.
    Done(Result<T>),
    /// The caller runs it in a transaction of its own: no other write was running, or the group
    /// failed as a whole, which another write may have caused.
    Alone(Option<WritePermit>),
}

type Applying<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A write of any type in the queue.
trait QueuedWrite: Send {
    /// Ends the caller's queue timeout. False if the caller no longer waits.
    fn start(&mut self) -> bool;
    /// Applies the write and keeps its answer.
    fn apply<'a>(&'a mut self, transactions: &'a Transactions, tx: &'a mut Tx) -> Applying<'a>;
    /// Sends the caller the outcome: the kept answer if there is no error.
    fn finish(self: Box<Self>, outcome: Admission<()>);
}

struct Queued<W: Write> {
    caller: Caller,
    write: Arc<W>,
    answer: Option<W::Answer>,
    started: Option<oneshot::Sender<()>>,
    outcome: oneshot::Sender<Admission<W::Answer>>,
    span: Span,
}

impl<W: Write> QueuedWrite for Queued<W> {
    fn start(&mut self) -> bool {
        let started = self.started.take();
        started.is_some_and(|started| started.send(()).is_ok())
    }

    fn apply<'a>(&'a mut self, transactions: &'a Transactions, tx: &'a mut Tx) -> Applying<'a> {
        let span = self.span.clone();
        let apply = async move {
            let answer = transactions.apply(tx, &self.caller, &*self.write).await?;
            self.answer = Some(answer);
            Ok(())
        };
        Box::pin(apply.instrument(span))
    }

    fn finish(self: Box<Self>, outcome: Admission<()>) {
        let outcome = match (outcome, self.answer) {
            (Admission::Done(Ok(())), Some(answer)) => Admission::Done(Ok(answer)),
            (Admission::Done(Err(error)), _) => Admission::Done(Err(error)),
            (Admission::Done(Ok(())), None) | (Admission::Alone(_), _) => Admission::Alone(None),
        };
        // The caller may have gone.
        let _ = self.outcome.send(outcome);
    }
}

impl GroupCommit {
    pub(super) fn new(transactions: Transactions, queue_timeout: Duration) -> Self {
        let shared = GroupState {
            transactions,
            queue_timeout,
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Grants the permit if no write is running; otherwise queues the write and waits for the
    /// outcome of its group.
    ///
    /// # Errors
    ///
    /// `Exhausted` when its group does not begin in time.
    pub(super) async fn admit<W: Write + 'static>(
        &self,
        caller: &Caller,
        write: &Arc<W>,
    ) -> Result<Admission<W::Answer>> {
        let (start, mut started) = oneshot::channel();
        let (sender, outcome) = oneshot::channel();
        let queued = Queued {
            caller: caller.clone(),
            write: write.clone(),
            answer: None,
            started: Some(start),
            outcome: sender,
            span: Span::current(),
        };
        if let Some(permit) = self.permit_or_queue(queued) {
            return Ok(Admission::Alone(Some(permit)));
        }
        let queue_timeout = self.shared.queue_timeout;
        let is_late = timeout(queue_timeout, &mut started).await.is_err();
        // The group may have begun between the timeout and now.
        started.close();
        if is_late && started.try_recv().is_err() {
            return Err(Error::no_free_connection());
        }
        let lost = |_| Error::internal("a queued write ended without an outcome");
        outcome.await.map_err(lost)
    }

    fn permit_or_queue<W: Write + 'static>(&self, queued: Queued<W>) -> Option<WritePermit> {
        let mut state = self.shared.state();
        if state.is_writing {
            state.queued.push_back(Box::new(queued));
            return None;
        }
        state.is_writing = true;
        Some(WritePermit {
            shared: self.shared.clone(),
            has_run: true,
        })
    }
}

impl GroupState {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next write whose caller still waits, and whether the queue is empty behind it.
    fn next(&self) -> Option<(Box<dyn QueuedWrite>, bool)> {
        let mut state = self.state();
        loop {
            let mut write = state.queued.pop_front()?;
            if write.start() {
                return Some((write, state.queued.is_empty()));
            }
        }
    }
}

/// The right to write, held by one transaction at a time. Dropping it starts the next group.
pub(super) struct WritePermit {
    shared: Arc<GroupState>,
    /// False if the task was dropped before it ran, as at the shutdown of the runtime: the queue
    /// is then discarded.
    has_run: bool,
}

impl Drop for WritePermit {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let discarded = if self.has_run {
            VecDeque::new()
        } else {
            std::mem::take(&mut state.queued)
        };
        state.is_writing = !state.queued.is_empty();
        let has_next = state.is_writing;
        drop(state);
        drop(discarded);
        if has_next {
            Self::spawn_group(self.shared.clone());
        }
    }
}

impl WritePermit {
    fn spawn_group(shared: Arc<GroupState>) {
        let tasks = shared.transactions.tasks().clone();
        let mut permit = Self {
            shared,
            has_run: false,
        };
        tasks.spawn(async move {
            permit.has_run = true;
            permit.run_group().await;
        });
    }

    /// Applies queued writes in one transaction and commits it.
    async fn run_group(&self) {
        let begun = self.shared.transactions.begin(None).await;
        let Some(first) = self.shared.next() else {
            return;
        };
        let mut tx = match begun {
            Ok(tx) => tx,
            Err(error) => return first.0.finish(Admission::Done(Err(error))),
        };
        let mut applied = Vec::new();
        match self.apply_queued(&mut tx, first, &mut applied).await {
            Ok(()) => finish_all(applied, self.shared.transactions.commit(tx).await),
            // The transaction is unusable, and no caller has been answered.
            Err(_) => finish_all(applied, Err(Error::internal("a group was given up"))),
        }
    }

    /// Applies one write after the other. Those to be committed are then in `applied`.
    async fn apply_queued(
        &self,
        tx: &mut Tx,
        first: (Box<dyn QueuedWrite>, bool),
        applied: &mut Vec<Box<dyn QueuedWrite>>,
    ) -> Result<()> {
        let transactions = &self.shared.transactions;
        let began = Instant::now();
        let mut next = Some(first);
        while let Some((mut write, is_last)) = next {
            // The only write of a group needs no savepoint.
            let is_only = applied.is_empty() && is_last;
            if !is_only && let Err(error) = tx.savepoint().await {
                write.finish(Admission::Alone(None));
                return Err(error);
            }
            match write.apply(transactions, tx).await {
                Ok(()) if is_only => applied.push(write),
                Ok(()) => {
                    applied.push(write);
                    tx.release().await?;
                }
                Err(error) => {
                    write.finish(Admission::Done(Err(error)));
                    if is_only {
                        return Err(Error::internal("the only write of a group failed"));
                    }
                    tx.rollback_to_savepoint().await?;
                }
            }
            let is_full = applied.len() >= MAX_GROUP_WRITES || began.elapsed() >= GROUP_FILL_TIME;
            next = if is_full { None } else { self.shared.next() };
        }
        Ok(())
    }
}

/// Sends the outcome of a group to its callers.
fn finish_all(applied: Vec<Box<dyn QueuedWrite>>, committed: Result<()>) {
    let (is_only, mut committed) = (applied.len() == 1, Some(committed));
    for write in applied {
        write.finish(match &committed {
            Some(Ok(())) => Admission::Done(Ok(())),
            Some(Err(Error::Uncertain(source))) => {
                Admission::Done(Err(Error::Uncertain(source.to_string().into())))
            }
            Some(Err(_)) if is_only => committed
                .take()
                .map_or(Admission::Alone(None), Admission::Done),
            _ => Admission::Alone(None),
        });
    }
}
