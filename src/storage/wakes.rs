//! The word that servers on one PostgreSQL database give each other: there is something new.

use sqlx::Postgres;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::fault;
use super::session::Sessions;
use crate::error::Result;

/// The channel, which `Dialect::wake` names too.
const CHANNEL: &str = "pedigree";

/// What is heard from other servers.
#[derive(Debug)]
pub struct Wakes {
    listener: PgListener,
}

impl Wakes {
    /// Waits for the next word. A word that came while the connection was lost is not heard, but its end is.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the database is away.
    pub async fn next(&mut self) -> Result<()> {
        self.listener
            .try_recv()
            .await
            .map(|_| ())
            .map_err(fault::from)
    }
}

impl Sessions<Postgres> {
    /// Listens on a connection beside the pool's.
    pub(super) async fn listen(&self) -> Result<Wakes> {
        let options = self.options();
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await.map_err(fault::from)?;
        listener.listen(CHANNEL).await.map_err(fault::from)?;
        Ok(Wakes { listener })
    }
}
