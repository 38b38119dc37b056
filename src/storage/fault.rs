//! What a database's refusal means to us.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::mysql::MySqlDatabaseError;

use crate::error::Error;

/// Whether a server refused a connection because it has no such database.
pub(super) fn is_missing_database(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error();
    refusal.is_some_and(|refusal| matches!(code_of(refusal).as_str(), "3D000" | "1049"))
}

/// SQLSTATE, or MySQL's number: its `code()` is the SQLSTATE only, too coarse here.
fn code_of(refusal: &dyn DatabaseError) -> String {
    match refusal.try_downcast_ref::<MySqlDatabaseError>() {
        Some(mysql) => mysql.number().to_string(),
        None => refusal.code().unwrap_or_default().into_owned(),
    }
}

/// MySQL's number for a row whose unique key another one has.
pub(super) const DUPLICATE_ENTRY: i64 = 1062;

/// A unique key forbids a row.
pub(super) fn duplicate() -> Error {
    Error::AlreadyExists("a row with the same unique key exists".into())
}

/// Whether a connection is gone, and the statement with it.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(refusal) => {
            matches!(
                code_of(&**refusal).as_str(),
                "57P01" | "57P02" | "1053" | "1927" | "2006" | "2013"
            )
        }
        _ => false,
    }
}

/// Why a pool had no connection in time: all are in use, or no further one can be made.
pub(super) fn no_connection<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> Error {
    if pool.size() >= pool.options().get_max_connections() {
        from(sqlx::Error::PoolTimedOut)
    } else {
        Error::Unavailable("no connection to the database could be made in time".into())
    }
}

/// Sorts a driver's error by what a caller can do about it.
pub(super) fn from(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(refusal) => from_refusal(refusal),
        sqlx::Error::PoolTimedOut => {
            Error::Exhausted("no database connection became free in time".into())
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::Unavailable(error.into()),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            Error::DataLoss(format!("a stored value cannot be read: {error}"))
        }
        other => Error::Internal {
            context: "the database driver failed".into(),
            source: Some(other.into()),
        },
    }
}

fn from_refusal(refusal: Box<dyn DatabaseError>) -> Error {
    if refusal.kind() == ErrorKind::UniqueViolation {
        return duplicate();
    }
    match code_of(&*refusal).as_str() {
        // PostgreSQL: serialization failure, deadlock, lock not available. MySQL: lock wait timeout, deadlock.
        // SQLite: busy in its variants.
        "40001" | "40P01" | "55P03" | "1205" | "1213" | "5" | "261" | "517" | "773" => {
            Error::Contention("other writes on the same data went first; try again".into())
        }
        // PostgreSQL: disk full, out of memory, too many connections. MySQL: disk full, table full, too many connections.
        // SQLite: full.
        "53100" | "53200" | "53300" | "1021" | "1114" | "1040" | "1203" | "13" => {
            Error::Exhausted("the database has no room for this now".into())
        }
        // PostgreSQL: shutting down, crashed, starting up, connection failures. MySQL: shutdown, gone away, lost.
        // SQLite: I/O errors in their variants, cannot open.
        "57P01" | "57P02" | "57P03" | "08000" | "08003" | "08006" | "1053" | "1927" | "2006"
        | "2013" | "10" | "14" => Error::Unavailable(refusal.into()),
        // PostgreSQL, MySQL in its two ways, and SQLite in its variants: writing where only reading is allowed.
        "25006" | "1290" | "1792" | "1836" | "8" | "264" | "520" | "776" => {
            Error::FailedPrecondition("the database is open for reading only".into())
        }
        // PostgreSQL: number out of range, index row too long. MySQL: number out of range.
        "22003" | "54000" | "1264" => Error::InvalidArgument(format!(
            "a column of this database cannot hold a value: {}; `pedigree migrate --widen` may help",
            refusal.message()
        )),
        // Text too long, for PostgreSQL and MySQL.
        "22001" | "1406" => Error::InvalidArgument(format!(
            "a column of this database cannot hold a text: {}",
            refusal.message()
        )),
        // PostgreSQL: escape at the end of a LIKE pattern. MySQL: number out of range. SQLite: too big.
        "22025" | "1690" | "18" => Error::InvalidArgument(format!(
            "the database cannot compute with a value: {}",
            refusal.message()
        )),
        _ => Error::Internal {
            context: "the database refused a statement".into(),
            source: Some(refusal.into()),
        },
    }
}
