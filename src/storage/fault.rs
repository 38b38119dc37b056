//! What a database's refusal means to us.

use metrics::counter;
use rusqlite::ffi;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, Source};

/// Whether a server refused a connection because it has no such database.
pub(super) fn is_missing_database(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error();
    refusal.is_some_and(|refusal| matches!(code_of(refusal).as_str(), "3D000" | "1049"))
}

/// Whether a server refused a connection because of who asks for it.
pub(super) fn is_refused_login(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error();
    refusal.is_some_and(|refusal| {
        matches!(
            code_of(refusal).as_str(),
            "28000" | "28P01" | "1044" | "1045" | "1130" | "1698"
        )
    })
}

/// SQLSTATE, or MySQL's number: its `code()` is the SQLSTATE only, too coarse here.
fn code_of(refusal: &dyn DatabaseError) -> String {
    if let Some(mysql) = refusal.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql.number().to_string();
    }
    refusal.code().unwrap_or_default().into_owned()
}

/// MySQL's number for a row whose unique key another one has.
pub(super) const DUPLICATE_ENTRY: i64 = 1062;

/// A unique key forbids a row.
pub(super) fn duplicate() -> Error {
    Error::AlreadyExists("a row with the same unique key exists".into())
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Other transactions went first, or hold what this one needs.
    Contention,
    /// Disk, memory or another limit of the server is used up.
    Full,
    NoMoreConnections,
    /// The connection is gone or of no more use; another one may do.
    Lost,
    /// The connection has prepared statements for tables that have changed since; another one prepares them anew.
    Stale,
    /// The statement was stopped or failed for a reason that may pass.
    Stopped,
    Corrupt,
    /// The database was opened for reading only.
    ReadOnly,
    /// A column is too narrow for a number, or its index for a text.
    TooNarrow,
    /// A text is too long for its column.
    TooLong,
    NotComputable,
    /// What no request should cause.
    Fault,
}

impl Meaning {
    fn of(refusal: &dyn DatabaseError) -> Self {
        let postgres = refusal.try_downcast_ref::<PgDatabaseError>();
        // Its code has other meanings too.
        if postgres.and_then(PgDatabaseError::routine) == Some("RevalidateCachedQuery") {
            return Self::Stale;
        }
        Self::of_code(&code_of(refusal))
    }

    /// The codes of PostgreSQL have five characters, those of MySQL and MariaDB four digits, those of SQLite one or two.
    fn of_code(code: &str) -> Self {
        match code {
            // PostgreSQL: serialization failure, deadlock, lock not available.
            "40001" | "40P01" | "55P03"
            // MySQL: changed since read, lock wait timeout, deadlock, table definition changed, statement to be prepared again.
            | "1020" | "1205" | "1213" | "1412" | "1615"
            // SQLite: busy, locked.
            | "5" | "6" => Self::Contention,
            // PostgreSQL: too many connections. MySQL: of all, of the user, of the user by another limit.
            "53300" | "1040" | "1203" | "1226" => Self::NoMoreConnections,
            // MySQL: out of memory in four ways, disk full, table full, no thread, lock table full, too many statements.
            "1037" | "1038" | "1041" | "3170" | "1021" | "1114" | "1135" | "1206" | "1461"
            // SQLite: out of memory, full.
            | "7" | "13" => Self::Full,
            // PostgreSQL: shut down by an administrator, after a crash, not started yet, database dropped, idle for too long, idle
            // for too long in a transaction, read-only as after a failover.
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25006"
            // MySQL: shutdown, handshake and network errors, aborted, killed, gone, lost, idle for too long.
            | "1042" | "1043" | "1053" | "1079" | "1152" | "1158" | "1159" | "1160" | "1161"
            | "1184" | "1927" | "2006" | "2013" | "3169" | "4031"
            // MySQL: read-only by an option or a mode as after a failover, cluster node not ready.
            | "1290" | "1836" | "1047" => Self::Lost,
            // PostgreSQL: outcome of a statement unknown, user or password refused, no such database.
            "40003" | "28000" | "28P01" | "3D000"
            // MySQL: user or password refused, no such database, host refused.
            | "1044" | "1045" | "1049" | "1129" | "1130" | "1698"
            // MySQL: files cannot be written or read, storage engine fails, interrupted, over the time limit.
            | "1023" | "1024" | "1026" | "1030" | "1317" | "1969" | "3024"
            // SQLite: interrupted, I/O error, cannot open.
            | "9" | "10" | "14" => Self::Stopped,
            // MySQL: a transaction that may only read. SQLite: read-only.
            "1792" | "8" => Self::ReadOnly,
            // PostgreSQL: data, index. MySQL: wrong key file in two ways, table crashed, index. SQLite: malformed, no database.
            "XX001" | "XX002" | "1034" | "1035" | "1194" | "1712" | "11" | "26" => Self::Corrupt,
            // PostgreSQL: number out of range, index row too long. MySQL: number out of range.
            "22003" | "54000" | "1264" => Self::TooNarrow,
            "22001" | "1406" => Self::TooLong,
            // PostgreSQL: escape at the end of a LIKE pattern, too complex. MySQL: number out of range, packet too large.
            // SQLite: too big.
            "22025" | "54001" | "1690" | "1153" | "18" => Self::NotComputable,
            _ => Self::of_class(code),
        }
    }

    /// The classes of SQLSTATE of which all members mean the same.
    fn of_class(code: &str) -> Self {
        match (code.len(), code.get(..2)) {
            // Connection exception.
            (5, Some("08")) => Self::Lost,
            // Insufficient resources.
            (5, Some("53")) => Self::Full,
            // Operator intervention, system error.
            (5, Some("57" | "58")) => Self::Stopped,
            _ => Self::Fault,
        }
    }
}

/// Whether a connection is gone or of no more use, and the statement with it.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(refusal) => {
            matches!(Meaning::of(&**refusal), Meaning::Lost | Meaning::Stale)
        }
        _ => false,
    }
}

/// Sorts a driver's error by what a caller can do about it.
pub(super) fn from(error: sqlx::Error) -> Error {
    counted(sorted(error))
}

/// As [`from`], for SQLite.
pub(super) fn from_sqlite(error: rusqlite::Error) -> Error {
    counted(sorted_sqlite(error))
}

fn counted(error: Error) -> Error {
    counter!("pedigree_db_errors_total", "kind" => kind(&error)).increment(1);
    error
}

/// What the metrics call an error.
const fn kind(error: &Error) -> &'static str {
    match error {
        Error::Contention(_) => "contention",
        Error::Exhausted(_) => "exhausted",
        Error::Unavailable(_) => "unavailable",
        Error::AlreadyExists(_) => "duplicate",
        Error::DataLoss(_) => "data_loss",
        Error::InvalidArgument(_) | Error::FailedPrecondition(_) => "refused",
        _ => "internal",
    }
}

fn sorted(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(refusal) => from_refusal(refusal),
        sqlx::Error::PoolTimedOut => Error::no_free_connection(),
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

fn sorted_sqlite(error: rusqlite::Error) -> Error {
    use rusqlite::Error as Sqlite;
    match &error {
        Sqlite::SqliteFailure(failure, _) => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => duplicate(),
            // Without the detail above the lowest byte.
            code => {
                let meaning = Meaning::of_code(&(code & 0xff).to_string());
                meaning.of_refusal(&error.to_string(), error.into())
            }
        },
        Sqlite::FromSqlConversionFailure(..)
        | Sqlite::IntegralValueOutOfRange(..)
        | Sqlite::InvalidColumnType(..) => {
            Error::DataLoss(format!("a stored value cannot be read: {error}"))
        }
        _ => Meaning::Fault.of_refusal("", error.into()),
    }
}

/// What an error means in a commit. Who loses the connection there does not learn whether it was done.
pub(super) fn of_commit(error: Error) -> Error {
    match error {
        Error::Unavailable(cause) => Error::Uncertain(cause),
        other => other,
    }
}

fn from_refusal(refusal: Box<dyn DatabaseError>) -> Error {
    if refusal.kind() == ErrorKind::UniqueViolation {
        return duplicate();
    }
    let meaning = Meaning::of(&*refusal);
    let text = refusal.message().to_owned();
    meaning.of_refusal(&text, refusal.into())
}

impl Meaning {
    fn of_refusal(self, text: &str, refusal: Source) -> Error {
        match self {
            Self::Contention => {
                Error::Contention("other writes on the same data went first; try again".into())
            }
            Self::Stale => Error::Contention("the schema has changed; try again".into()),
            Self::Full => Error::Exhausted("the database has no room for this now".into()),
            Self::NoMoreConnections => {
                Error::Exhausted("the database accepts no more connections now".into())
            }
            Self::Lost | Self::Stopped => Error::Unavailable(refusal),
            Self::Corrupt => Error::DataLoss(format!("the database is damaged: {text}")),
            Self::ReadOnly => {
                Error::FailedPrecondition("the database is open for reading only".into())
            }
            Self::TooLong => Error::InvalidArgument(format!(
                "a column of this database cannot hold a text: {text}"
            )),
            Self::TooNarrow => Error::InvalidArgument(format!(
                "a column of this database cannot hold a value: {text}; `pedigree migrate --widen` may help"
            )),
            Self::NotComputable => {
                Error::InvalidArgument(format!("the database cannot compute with a value: {text}"))
            }
            Self::Fault => Error::Internal {
                context: "the database refused a statement".into(),
                source: Some(refusal),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_are_not_listed_mean_what_their_class_does() {
        for (code, meaning) in [
            ("08006", Meaning::Lost),
            ("53100", Meaning::Full),
            ("53300", Meaning::NoMoreConnections),
            ("57014", Meaning::Stopped),
            ("57P01", Meaning::Lost),
            ("58030", Meaning::Stopped),
            ("55P03", Meaning::Contention),
            ("42P01", Meaning::Fault),
            // Numbers have no class.
            ("5301", Meaning::Fault),
            ("58", Meaning::Fault),
        ] {
            assert_eq!(Meaning::of_code(code), meaning, "{code}");
        }
    }
}
