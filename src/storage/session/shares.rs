//! The shares of a pool: writers, readers and the probe have so many connections each.

use std::time::Duration;

use super::{ServerDriver, Servers, Sessions};
use crate::error::Result;
use crate::storage::ConnectionBudget;
use crate::storage::connect::settings::{Purpose, SessionSettings};

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct PoolLimits {
    pub connections: u32,
    /// How long a caller waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a connection stays open without being used.
    pub idle_timeout: Duration,
    /// How long any connection stays open.
    pub max_lifetime: Duration,
}

/// The shares of a pool. Clones are the same shares.
#[derive(Debug)]
pub(in crate::storage) struct Shares<DB: ServerDriver> {
    pub writer: Sessions<DB>,
    pub reader: Sessions<DB>,
    /// To ask how the database is.
    pub probe: Sessions<DB>,
}

impl<DB: ServerDriver> Shares<DB> {
    /// The shares of a new pool, of which the first connection is open: it shows that the server
    /// can be used.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub(in crate::storage) async fn open(
        servers: Servers<DB>,
        limits: PoolLimits,
        budget: Option<&ConnectionBudget>,
        settings: impl Fn(Purpose) -> SessionSettings,
    ) -> Result<Self> {
        let writers = (limits.connections / 2).max(1);
        let readers = limits.connections.saturating_sub(writers + 1).max(1);
        let probe = Sessions::probe(servers, limits, budget, settings(Purpose::Write));
        let shares = Self {
            writer: probe.share(settings(Purpose::Write), writers),
            reader: probe.share(settings(Purpose::Read), readers),
            probe,
        };
        let first = shares.writer.checkout().await;
        shares
            .writer
            .give_back(first.map_err(|error| shares.writer.refusal(error))?);
        shares.probe.follow();
        Ok(shares)
    }

    /// Counts the connections as the metrics of this moment.
    pub(in crate::storage) fn count(&self, tenant: Option<&str>) {
        self.writer.count("write", tenant);
        self.reader.count("read", tenant);
    }

    /// Closes all connections once they are idle; later transactions fail.
    pub(in crate::storage) async fn close(&self) {
        tokio::join!(self.probe.close(), self.reader.close(), self.writer.close());
    }
}

impl<DB: ServerDriver> Clone for Shares<DB> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            reader: self.reader.clone(),
            probe: self.probe.clone(),
        }
    }
}
