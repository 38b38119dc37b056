//! A queue in front of batches, for messages that arrive one by one: those that wait while a batch
//! is stored are the next batch, and share its commit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::batch::Batch;
use super::{Message, Reply};
use crate::error::{Error, Result};
use crate::graph::commit::engine::Engine;
use crate::model::Caller;

/// The most messages of one commit.
const MAX_BATCH_MESSAGES: usize = 256;

/// Target size of a batch, in bytes as clients sent its messages.
const BATCH_BYTES: usize = 1 << 20;

/// The most messages that wait.
const MAX_QUEUED_MESSAGES: usize = 16_384;

/// A queue of messages. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::graph) struct MessageQueue {
    engine: Engine,
    tasks: TaskTracker,
    state: Arc<Mutex<WaitingMessages>>,
}

#[derive(Debug, Default)]
struct WaitingMessages {
    waiting: VecDeque<Waiting>,
    /// Whether a task takes what waits.
    is_draining: bool,
}

/// The outcome of a message. Messages of one batch share the error of its commit.
type Outcome = Result<Reply, Arc<Error>>;

#[derive(Debug)]
struct Waiting {
    caller: Caller,
    message: Message,
    /// Its size as it was sent.
    bytes: usize,
    outcome: oneshot::Sender<Outcome>,
}

impl MessageQueue {
    pub(in crate::graph) fn new(engine: Engine, tasks: TaskTracker) -> Self {
        Self {
            engine,
            tasks,
            state: Arc::default(),
        }
    }

    /// Queues messages with their sizes in bytes, and waits until they are stored or refused. The
    /// replies are in the same order.
    ///
    /// # Errors
    ///
    /// `Exhausted` when too many messages wait.
    pub(in crate::graph) async fn store(
        &self,
        caller: &Caller,
        messages: Vec<(Message, usize)>,
    ) -> Result<Vec<Outcome>> {
        let outcomes = self.push(caller, messages)?;
        let mut replies = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let lost = |_| Err(Arc::new(Error::internal("a message ended without a reply")));
            replies.push(outcome.await.unwrap_or_else(lost));
        }
        Ok(replies)
    }

    fn push(
        &self,
        caller: &Caller,
        messages: Vec<(Message, usize)>,
    ) -> Result<Vec<oneshot::Receiver<Outcome>>> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut state = self.state();
        if state.waiting.len().saturating_add(messages.len()) > MAX_QUEUED_MESSAGES {
            return Err(Error::Exhausted(
                "too many messages wait to be stored; try again".into(),
            ));
        }
        for (message, bytes) in messages {
            let (sender, receiver) = oneshot::channel();
            outcomes.push(receiver);
            state.waiting.push_back(Waiting {
                caller: caller.clone(),
                message,
                bytes,
                outcome: sender,
            });
        }
        if !std::mem::replace(&mut state.is_draining, true) {
            let queue = self.clone();
            self.tasks.spawn(async move { queue.drain().await });
        }
        Ok(outcomes)
    }

    fn state(&self) -> MutexGuard<'_, WaitingMessages> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what waits, batch by batch, until nothing does.
    async fn drain(&self) {
        while let Some(batch) = self.next() {
            let queue = self.clone();
            // A task of its own: a panic ends a batch and not the queue.
            let stored = self
                .tasks
                .spawn(async move { queue.store_batch(batch).await });
            _ = stored.await;
        }
    }

    /// The messages of the next commit: of one principal with one access, which the history names.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state();
        let Some(first) = state.waiting.pop_front() else {
            state.is_draining = false;
            return None;
        };
        let mut bytes = first.bytes;
        let mut batch = vec![first];
        while batch.len() < MAX_BATCH_MESSAGES && bytes < BATCH_BYTES {
            let caller = &batch[0].caller;
            let is_next = |next: &Waiting| {
                next.caller.principal == caller.principal && next.caller.access == caller.access
            };
            if !state.waiting.front().is_some_and(is_next) {
                break;
            }
            if let Some(next) = state.waiting.pop_front() {
                bytes = bytes.saturating_add(next.bytes);
                batch.push(next);
            }
        }
        Some(batch)
    }

    async fn store_batch(&self, batch: Vec<Waiting>) {
        let caller = batch[0].caller.clone();
        let mut messages = Vec::with_capacity(batch.len());
        let mut outcomes = Vec::with_capacity(batch.len());
        for waiting in batch {
            messages.push(Message {
                caller: Some(waiting.caller),
                ..waiting.message
            });
            outcomes.push(waiting.outcome);
        }
        let stored = self.engine.write(&caller, Batch::new(messages)).await;
        let mut stored = stored.map(Vec::into_iter).map_err(Arc::new);
        for outcome in outcomes {
            let reply = match &mut stored {
                Ok(replies) => {
                    let missing = || Reply::Refused(Error::internal("a message has no reply"));
                    Ok(replies.next().unwrap_or_else(missing))
                }
                Err(error) => Err(error.clone()),
            };
            // The client may have gone.
            _ = outcome.send(reply);
        }
    }
}
