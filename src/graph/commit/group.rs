//! Waiting writes stored together, for a database that has one writer and waits for its disk at every commit.
//!
//! Who comes first works alone. Who comes meanwhile waits; the next transaction takes all who wait, each behind a savepoint, and
//! commits once. A write that is refused is undone alone. Nobody is answered before the commit. A group runs in a task of its own,
//! so that a caller who goes away takes nobody with him.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::error::{Error, Result};
use crate::graph::commit::command::Write;
use crate::graph::commit::engine::Writer;
use crate::model::{Caller, Origin};
use crate::storage::Tx;

/// The most writes of one commit.
const MOST: usize = 256;

/// How long writes are taken into a group before it is committed.
const LONGEST: Duration = Duration::from_millis(20);

/// The writes that wait for the database. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    writer: Writer,
    /// How long a write waits for its turn.
    patience: Duration,
    state: Mutex<State>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<dyn Job>>,
    /// Whether somebody writes, whom the next group follows.
    at_work: bool,
}

/// What became of a write that joined the others.
pub(in crate::graph) enum Joined<T> {
    Done(Result<T>),
    /// It is to be run on its own: nobody else writes, or the group that it was in came to nothing, perhaps because of another.
    Alone(Option<Turn>),
}

type Applied<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A write of any kind and the caller who waits for it.
trait Job: Send {
    /// Tells the caller that the write has its turn, and whether he still waits for it.
    fn start(&mut self) -> bool;
    /// Makes the change at a time in milliseconds since epoch, and keeps the answer.
    fn apply<'a>(&'a mut self, tx: &'a mut Tx, now: i64) -> Applied<'a>;
    /// Tells the caller what became of it; that it is stored, when there is no error.
    fn end(self: Box<Self>, outcome: Joined<()>);
}

struct Waiting<W: Write> {
    from: Caller,
    change: Arc<W>,
    answer: Option<W::Answer>,
    started: Option<oneshot::Sender<()>>,
    caller: oneshot::Sender<Joined<W::Answer>>,
    span: Span,
}

impl<W: Write> Job for Waiting<W> {
    fn start(&mut self) -> bool {
        let started = self.started.take();
        started.is_some_and(|started| started.send(()).is_ok())
    }

    fn apply<'a>(&'a mut self, tx: &'a mut Tx, now: i64) -> Applied<'a> {
        let span = self.span.clone();
        let origin: Origin = self.from.at(now);
        let apply = async move {
            self.answer = Some(self.change.apply(tx, &origin).await?);
            Ok(())
        };
        Box::pin(apply.instrument(span))
    }

    fn end(self: Box<Self>, outcome: Joined<()>) {
        let outcome = match (outcome, self.answer) {
            (Joined::Done(Ok(())), Some(answer)) => Joined::Done(Ok(answer)),
            (Joined::Done(Err(error)), _) => Joined::Done(Err(error)),
            (Joined::Done(Ok(())), None) | (Joined::Alone(_), _) => Joined::Alone(None),
        };
        // Nobody may wait any more.
        let _ = self.caller.send(outcome);
    }
}

impl Queue {
    pub(in crate::graph) fn new(writer: Writer, patience: Duration) -> Self {
        let shared = Shared {
            writer,
            patience,
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Stores a change together with those that come at the same time, if others are at work.
    ///
    /// # Errors
    ///
    /// `Exhausted` when its turn does not come in time.
    pub(in crate::graph) async fn join<W: Write + 'static>(
        &self,
        from: &Caller,
        change: &Arc<W>,
    ) -> Result<Joined<W::Answer>> {
        let (start, mut started) = oneshot::channel();
        let (caller, outcome) = oneshot::channel();
        let waiting = Waiting {
            from: from.clone(),
            change: change.clone(),
            answer: None,
            started: Some(start),
            caller,
            span: Span::current(),
        };
        if let Some(turn) = self.enter(waiting) {
            return Ok(Joined::Alone(Some(turn)));
        }
        let late = timeout(self.shared.patience, &mut started).await.is_err();
        // The turn may have come in this moment.
        started.close();
        if late && started.try_recv().is_err() {
            return Err(Error::no_free_connection());
        }
        let lost = |_| Error::internal("a write ended without an outcome");
        outcome.await.map_err(lost)
    }

    /// A turn, if nobody writes; otherwise the write waits for the next group.
    fn enter<W: Write + 'static>(&self, waiting: Waiting<W>) -> Option<Turn> {
        let mut state = self.shared.state();
        if state.at_work {
            state.waiting.push_back(Box::new(waiting));
            return None;
        }
        state.at_work = true;
        Some(Turn {
            shared: self.shared.clone(),
            was_used: true,
        })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next write that somebody waits for, and whether it is the only one.
    fn next(&self) -> Option<(Box<dyn Job>, bool)> {
        let mut state = self.state();
        loop {
            let mut job = state.waiting.pop_front()?;
            if job.start() {
                return Some((job, state.waiting.is_empty()));
            }
        }
    }
}

/// The right to write, passed on to those who wait when it is dropped, however the work ended.
pub(in crate::graph) struct Turn {
    shared: Arc<Shared>,
    /// Otherwise the process ends, and nobody is served any more.
    was_used: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let left = if self.was_used {
            VecDeque::new()
        } else {
            std::mem::take(&mut state.waiting)
        };
        state.at_work = !state.waiting.is_empty();
        let passes_on = state.at_work;
        drop(state);
        drop(left);
        if passes_on {
            Self::pass_on(self.shared.clone());
        }
    }
}

impl Turn {
    fn pass_on(shared: Arc<Shared>) {
        let mut turn = Self {
            shared,
            was_used: false,
        };
        tokio::spawn(async move {
            turn.was_used = true;
            turn.store_group().await;
        });
    }

    async fn store_group(&self) {
        let begun = self.shared.writer.begin().await;
        let Some(first) = self.shared.next() else {
            return;
        };
        let mut tx = match begun {
            Ok(tx) => tx,
            Err(error) => return first.0.end(Joined::Done(Err(error))),
        };
        let mut group = Vec::new();
        match self.fill(&mut tx, first, &mut group).await {
            Ok(()) => settle(group, self.shared.writer.commit(tx).await),
            // The transaction is of no use any more, and nobody has been answered.
            Err(_) => settle(group, Err(Error::internal("a group was given up"))),
        }
    }

    /// Applies one write after the other; those that are to be committed are in `group`.
    async fn fill(
        &self,
        tx: &mut Tx,
        first: (Box<dyn Job>, bool),
        group: &mut Vec<Box<dyn Job>>,
    ) -> Result<()> {
        let began = Instant::now();
        let mut next = Some(first);
        while let Some((mut job, is_last)) = next {
            // Without others there is nothing to protect from it.
            let alone = group.is_empty() && is_last;
            if !alone && let Err(error) = tx.savepoint().await {
                job.end(Joined::Alone(None));
                return Err(error);
            }
            match job.apply(tx, (self.shared.writer.clock)()).await {
                Ok(()) if alone => group.push(job),
                Ok(()) => {
                    group.push(job);
                    tx.release().await?;
                }
                Err(error) => {
                    job.end(Joined::Done(Err(error)));
                    if alone {
                        return Err(Error::internal("the only write of a group was refused"));
                    }
                    tx.rollback_to_savepoint().await?;
                }
            }
            let full = group.len() >= MOST || began.elapsed() >= LONGEST;
            next = if full { None } else { self.shared.next() };
        }
        Ok(())
    }
}

/// Tells all callers of a group what became of it.
fn settle(group: Vec<Box<dyn Job>>, committed: Result<()>) {
    let (is_only, mut committed) = (group.len() == 1, Some(committed));
    for job in group {
        job.end(match &committed {
            Some(Ok(())) => Joined::Done(Ok(())),
            Some(Err(Error::Uncertain(source))) => {
                Joined::Done(Err(Error::Uncertain(source.to_string().into())))
            }
            Some(Err(_)) if is_only => committed.take().map_or(Joined::Alone(None), Joined::Done),
            _ => Joined::Alone(None),
        });
    }
}
