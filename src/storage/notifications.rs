//! LISTEN and NOTIFY: servers that share a PostgreSQL database notify each other of new changes.

use sqlx::Postgres;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::connect::settings::set_up_postgres;
use super::db_error;
use super::permits::Permit;
use super::session::{Place, Sessions};
use crate::error::{Error, Result};

/// The channel of LISTEN. [`Dialect::notify_query`](super::Dialect::notify_query) names it too.
const CHANNEL: &str = "pedigree";

/// A connection that receives the notifications of other servers.
#[derive(Debug)]
pub struct NotificationListener {
    listener: PgListener,
    sessions: Sessions<Postgres>,
    /// How often the database had moved to another server.
    moves: u64,
    _place: Place<Postgres>,
    _permit: Permit,
}

impl NotificationListener {
    /// Waits for the next notification, or for the loss of the connection: a notification that was
    /// sent while the connection was lost is not received later.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the database cannot be reached.
    pub async fn next(&mut self) -> Result<()> {
        tokio::select! {
            received = self.listener.try_recv() => {
                received.map(|_| ()).map_err(db_error::classify)
            }
            () = self.sessions.moved_since(self.moves) => {
                Err(Error::Unavailable("the database has moved to another server".into()))
            }
        }
    }
}

impl Sessions<Postgres> {
    /// Opens a connection for LISTEN, which is one of those of the share; `None` where the share
    /// has no other one.
    pub(super) async fn listen(&self) -> Result<Option<NotificationListener>> {
        if self.permits().limit() < 2 || self.is_shared() {
            return Ok(None);
        }
        let permit = self.permit(None).await?;
        let Some(place) = self.place().await else {
            return Ok(None);
        };
        let settings = self.settings().clone();
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { set_up_postgres(connection, &settings).await.map(|_| ()) })
        });
        let options = self.servers().options().await;
        let (options, moves) = options.map_err(db_error::classify)?;
        let pool = pool.connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool)
            .await
            .map_err(db_error::classify)?;
        listener.listen(CHANNEL).await.map_err(db_error::classify)?;
        Ok(Some(NotificationListener {
            listener,
            sessions: self.clone(),
            moves,
            _place: place,
            _permit: permit,
        }))
    }
}
