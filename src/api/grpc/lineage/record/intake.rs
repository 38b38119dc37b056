//! Reads requests ahead of the commit, into a queue that is bounded by bytes, and takes batches
//! from it.
//!
//! Without the queue, the requests that arrive during a commit would wait as HTTP/2 frames. A
//! connection that has too many small ones of them is closed.

use std::sync::Arc;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

use super::Batches;
use crate::proto::pedigree::lineage::v1::RecordRequest;

/// Target size of a batch, in bytes.
const BATCH_BYTES: usize = 1 << 20;

/// Capacity of the queue of a stream, in bytes: room for the next batch. A request that is larger
/// takes all of it.
const QUEUE_BYTES: usize = 2 << 20;

/// About how many bytes a decoded request takes beside its texts.
const REQUEST_OVERHEAD_BYTES: usize = 512;

/// The requests of a stream that were read and not taken yet.
pub(super) struct Intake {
    queue: UnboundedReceiver<Result<QueuedRequest, Status>>,
    /// The error that ended the stream, when a batch was taken before it.
    failure: Option<Status>,
}

struct QueuedRequest {
    request: RecordRequest,
    bytes: usize,
    /// Its part of the capacity of the queue.
    _room: OwnedSemaphorePermit,
}

impl Intake {
    /// Starts the task that reads the requests. It ends with the stream, or with the intake.
    pub(super) fn start(tasks: &TaskTracker, requests: Streaming<RecordRequest>) -> Self {
        let (sender, queue) = mpsc::unbounded_channel();
        tasks.spawn(read_ahead(requests, sender));
        Self {
            queue,
            failure: None,
        }
    }

    /// The next requests, those of one commit; none at the end of the stream. Cancel safe as far
    /// as a client needs it: what it loses has no response, and is sent again.
    ///
    /// # Errors
    ///
    /// The status that ended the stream, after all requests before it.
    pub(super) async fn batch(&mut self, batches: Batches) -> Result<Vec<RecordRequest>, Status> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let Some(first) = self.queue.recv().await.transpose()? else {
            return Ok(Vec::new());
        };
        let mut bytes = first.bytes;
        let mut batch = vec![first.request];
        let end = Instant::now() + batches.age;
        while batch.len() < batches.most && bytes < BATCH_BYTES {
            match timeout_at(end, self.queue.recv()).await {
                Ok(Some(Ok(next))) => {
                    bytes += next.bytes;
                    batch.push(next.request);
                }
                Ok(Some(Err(failure))) => {
                    self.failure = Some(failure);
                    break;
                }
                Ok(None) | Err(_) => break,
            }
        }
        Ok(batch)
    }
}

async fn read_ahead(
    mut requests: Streaming<RecordRequest>,
    queue: UnboundedSender<Result<QueuedRequest, Status>>,
) {
    let room = Arc::new(Semaphore::new(QUEUE_BYTES));
    loop {
        let next = tokio::select! {
            next = requests.message() => next,
            () = queue.closed() => return,
        };
        let request = match next {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(status) => {
                // The receiver is gone when nothing more is recorded.
                _ = queue.send(Err(status));
                return;
            }
        };
        let bytes = prost::Message::encoded_len(&request);
        let room = tokio::select! {
            room = Arc::clone(&room).acquire_many_owned(share(bytes)) => room,
            () = queue.closed() => return,
        };
        let Ok(room) = room else { return };
        let queued = QueuedRequest {
            request,
            bytes,
            _room: room,
        };
        if queue.send(Ok(queued)).is_err() {
            return;
        }
    }
}

/// The part of the queue's capacity that a request of this encoded size takes.
fn share(bytes: usize) -> u32 {
    let share = (bytes + REQUEST_OVERHEAD_BYTES).min(QUEUE_BYTES);
    u32::try_from(share).unwrap_or(u32::MAX)
}
