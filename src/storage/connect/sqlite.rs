//! SQLite: a file or memory.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::OpenFlags;

use super::{Connect, STATEMENT_CACHE_CAPACITY};
use crate::error::Result;
use crate::storage::database::Pools;
use crate::storage::sqlite::{DatabaseFiles, Opening, SqliteSessions, create_private};

/// How long a statement waits for another process that writes the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads continue during writes.
const JOURNAL_PRAGMA: &str = "PRAGMA journal_mode = WAL";

/// A commit is on the disk.
const SYNCHRONOUS_PRAGMA: &str = "PRAGMA synchronous = FULL";

/// Part of a transaction that may be taken back costs no file.
const TEMP_STORE_PRAGMA: &str = "PRAGMA temp_store = MEMORY";

/// How long the log may grow, in pages of usually 4096 bytes, before its pages go into the file:
/// those that many commits write go once.
const CHECKPOINT_PRAGMA: &str = "PRAGMA wal_autocheckpoint = 4000";

/// Pages that the writer keeps in memory, in KiB.
const CACHE_PRAGMA: &str = "PRAGMA cache_size = -16000";

/// Pages that a reader keeps in memory, in KiB. A search of runs that are apart in the file reads
/// about a thousand, which is more than SQLite keeps by itself.
const READ_CACHE_PRAGMA: &str = "PRAGMA cache_size = -8000";

const QUERY_ONLY_PRAGMA: &str = "PRAGMA query_only = ON";

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
        let access = match self.mode {
            Mode::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Mode::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Mode::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let opening = |pragmas, timeout| Opening {
            file: self.file.clone(),
            // A connection is used by one thread at a time.
            flags: access | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            pragmas,
            busy: BUSY_TIMEOUT,
            timeout,
            statements: STATEMENT_CACHE_CAPACITY,
        };
        let acquire_timeout = to.wait.max(BUSY_TIMEOUT * 2);
        let pragmas: &[_] = match (&self.file, self.mode) {
            (None, _) | (_, Mode::ReadOnly) => &[SYNCHRONOUS_PRAGMA],
            (Some(_), _) => &[
                JOURNAL_PRAGMA,
                SYNCHRONOUS_PRAGMA,
                TEMP_STORE_PRAGMA,
                CHECKPOINT_PRAGMA,
                CACHE_PRAGMA,
            ],
        };
        if let (Some(file), Mode::Create) = (&self.file, self.mode) {
            create_private(file);
        }
        let timeout = to.statement_timeout;
        let Some(file) = &self.file else {
            // It lives in its only connection.
            let writer = SqliteSessions::one(opening(pragmas, timeout), acquire_timeout).await?;
            let reader = writer.clone();
            let probe = None;
            return Ok(Pools::Sqlite {
                writer,
                reader,
                probe,
            });
        };
        let writer = SqliteSessions::one(opening(pragmas, Duration::ZERO), acquire_timeout).await?;
        let reader = opening(&[QUERY_ONLY_PRAGMA, READ_CACHE_PRAGMA], timeout);
        let reader = SqliteSessions::lazy(reader, to.readers(), to.wait);
        let probe = opening(&[SYNCHRONOUS_PRAGMA], timeout);
        let probe = SqliteSessions::one(probe, to.wait).await?;
        // The log is there once a connection has read.
        drop(probe.begin("BEGIN IMMEDIATE", None).await);
        let files = Arc::new(DatabaseFiles::of(file, self.mode != Mode::ReadOnly)?);
        for sessions in [&writer, &reader, &probe] {
            sessions.watch_files(&files);
        }
        let probe = Some(probe);
        Ok(Pools::Sqlite {
            writer,
            reader,
            probe,
        })
    }
}
