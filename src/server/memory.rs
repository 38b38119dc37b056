//! The memory budget of requests in flight, of the whole server and of each connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Requests up to this size may use the whole budget; larger ones leave a quarter of it, so that
/// they do not keep out the small ones.
const SMALL_REQUEST_BYTES: usize = 1 << 20;

/// Share of a connection in the budget.
const CONNECTION_SHARE_DIVISOR: usize = 2;

/// The budget. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::server) struct RequestMemory {
    max_bytes: usize,
    used: Arc<AtomicUsize>,
}

/// What the requests of a connection have reserved, in bytes. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct ConnectionMemory(Arc<AtomicUsize>);

/// Reserved memory. It is free again when this is dropped.
#[derive(Debug)]
pub(in crate::server) struct ReservedMemory {
    bytes: usize,
    budget: RequestMemory,
    connection: ConnectionMemory,
}

impl RequestMemory {
    pub(in crate::server) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            used: Arc::default(),
        }
    }

    /// A reservation of nothing, for a request of this connection.
    pub(in crate::server) fn reservation(&self, connection: ConnectionMemory) -> ReservedMemory {
        ReservedMemory {
            bytes: 0,
            budget: self.clone(),
            connection,
        }
    }
}

impl ReservedMemory {
    /// Reserves more.
    ///
    /// # Errors
    ///
    /// `TooLarge` when the request exceeds the share of a connection, `Exhausted` when the memory
    /// is in use by others.
    pub(in crate::server) fn grow(&mut self, bytes: usize) -> Result<()> {
        let total = self.bytes.saturating_add(bytes);
        let max_of_connection = self.budget.max_bytes / CONNECTION_SHARE_DIVISOR;
        if total > max_of_connection {
            return Err(Error::TooLarge(format!(
                "the request takes {} MiB of memory, and a connection has {} MiB: send it in parts \
                 (see --request-memory)",
                total.div_ceil(1 << 20),
                max_of_connection >> 20,
            )));
        }
        let max = if total > SMALL_REQUEST_BYTES {
            self.budget.max_bytes - self.budget.max_bytes / 4
        } else {
            self.budget.max_bytes
        };
        add(&self.connection.0, bytes, max_of_connection)
            .map_err(|()| busy("this connection has no memory for another request now"))?;
        if let Err(()) = add(&self.budget.used, bytes, max) {
            self.connection.0.fetch_sub(bytes, Ordering::Relaxed);
            return Err(busy("the server has no memory for this request now"));
        }
        self.bytes = total;
        Ok(())
    }

    /// Frees everything but this.
    pub(in crate::server) fn shrink_to(&mut self, bytes: usize) {
        let freed = self.bytes.saturating_sub(bytes);
        self.bytes -= freed;
        self.connection.0.fetch_sub(freed, Ordering::Relaxed);
        self.budget.used.fetch_sub(freed, Ordering::Relaxed);
    }
}

impl Drop for ReservedMemory {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// Adds to a counter unless it would exceed the maximum.
fn add(counter: &AtomicUsize, bytes: usize, max: usize) -> Result<(), ()> {
    let sum = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= max);
    let added = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    added.map(drop).map_err(drop)
}

fn busy(text: &str) -> Error {
    Error::Exhausted(format!("{text}; try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE_BYTES: usize = 1 << 20;

    #[test]
    fn large_requests_leave_a_quarter_and_connections_have_a_half() {
        let memory = RequestMemory::new(16 * MEBIBYTE_BYTES);
        let first = ConnectionMemory::default();
        let mut held = memory.reservation(first.clone());
        let refused = held.grow(9 * MEBIBYTE_BYTES).unwrap_err();
        assert!(matches!(refused, Error::TooLarge(_)), "{refused:?}");
        held.grow(8 * MEBIBYTE_BYTES).unwrap();
        let refused = memory.reservation(first).grow(1).unwrap_err();
        assert!(matches!(refused, Error::Exhausted(_)), "{refused:?}");

        let second = ConnectionMemory::default();
        let mut large = memory.reservation(second.clone());
        large.grow(4 * MEBIBYTE_BYTES).unwrap();
        let refused = large.grow(MEBIBYTE_BYTES).unwrap_err();
        assert!(matches!(refused, Error::Exhausted(_)), "{refused:?}");
        let mut small = memory.reservation(second.clone());
        small.grow(MEBIBYTE_BYTES).unwrap();
        large.shrink_to(MEBIBYTE_BYTES);
        large.grow(3 * MEBIBYTE_BYTES).unwrap_err();
        drop((held, small));
        large.grow(3 * MEBIBYTE_BYTES).unwrap();
        drop(large);
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
        assert_eq!(second.0.load(Ordering::Relaxed), 0);
    }
}
