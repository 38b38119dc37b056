//! The memory of changes on their way to the clients of watches.
//!
//! Each client has a copy of its own. Many clients that do not read would have as many copies of a
//! change, and a change can be large.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pages up to this size, in bytes, are sent at once.
const SMALL_PAGE_BYTES: usize = 64 << 10;

/// The most memory of larger pages on their way, in KiB. A page that is larger goes alone.
const MAX_SENT_KIBIBYTES: u32 = 32 << 10;

/// The memory for large changes on their way. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::graph) struct WatchMemory(Arc<Semaphore>);

impl Default for WatchMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_SENT_KIBIBYTES as usize)))
    }
}

/// The memory of changes until they were sent. It is free again when this is dropped.
#[derive(Debug, Default)]
pub struct SentMemory {
    _permit: Option<OwnedSemaphorePermit>,
}

impl WatchMemory {
    /// Waits until there is memory for a page of this size, in bytes.
    pub(super) async fn reserve(&self, bytes: usize) -> SentMemory {
        if bytes <= SMALL_PAGE_BYTES {
            return SentMemory::default();
        }
        let kibibytes = u32::try_from(bytes >> 10).map_or(MAX_SENT_KIBIBYTES, |kibibytes| {
            kibibytes.min(MAX_SENT_KIBIBYTES)
        });
        // The semaphore is never closed.
        let permit = self.0.clone().acquire_many_owned(kibibytes).await.ok();
        SentMemory { _permit: permit }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn large_pages_wait_for_each_other_and_small_ones_for_none() {
        let memory = WatchMemory::default();
        let half = MAX_SENT_KIBIBYTES as usize * 1024 / 2;
        let first = memory.reserve(half).await;
        let second = memory.reserve(half).await;
        let third = memory.reserve(usize::MAX);
        tokio::pin!(third);
        assert!(timeout(Duration::ZERO, &mut third).await.is_err());
        drop(memory.reserve(SMALL_PAGE_BYTES).await);
        drop(first);
        assert!(timeout(Duration::ZERO, &mut third).await.is_err());
        drop(second);
        drop(third.await);
        assert_eq!(memory.0.available_permits(), MAX_SENT_KIBIBYTES as usize);
    }
}
