//! Probes of a database server at the start: locks, generated ids, notifications, sequences.
//! Nothing is committed.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::database::Pools;
use super::migrate::sequences;
use super::tables::locks;
use super::{Database, Tx};
use crate::error::{Error, Result};

/// How long a second transaction must wait to be called locked out, where a database does not say
/// at once that it is.
const LOCKED_OUT_TIME: Duration = Duration::from_millis(50);

/// Time limit for all questions.
const PROBE_TIME: Duration = Duration::from_secs(20);

/// What a question found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was tried, in a word or two.
    pub what: &'static str,
    pub answer: Answer,
}

/// The answer of a database.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It does what it must.
    Good(&'static str),
    /// It does not, and what that means.
    Bad(String),
    /// It could not be tried.
    Unknown(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, answer } = self;
        match answer {
            Answer::Good(text) => write!(f, "{what}: {text}"),
            Answer::Bad(text) => write!(f, "{what}: NOT OK: {text}"),
            Answer::Unknown(text) => write!(f, "{what}: not tried: {text}"),
        }
    }
}

impl Finding {
    fn of(what: &'static str, answer: Result<Answer>) -> Self {
        let answer = answer.unwrap_or_else(|error| Answer::Unknown(error.chain()));
        Self { what, answer }
    }
}

impl Database {
    /// Tries what this server relies on. SQLite, which runs in this process, is not probed.
    pub async fn probe(&self) -> Vec<Finding> {
        if !self.dialect().has_row_locks() {
            return Vec::new();
        }
        let probing = async {
            let mut findings = Vec::new();
            if self.has_two_writers() {
                findings.push(Finding::of("locks", self.locks_exclude().await));
                findings.push(Finding::of("ids", self.ids_ascend().await));
            }
            if self.dialect().notify_query().is_some() {
                findings.push(Finding::of("notifications", self.notifies().await));
            }
            if self.dialect().has_sequences() {
                findings.push(Finding::of("sequences", self.sequences_are_ahead().await));
            }
            findings
        };
        timeout(PROBE_TIME, probing).await.unwrap_or_else(|_| {
            let text = "the database took too long to answer".to_owned();
            vec![Finding {
                what: "probe",
                answer: Answer::Unknown(text),
            }]
        })
    }

    fn has_two_writers(&self) -> bool {
        match &*self.pools {
            Pools::Sqlite { .. } => false,
            Pools::Postgres(shares) => shares.writer.permits().limit() > 1,
            Pools::MySql(shares) => shares.writer.permits().limit() > 1,
        }
    }

    async fn locks_exclude(&self) -> Result<Answer> {
        let (mut first, mut second) = (self.write().await?, self.write().await?);
        locks::structure(&mut first).await?;
        match timeout(LOCKED_OUT_TIME, locks::structure_at_once(&mut second)).await {
            Err(_) | Ok(Err(Error::Contention(_))) => Ok(Answer::Good(
                "exclude the transactions of another connection",
            )),
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) => Ok(Answer::Bad(
                "two transactions hold one lock at a time: types and parents of contexts may be \
                 stored twice; use one server"
                    .into(),
            )),
        }
    }

    async fn ids_ascend(&self) -> Result<Answer> {
        let (mut first, mut second) = (self.write().await?, self.write().await?);
        let ids = [
            draw_id(&mut first).await?,
            draw_id(&mut second).await?,
            draw_id(&mut first).await?,
        ];
        Ok(if ids.is_sorted_by(|one, next| one < next) {
            Answer::Good("ascend across connections")
        } else {
            let text = "connections draw them from ranges of their own: changes may be in another \
                        order in the history than they were committed";
            Answer::Bad(text.into())
        })
    }

    async fn notifies(&self) -> Result<Answer> {
        Ok(match self.notify().await {
            Ok(()) => Answer::Good("NOTIFY works"),
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => Answer::Bad(["NOTIFY fails: ", &error.chain()].concat()),
        })
    }

    async fn sequences_are_ahead(&self) -> Result<Answer> {
        let behind = sequences::behind(self).await?;
        if behind.is_empty() {
            return Ok(Answer::Good("are ahead of their tables"));
        }
        let tables = behind.join(", ");
        Ok(Answer::Bad(format!(
            "are behind their tables ({tables}), as after logical replication: new rows are \
             refused as if they existed; run `pedigree migrate`"
        )))
    }
}

/// Draws an id of the outbox, in a row that is never committed.
async fn draw_id(tx: &mut Tx) -> Result<i64> {
    let insert = tx.sql(
        "probe::draw_id",
        "INSERT INTO PedigreeOutbox (time_since_epoch, changes) VALUES (0, '')",
    );
    let ids = tx.insert_returning_ids(insert, 1).await?;
    let id = ids.first().copied();
    id.ok_or_else(|| Error::internal("an INSERT returned no id"))
}
