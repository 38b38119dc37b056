//! SQLite: a file or memory.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Connect, STATEMENTS};
use crate::error::Result;
use crate::storage::driver::Pools;
use crate::storage::fault;
use crate::storage::session::Sessions;

/// How long a statement waits for another process that writes the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many rows a statement may be ahead of who reads them. They are made in another thread, and to wake it costs more than rows.
const ROWS: usize = 1024;

/// A SQLite database.
#[derive(Clone, Debug)]
pub struct Sqlite {
    /// The path of the file; `None` for a database that lives in memory, as long as the process.
    pub file: Option<PathBuf>,
    pub mode: Mode,
}

/// What may be done to the file, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    ReadOnly,
    /// The file must be there.
    ReadWrite,
    /// The file is created when it is missing.
    #[default]
    Create,
}

impl fmt::Display for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "sqlite:{}", file.display()),
            None => f.write_str("sqlite::memory:"),
        }
    }
}

impl Sqlite {
    /// The same, to be read only; `None` when there is no such file.
    pub(super) fn existing(&self) -> Option<Self> {
        let file = self.file.clone().filter(|file| file.exists())?;
        Some(Self {
            file: Some(file),
            mode: Mode::ReadOnly,
        })
    }

    pub(super) async fn pools(&self, to: &Connect) -> Result<Pools> {
        let options = match &self.file {
            Some(file) => SqliteConnectOptions::new().filename(file),
            // Each gets a name of its own.
            None => SqliteConnectOptions::from_str("sqlite::memory:").map_err(fault::from)?,
        };
        let options = options
            .read_only(self.mode == Mode::ReadOnly)
            .create_if_missing(self.mode == Mode::Create)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENTS)
            .row_buffer_size(ROWS)
            .synchronous(SqliteSynchronous::Full);
        let one = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(to.wait.max(BUSY_TIMEOUT * 2))
            .idle_timeout(None)
            .max_lifetime(None);
        if self.file.is_none() {
            let only = one.connect_with(options).await.map_err(fault::from)?;
            let only = Sessions::never_closed(only);
            return Ok(Pools::Sqlite {
                writer: only.clone(),
                reader: only,
            });
        }
        let options = match self.mode {
            Mode::ReadOnly => options,
            Mode::ReadWrite | Mode::Create => options.journal_mode(SqliteJournalMode::Wal),
        };
        let writer = one
            .connect_with(options.clone())
            .await
            .map_err(fault::from)?;
        let reader = to
            .limits(to.half())
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Pools::Sqlite {
            writer: Sessions::of(writer),
            reader: Sessions::of(reader),
        })
    }
}
