//! A target of what the graph sends: one server at a time sends to it, and stores how far it is.
//!
//! The sender counts beats. A server that sees the same beat for [`SENDER_TIMEOUT`] by its own
//! clock takes the place of the sender, so that the clocks of servers may differ. What the sender
//! stores is stored only while it is the sender. It may send a little more after that: a target can
//! get events twice, and loses none.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};
use crate::storage::Database;
use crate::storage::tables::targets::{self, TargetProgress};

/// How long a sender may give no sign of life.
const SENDER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause between two beats, and between two looks at those of another server.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The progress of a target, from the view of one server.
#[derive(Clone, Debug)]
pub struct TargetSlot {
    database: Database,
    /// Of the target.
    name: String,
    /// The id of the server.
    sender: String,
}

impl TargetSlot {
    pub(in crate::graph) fn new(database: Database, name: &str, sender: &str) -> Self {
        Self {
            database,
            name: name.to_owned(),
            sender: sender.to_owned(),
        }
    }

    /// Waits until this server is the sender, and returns the cursor after what the target has got;
    /// `None` before that.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn acquire(&self) -> Result<Option<String>> {
        let mut seen: Option<(TargetProgress, Instant)> = None;
        loop {
            match self.look(seen.as_ref()).await {
                Ok(Look::Acquired(cursor)) => {
                    return Ok(Some(cursor).filter(|cursor| !cursor.is_empty()));
                }
                Ok(Look::Other(found)) => {
                    let is_same = seen.as_ref().is_some_and(|(known, _)| {
                        (known.beats, &known.sender) == (found.beats, &found.sender)
                    });
                    if !is_same {
                        seen = Some((found, Instant::now()));
                    }
                }
                // Another server was faster.
                Err(Error::AlreadyExists(_) | Error::Contention(_)) => {}
                Err(error) => return Err(error),
            }
            sleep(BEAT_INTERVAL).await;
        }
    }

    /// Looks at the sender, and takes its place if it is not there any more.
    async fn look(&self, seen: Option<&(TargetProgress, Instant)>) -> Result<Look> {
        let mut tx = self.database.single_read().await?;
        let found = targets::find(&mut tx, &self.name).await?;
        drop(tx);
        let Some(found) = found else {
            let mut tx = self.database.write().await?;
            targets::insert(&mut tx, &self.name, &self.sender).await?;
            tx.commit().await?;
            return Ok(Look::Acquired(String::new()));
        };
        let is_gone =
            seen.is_some_and(|(known, since)| *known == found && since.elapsed() >= SENDER_TIMEOUT);
        let is_free = found.sender.is_empty() || found.sender == self.sender || is_gone;
        if is_free {
            let mut tx = self.database.write().await?;
            let is_claimed = targets::claim(&mut tx, &self.name, &found, &self.sender).await?;
            tx.commit().await?;
            if is_claimed {
                return Ok(Look::Acquired(found.cursor));
            }
        }
        Ok(Look::Other(found))
    }

    /// Gives signs of life until this server is not the sender any more.
    ///
    /// # Errors
    ///
    /// Those of the database, when none was given for too long.
    pub async fn hold(&self) -> Result<()> {
        let mut last_beat = Instant::now();
        loop {
            sleep(BEAT_INTERVAL).await;
            match self.beat().await {
                Ok(true) => last_beat = Instant::now(),
                Ok(false) => return Ok(()),
                Err(_) if last_beat.elapsed() < SENDER_TIMEOUT => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn beat(&self) -> Result<bool> {
        let mut tx = self.database.write().await?;
        let is_sender = targets::beat(&mut tx, &self.name, &self.sender).await?;
        tx.commit().await?;
        Ok(is_sender)
    }

    /// Stores the cursor after what the target has got. Returns whether this server is the sender
    /// still: nothing is stored otherwise.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn save(&self, cursor: &str) -> Result<bool> {
        let mut tx = self.database.write().await?;
        let is_sender = targets::save(&mut tx, &self.name, &self.sender, cursor).await?;
        tx.commit().await?;
        Ok(is_sender)
    }

    /// Lets another server be the sender at once.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn release(&self) -> Result<()> {
        let mut tx = self.database.write().await?;
        targets::release(&mut tx, &self.name, &self.sender).await?;
        tx.commit().await
    }
}

/// What a look at a target found.
enum Look {
    /// This server is the sender. With the cursor of the target.
    Acquired(String),
    /// Another one is.
    Other(TargetProgress),
}
