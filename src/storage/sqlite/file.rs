//! The files of a SQLite database, and whether they are still those that were opened.
//!
//! When a file is moved, removed or replaced, SQLite goes on with the file that it has open. What
//! it stores there is lost when the server ends.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// What the names of the log and of its index have at the end.
const LOG: &str = "-wal";
const LOG_INDEX: &str = "-shm";

/// Permissions of a new database.
const PRIVATE_MODE: u32 = 0o600;

/// The files of a database.
#[derive(Debug)]
pub(in crate::storage) struct DatabaseFiles {
    files: [(PathBuf, OnceLock<FileId>); 3],
    is_written: bool,
}

/// Device and number of a file.
type FileId = (u64, u64);

fn id(file: &Metadata) -> FileId {
    (file.dev(), file.ino())
}

impl DatabaseFiles {
    /// The files of a database that has just been opened, to be written or only read.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub(in crate::storage) fn of(database: &Path, is_written: bool) -> Result<Self> {
        let named = |end| {
            let mut name = database.as_os_str().to_owned();
            name.push(end);
            (PathBuf::from(name), OnceLock::new())
        };
        let files = Self {
            files: ["", LOG, LOG_INDEX].map(named),
            is_written,
        };
        files.check()?;
        Ok(files)
    }

    /// Whether the files are those that were opened, and can be written.
    ///
    /// # Errors
    ///
    /// `DatabaseRefused` when they are not.
    pub(super) fn check(&self) -> Result<()> {
        // The log of a database that is only read may come and go.
        let files = if self.is_written {
            &self.files[..]
        } else {
            &self.files[..1]
        };
        for (path, opened) in files {
            let refused = |reason| Error::DatabaseRefused {
                reason,
                source: path.display().to_string().into(),
            };
            match fs::metadata(path) {
                Ok(file) if *opened.get_or_init(|| id(&file)) != id(&file) => {
                    return Err(refused("a file of the database was replaced"));
                }
                Ok(file) if self.is_written && file.permissions().readonly() => {
                    return Err(refused("a file of the database is read-only"));
                }
                // The log is made when it is needed.
                Err(error) if error.kind() == io::ErrorKind::NotFound && opened.get().is_none() => {
                }
                Err(_) => {
                    return Err(refused("a file of the database was moved or removed"));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

/// Creates a missing file which only its owner may read and write, as SQLite then makes the log.
pub(in crate::storage) fn create_private(database: &Path) {
    // Of what stands in the way, SQLite says more.
    let _ = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_MODE)
        .open(database);
}
