//! Database errors, classified by what a caller can do about them.

use std::ffi::c_int;
use std::time::Duration;

use metrics::counter;
use rusqlite::{ErrorCode, ffi};
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, Source};

/// MySQL's error number for a row whose unique key exists.
pub(super) const DUPLICATE_ENTRY: i64 = 1062;

/// MySQL's error number for a NULL in a column that forbids it. Only an update of a row whose key
/// looks like the given one writes it ([`super::Dialect`], `push_upsert`).
const NULL_KEY: u16 = 1048;

/// An error that a database server answered with, by its driver.
enum ServerError<'e> {
    Postgres(&'e PgDatabaseError),
    MySql(&'e MySqlDatabaseError),
}

impl<'e> ServerError<'e> {
    fn of(error: &'e dyn DatabaseError) -> Option<Self> {
        if let Some(error) = error.try_downcast_ref() {
            return Some(Self::Postgres(error));
        }
        error.try_downcast_ref().map(Self::MySql)
    }
}

/// Whether a server refused a connection because the database does not exist.
pub(super) fn is_missing_database(error: &sqlx::Error) -> bool {
    match error.as_database_error().and_then(ServerError::of) {
        Some(ServerError::Postgres(error)) => error.code() == "3D000",
        Some(ServerError::MySql(error)) => error.number() == 1049,
        None => false,
    }
}

/// Whether a server refused a connection because it grants no more of them now.
pub(super) fn is_refused_connection(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| ErrorClass::of(error) == ErrorClass::TooManyConnections)
}

/// The error of a row that violates a unique key.
pub(super) fn duplicate() -> Error {
    Error::AlreadyExists("a row with the same unique key exists".into())
}

/// What went wrong, whichever the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorClass {
    /// A conflict with other transactions, or a lock that they hold.
    Contention,
    /// Disk, memory or another resource of the server is exhausted.
    Full,
    TooManyConnections,
    /// The connection is closed or unusable; another one may work.
    ConnectionLost,
    /// Prepared statements of the connection refer to tables that have changed since; another
    /// connection prepares them anew.
    StaleStatement,
    /// The statement was interrupted or failed for a reason that may pass.
    Interrupted,
    Corrupt,
    /// The database, or the way it was opened, permits reading only.
    ReadOnly,
    /// The user, the password or the host is refused, or the right to use the database.
    LoginRefused,
    /// The user may log in, but not run this statement.
    NoRight,
    /// A database, table or column is missing.
    NoTable,
    /// The encoding of the database lacks a character.
    NoCharacter,
    /// A column is too narrow for a number, or its index for a text.
    ValueTooWide,
    TextTooLong,
    NotComputable,
    /// A failure that no request should be able to cause.
    Unexpected,
}

impl ErrorClass {
    fn of(error: &dyn DatabaseError) -> Self {
        match ServerError::of(error) {
            // Its SQLSTATE has other meanings too.
            Some(ServerError::Postgres(error))
                if error.routine() == Some("RevalidateCachedQuery") =>
            {
                Self::StaleStatement
            }
            Some(ServerError::Postgres(error)) => Self::of_sqlstate(error.code()),
            Some(ServerError::MySql(error)) => Self::of_mysql(error.number()),
            None => Self::Unexpected,
        }
    }

    /// By PostgreSQL's SQLSTATE.
    fn of_sqlstate(code: &str) -> Self {
        match code {
            // Serialization failure, deadlock, lock not available.
            "40001" | "40P01" | "55P03" => Self::Contention,
            "53300" => Self::TooManyConnections,
            // Shutdown by an administrator, shutdown after a crash, starting up, database dropped,
            // idle session timeout, idle in transaction timeout.
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" => Self::ConnectionLost,
            // Statement completion unknown.
            "40003" => Self::Interrupted,
            "25006" => Self::ReadOnly,
            "28000" | "28P01" => Self::LoginRefused,
            "42501" => Self::NoRight,
            // Database, schema, table, column.
            "3D000" | "3F000" | "42P01" | "42703" => Self::NoTable,
            // Not in the encoding of the database, not in that of the client.
            "22P05" | "22021" => Self::NoCharacter,
            // Data, index.
            "XX001" | "XX002" => Self::Corrupt,
            // Number out of range, index row too long.
            "22003" | "54000" => Self::ValueTooWide,
            "22001" => Self::TextTooLong,
            // Escape at the end of a LIKE pattern, statement too complex.
            "22025" | "54001" => Self::NotComputable,
            _ => Self::of_sqlstate_class(code),
        }
    }

    /// The classes of SQLSTATE whose members are all alike.
    fn of_sqlstate_class(code: &str) -> Self {
        match code.get(..2) {
            // Connection exception.
            Some("08") => Self::ConnectionLost,
            // Insufficient resources.
            Some("53") => Self::Full,
            // Operator intervention, system error.
            Some("57" | "58") => Self::Interrupted,
            _ => Self::Unexpected,
        }
    }

    /// By the error number of MySQL or MariaDB: their SQLSTATE is too coarse.
    const fn of_mysql(number: u16) -> Self {
        match number {
            // Changed since read, lock wait timeout, deadlock, lock not waited for, table
            // definition changed, statement to be prepared again. Table, column or index exists:
            // another server makes it.
            1020 | 1205 | 1213 | 3572 | 1412 | 1615 | 1050 | 1060 | 1061 => Self::Contention,
            // Of the server, of the user, of the user by another limit.
            1040 | 1203 | 1226 => Self::TooManyConnections,
            // Out of memory in four ways, disk full, table full, no thread, lock table full, too
            // many prepared statements.
            1037 | 1038 | 1041 | 3170 | 1021 | 1114 | 1135 | 1206 | 1461 => Self::Full,
            // Shutdown, handshake and network errors, aborted, killed, gone, lost, idle timeout.
            1042 | 1043 | 1053 | 1079 | 1152 | 1158 | 1159 | 1160 | 1161 | 1184 | 1927 | 2006
            | 2013 | 3169 | 4031
            // Cluster node not ready.
            | 1047 => Self::ConnectionLost,
            // File not written or read, storage engine error, interrupted, time limit exceeded.
            1023 | 1024 | 1026 | 1030 | 1317 | 1969 | 3024
            // Error during COMMIT, as of a cluster node that lost the others meanwhile.
            | 1180 => Self::Interrupted,
            // The server by an option or a mode, the transaction, the tables of the engine.
            1290 | 1836 | 1792 | 1036 | 1874 => Self::ReadOnly,
            // Database, user or password, host after failures, host, plugin, expired password in
            // two ways, locked account in two ways.
            1044 | 1045 | 1129 | 1130 | 1698 | 1820 | 1862 | 3118 | 4151 => Self::LoginRefused,
            // On a table, on a column, of an administrator, on a routine.
            1142 | 1143 | 1227 | 1370 => Self::NoRight,
            // Database, column, table.
            1049 | 1054 | 1146 => Self::NoTable,
            // Text for a column, text in an encoding, conversion of a text in two ways.
            1366 | 1300 | 1977 | 3854 => Self::NoCharacter,
            // Wrong key file in two ways, table crashed, index.
            1034 | 1035 | 1194 | 1712 => Self::Corrupt,
            1264 => Self::ValueTooWide,
            1406 => Self::TextTooLong,
            // Number out of range in an expression, packet too large.
            1690 | 1153 => Self::NotComputable,
            _ => Self::Unexpected,
        }
    }

    /// By SQLite's primary result code.
    const fn of_sqlite(code: c_int) -> Self {
        match code {
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Self::Contention,
            ffi::SQLITE_NOMEM | ffi::SQLITE_FULL => Self::Full,
            ffi::SQLITE_INTERRUPT | ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => Self::Interrupted,
            ffi::SQLITE_READONLY => Self::ReadOnly,
            ffi::SQLITE_PERM | ffi::SQLITE_AUTH => Self::NoRight,
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Self::Corrupt,
            ffi::SQLITE_TOOBIG => Self::NotComputable,
            _ => Self::Unexpected,
        }
    }

    /// What a database refuses, for callers.
    const fn refusal(self) -> &'static str {
        match self {
            Self::ReadOnly => "the database is read-only",
            Self::LoginRefused => "the login is refused",
            Self::NoRight => "the user of the database lacks a right",
            _ => "a table of the database is missing, or a column",
        }
    }

    fn into_error(self, text: &str, source: Source) -> Error {
        match self {
            Self::Contention => Error::Contention(
                "concurrent writes changed or locked the same data; try again".into(),
            ),
            Self::StaleStatement => Error::Contention("the schema has changed; try again".into()),
            Self::Full => Error::Exhausted("the database has no room for this now".into()),
            Self::TooManyConnections => {
                Error::Exhausted("the database accepts no more connections now".into())
            }
            Self::ConnectionLost | Self::Interrupted => Error::Unavailable(source),
            Self::Corrupt => Error::DataLoss(format!("the database is damaged: {text}")),
            Self::ReadOnly | Self::LoginRefused | Self::NoRight | Self::NoTable => {
                Error::DatabaseRefused {
                    reason: self.refusal(),
                    source: text.into(),
                }
            }
            Self::NoCharacter => Error::InvalidArgument(format!(
                "the encoding of this database lacks a character of a text: {text}"
            )),
            Self::TextTooLong => Error::InvalidArgument(format!(
                "a column of this database cannot hold a text: {text}"
            )),
            Self::ValueTooWide => Error::InvalidArgument(format!(
                "a column of this database cannot hold a value: {text}; \
                 `pedigree migrate --widen` may help"
            )),
            Self::NotComputable => {
                Error::InvalidArgument(format!("the database cannot compute with a value: {text}"))
            }
            Self::Unexpected => Error::Internal {
                context: "the database refused a statement".into(),
                source: Some(source),
            },
        }
    }
}

/// Whether the connection is closed or unusable. After a failover, the server at the other end may
/// be one that only reads, where a new connection reaches the one that writes.
pub(super) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => matches!(
            ErrorClass::of(&**error),
            ErrorClass::ConnectionLost | ErrorClass::StaleStatement | ErrorClass::ReadOnly
        ),
        _ => false,
    }
}

/// Whether the error may be that of a Galera node without a quorum. Such a node answers a statement
/// of a session with causal reads with the error of a lock that was waited for too long.
pub(super) fn may_lack_quorum(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(ServerError::of);
    matches!(error, Some(ServerError::MySql(error)) if error.number() == 1205)
}

/// Whether the server only reads.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| ErrorClass::of(error) == ErrorClass::ReadOnly)
}

/// The error of a caller that gets no connection of a budget which several databases share.
pub(super) fn no_shared_connection() -> Error {
    count(Error::Unavailable(
        "the connections of all tenants are in use".into(),
    ))
}

/// Converts an error of sqlx and counts it in the metrics.
pub(super) fn classify(error: sqlx::Error) -> Error {
    count(match error {
        sqlx::Error::Database(error) => from_database_error(error),
        sqlx::Error::PoolTimedOut => Error::no_free_connection(),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::Unavailable(error.into()),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => unreadable(&error),
        other => Error::Internal {
            context: "the database driver failed".into(),
            source: Some(other.into()),
        },
    })
}

/// As [`classify`], for a statement that took so long and had a time limit; zero for none.
pub(super) fn classify_statement(error: sqlx::Error, took: Duration, limit: Duration) -> Error {
    let class = error.as_database_error().map(ErrorClass::of);
    if class == Some(ErrorClass::Interrupted) && is_timed_out(took, limit) {
        return count(timed_out());
    }
    classify(error)
}

/// As [`classify_sqlite`], for a statement that took so long and had a time limit; zero for none.
pub(super) fn classify_sqlite_statement(
    error: rusqlite::Error,
    took: Duration,
    limit: Duration,
) -> Error {
    let is_interrupted = error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted);
    if is_interrupted && is_timed_out(took, limit) {
        return count(timed_out());
    }
    classify_sqlite(error)
}

/// Databases have one code for a statement that is stopped by an administrator, who may want it to
/// run later, and one that took too long, as it will again.
fn is_timed_out(took: Duration, limit: Duration) -> bool {
    !limit.is_zero() && took >= limit
}

fn timed_out() -> Error {
    Error::DeadlineExceeded("a statement took longer than the server permits".into())
}

/// Converts an error of SQLite and counts it in the metrics.
pub(super) fn classify_sqlite(error: rusqlite::Error) -> Error {
    use rusqlite::Error as Sqlite;
    count(match &error {
        _ if is_missing_table(&error) => {
            ErrorClass::NoTable.into_error(&error.to_string(), error.into())
        }
        Sqlite::SqliteFailure(failure, _) => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => duplicate(),
            // The lowest byte of an extended code is the primary one.
            code => ErrorClass::of_sqlite(code & 0xff).into_error(&error.to_string(), error.into()),
        },
        Sqlite::FromSqlConversionFailure(..)
        | Sqlite::IntegralValueOutOfRange(..)
        | Sqlite::InvalidColumnType(..) => unreadable(&error),
        _ => ErrorClass::Unexpected.into_error("", error.into()),
    })
}

/// SQLite has one code for all faults of a statement.
fn is_missing_table(error: &rusqlite::Error) -> bool {
    if error.sqlite_error_code() != Some(ErrorCode::Unknown) {
        return false;
    }
    let text = error.to_string();
    text.contains("no such table") || text.contains("no such column")
}

/// Converts the error of a COMMIT: when the connection is lost during it, the outcome is unknown.
pub(super) fn in_commit(error: Error) -> Error {
    match error {
        Error::Unavailable(cause) => Error::Uncertain(cause),
        other => other,
    }
}

fn from_database_error(error: Box<dyn DatabaseError>) -> Error {
    let is_null_key = matches!(
        ServerError::of(&*error),
        Some(ServerError::MySql(error)) if error.number() == NULL_KEY
    );
    if error.kind() == ErrorKind::UniqueViolation || is_null_key {
        return duplicate();
    }
    let class = ErrorClass::of(&*error);
    let text = error.message().to_owned();
    class.into_error(&text, error.into())
}

fn unreadable(error: &dyn std::error::Error) -> Error {
    Error::DataLoss(format!("a stored value cannot be read: {error}"))
}

fn count(error: Error) -> Error {
    counter!("pedigree_db_errors_total", "kind" => metric_label(&error)).increment(1);
    error
}

const fn metric_label(error: &Error) -> &'static str {
    match error {
        Error::Contention(_) => "contention",
        Error::Exhausted(_) => "exhausted",
        Error::Unavailable(_) => "unavailable",
        Error::AlreadyExists(_) => "duplicate",
        Error::DataLoss(_) => "data_loss",
        Error::DeadlineExceeded(_) => "timed_out",
        Error::InvalidArgument(_) | Error::DatabaseRefused { .. } => "refused",
        _ => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlstate_that_is_not_listed_has_the_meaning_of_its_class() {
        for (code, class) in [
            ("08006", ErrorClass::ConnectionLost),
            ("53100", ErrorClass::Full),
            ("53300", ErrorClass::TooManyConnections),
            ("57014", ErrorClass::Interrupted),
            ("57P01", ErrorClass::ConnectionLost),
            ("58030", ErrorClass::Interrupted),
            ("55P03", ErrorClass::Contention),
            ("42P01", ErrorClass::NoTable),
            ("42883", ErrorClass::Unexpected),
        ] {
            assert_eq!(ErrorClass::of_sqlstate(code), class, "{code}");
        }
    }

    #[test]
    fn numbers_of_mysql_have_no_classes() {
        assert_eq!(ErrorClass::of_mysql(5301), ErrorClass::Unexpected);
        assert_eq!(ErrorClass::of_mysql(58), ErrorClass::Unexpected);
    }

    #[test]
    fn a_commit_that_a_cluster_did_not_confirm_is_uncertain() {
        let failed = ErrorClass::of_mysql(1180).into_error("", "no quorum".into());
        assert!(matches!(in_commit(failed), Error::Uncertain(_)));
    }
}
