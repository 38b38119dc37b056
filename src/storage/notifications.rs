//! LISTEN and NOTIFY: servers that share a PostgreSQL database notify each other of new changes.

use sqlx::Postgres;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::db_error;
use super::session::Sessions;
use crate::error::Result;

/// The channel of LISTEN. [`Dialect::notify_query`](super::Dialect::notify_query) names it too.
const CHANNEL: &str = "pedigree";

/// A connection that receives the notifications of other servers.
#[derive(Debug)]
pub struct NotificationListener {
    listener: PgListener,
}

impl NotificationListener {
    /// Waits for the next notification, or for the loss of the connection: a notification that was
    /// sent while the connection was lost is not received later.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the database cannot be reached.
    pub async fn next(&mut self) -> Result<()> {
        let received = self.listener.try_recv().await;
        received.map(|_| ()).map_err(db_error::classify)
    }
}

impl Sessions<Postgres> {
    /// Opens a connection for LISTEN, beside those of the pool.
    pub(super) async fn listen(&self) -> Result<NotificationListener> {
        let options = self.options();
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool)
            .await
            .map_err(db_error::classify)?;
        listener.listen(CHANNEL).await.map_err(db_error::classify)?;
        Ok(NotificationListener { listener })
    }
}
