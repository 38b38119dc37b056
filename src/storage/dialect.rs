//! The SQL dialects: every difference between the databases is a named method of [`Dialect`].
//!
//! Statements ask a dialect what it can do or how something is written, never which one it is. Each
//! method matches all variants, so that the compiler finds what a new database has to answer.

use super::bulk::{ColumnType, Table};
use super::query::{Cell, Query};

/// The SQL dialect of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

/// A list of any length as one parameter.
pub(super) enum ListParameter {
    Array,
    /// A JSON array. The conditions hold when a number or a text is in it.
    Json {
        in_numbers: &'static str,
        in_texts: &'static str,
    },
}

/// What a database is.
impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MySql];

    /// Whether users log in to the database.
    #[must_use]
    pub const fn has_logins(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres | Self::MySql => true,
        }
    }

    /// Whether a statement travels to a server and its rows back, which takes longer than finding a
    /// few rows.
    #[must_use]
    pub const fn has_round_trips(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres | Self::MySql => true,
        }
    }

    /// Whether one process uses a database at a time, as is the rule with a SQLite file.
    #[must_use]
    pub const fn is_single_process(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Postgres | Self::MySql => false,
        }
    }

    /// Whether generated ids come from sequences beside the tables.
    pub(super) const fn has_sequences(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::MySql => false,
        }
    }

    /// The query that notifies other servers of new changes ([`super::notifications`]). It returns
    /// one NULL.
    pub(super) const fn notify_query(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("SELECT CAST(NULL AS TEXT) FROM pg_notify('pedigree', '')"),
            Self::Sqlite | Self::MySql => None,
        }
    }

    /// The query for all pairs of table and column, and for pairs of index and an empty text.
    pub(super) const fn catalog_query(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT tables.name, columns.name FROM sqlite_master AS tables \
                 JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' \
                 UNION ALL SELECT name, '' FROM sqlite_master WHERE type = 'index'"
            }
            Self::Postgres => {
                "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) \
                 FROM information_schema.columns WHERE table_schema = current_schema() \
                 UNION ALL SELECT CAST(indexname AS TEXT), '' \
                 FROM pg_indexes WHERE schemaname = current_schema()"
            }
            Self::MySql => {
                "SELECT table_name, column_name FROM information_schema.columns \
                 WHERE table_schema = DATABASE() \
                 UNION SELECT index_name, '' \
                 FROM information_schema.statistics WHERE table_schema = DATABASE()"
            }
        }
    }

    /// Further indexes of our own. Servers need none that leads from a property to its node: their
    /// indexes have the node, or many rows are read at once.
    pub(super) const fn own_indexes(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &["idx_pedigree_execution_property_text"],
            Self::Postgres | Self::MySql => &[],
        }
    }

    /// Whether names without quotes are stored in lower case, and differ from those with quotes.
    pub(super) const fn lowers_names(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::MySql => false,
        }
    }
}

/// What columns hold.
impl Dialect {
    /// Whether the column type for floating-point numbers can hold this one. SQLite turns NaN into
    /// NULL; MySQL has neither NaN nor infinities.
    #[must_use]
    pub fn stores_double(self, value: f64) -> bool {
        match self {
            Self::Sqlite => !value.is_nan(),
            Self::Postgres => true,
            Self::MySql => value.is_finite(),
        }
    }

    /// Whether a serialized `google.protobuf.Any` is stored as its bytes; elsewhere as base64 text
    /// in the same column.
    #[must_use]
    pub const fn stores_raw_proto(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::MySql => false,
        }
    }

    /// Whether the collation of text columns ignores case and trailing blanks.
    #[must_use]
    pub const fn has_loose_collation(self) -> bool {
        match self {
            Self::MySql => true,
            Self::Sqlite | Self::Postgres => false,
        }
    }

    /// Whether indexes of long text columns have their first 255 characters only, so that a
    /// condition has to name these too.
    pub(super) const fn indexes_text_prefixes(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::MySql => false,
        }
    }
}

/// How parameters and values are written.
impl Dialect {
    /// Whether parameters are `$1`, `$2`, and so on; elsewhere each is `?`.
    pub(super) const fn numbers_parameters(self) -> bool {
        match self {
            Self::Postgres => true,
            Self::Sqlite | Self::MySql => false,
        }
    }

    /// A parameter in a text that is prepared for values of this type only.
    pub(super) const fn typed_parameter(self, value: &Cell<'_>) -> &'static str {
        match (self, value) {
            (Self::Sqlite | Self::MySql, _) => "?",
            (Self::Postgres, Cell::Int(_)) => "CAST(? AS BIGINT)",
            (Self::Postgres, Cell::Double(_)) => "CAST(? AS DOUBLE PRECISION)",
            (Self::Postgres, Cell::Bool(_)) => "CAST(? AS BOOLEAN)",
            (Self::Postgres, Cell::Text(_)) => "CAST(? AS TEXT)",
            (Self::Postgres, Cell::Bytes(_)) => "CAST(? AS BYTEA)",
        }
    }

    /// How a list of any length is one parameter.
    pub(super) const fn list_parameter(self) -> ListParameter {
        match self {
            Self::Sqlite => ListParameter::Json {
                in_numbers: " IN (SELECT value FROM json_each(?))",
                in_texts: " IN (SELECT value FROM json_each(?))",
            },
            Self::Postgres => ListParameter::Array,
            Self::MySql => ListParameter::Json {
                in_numbers: " IN (SELECT v FROM \
                             JSON_TABLE(?, '$[*]' COLUMNS(v BIGINT PATH '$')) AS list)",
                in_texts: " IN (SELECT v FROM \
                           JSON_TABLE(?, '$[*]' COLUMNS(v LONGTEXT PATH '$')) AS list)",
            },
        }
    }

    /// Whether a list of any length is an array.
    pub(super) const fn has_arrays(self) -> bool {
        match self.list_parameter() {
            ListParameter::Array => true,
            ListParameter::Json { .. } => false,
        }
    }

    /// What stands around the hexadecimal digits of a literal of bytes.
    pub(super) const fn bytes_literal(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite | Self::MySql => ("x'", "'"),
            Self::Postgres => ("decode('", "', 'hex')"),
        }
    }

    /// What stands between a list of columns and a list of rows in a condition that compares whole
    /// rows. `None` where such lists cannot be used: MariaDB does not convert the texts of several
    /// rows to the character set of the column.
    #[must_use]
    pub const fn row_list_open(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some(") IN (VALUES "),
            Self::Postgres => Some(") IN ("),
            Self::MySql => None,
        }
    }
}

/// Reading rows.
impl Dialect {
    /// Whether a scan copies all selected columns of a row before it checks the conditions, so that
    /// a query should find ids first and join the columns to them: a late row lookup.
    #[must_use]
    pub const fn wants_late_row_lookup(self) -> bool {
        match self {
            Self::MySql => true,
            Self::Sqlite | Self::Postgres => false,
        }
    }

    /// The end of a SELECT from a table `p` without an id that returns rows in the order of their
    /// insertion. InnoDB reads them by a hidden row id; on PostgreSQL a row that is never updated
    /// keeps its place.
    #[must_use]
    pub const fn in_insertion_order(self) -> &'static str {
        match self {
            Self::Sqlite => " ORDER BY p.rowid",
            Self::Postgres => " ORDER BY p.ctid",
            Self::MySql => "",
        }
    }

    /// The condition that a property `p#` has exactly this name. MySQL's usual collations ignore
    /// case: the first comparison uses the index, the second is exact.
    pub(super) const fn property_name_equals(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => "p#.name = ?",
            Self::MySql => {
                "p#.name = ? \
                 AND CAST(CONVERT(p#.name USING utf8mb4) AS BINARY) \
                 = CAST(CONVERT(? USING utf8mb4) AS BINARY)"
            }
        }
    }

    /// What stands around an expression of text that is to be compared and ordered by code points.
    #[must_use]
    pub const fn code_point_order(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("", ""),
            Self::Postgres => ("", " COLLATE \"C\""),
            Self::MySql => ("CONVERT(", " USING utf8mb4) COLLATE utf8mb4_bin"),
        }
    }

    /// What stands around a text that is compared with a pattern, a parameter with the escape
    /// character `!`. Case counts.
    #[must_use]
    pub const fn exact_like(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("exact_like(", ", ?, '!')"),
            Self::Postgres => ("", " LIKE ? ESCAPE '!'"),
            Self::MySql => (
                "CONVERT(",
                " USING utf8mb4) COLLATE utf8mb4_bin LIKE ? ESCAPE '!'",
            ),
        }
    }

    /// As [`Self::exact_like`], whatever the case of letters: on SQLite, of those of ASCII.
    #[must_use]
    pub const fn caseless_like(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("", " LIKE ? ESCAPE '!'"),
            Self::Postgres => ("LOWER(", ") LIKE LOWER(?) ESCAPE '!'"),
            Self::MySql => (
                "LOWER(CONVERT(",
                " USING utf8mb4)) COLLATE utf8mb4_bin LIKE LOWER(?) ESCAPE '!'",
            ),
        }
    }

    /// Whether the planner estimates how many rows a condition on a value leaves. SQLite knows only
    /// how many rows share a value on average.
    pub(super) const fn estimates_rows(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres | Self::MySql => true,
        }
    }

    /// Whether rows that an index has in the order of some columns are put into that of further
    /// columns group by group, so that a page ends early. Otherwise all of them are sorted.
    pub(super) const fn sorts_by_prefix(self) -> bool {
        match self {
            Self::Sqlite | Self::Postgres => true,
            Self::MySql => false,
        }
    }

    /// What stands before a column whose index is not to be used. SQLite has no statistics that say
    /// which of several conditions leaves few rows.
    #[must_use]
    pub const fn index_opt_out(self) -> &'static str {
        match self {
            Self::Sqlite => "+",
            Self::Postgres | Self::MySql => "",
        }
    }
}

/// Writing rows.
impl Dialect {
    /// Whether writers lock rows. SQLite has one writer, which locks the whole database.
    #[must_use]
    pub const fn has_row_locks(self) -> bool {
        match self {
            Self::Postgres | Self::MySql => true,
            Self::Sqlite => false,
        }
    }

    /// Whether any INSERT can return the rows that it inserted.
    #[must_use]
    pub const fn returns_rows(self) -> bool {
        match self {
            Self::Sqlite | Self::Postgres => true,
            Self::MySql => false,
        }
    }

    /// The end of a SELECT that locks rows, or fails where another transaction has locked them.
    /// MySQL runs the one comment from version 8 on, MariaDB the other from version 10.3 on; older
    /// ones wait.
    pub(super) const fn for_update_nowait(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE NOWAIT",
            Self::MySql => " FOR UPDATE /*!80001 NOWAIT */ /*M!100300 NOWAIT */",
        }
    }

    /// The end of a SELECT that keeps others from changing or deleting its rows.
    pub(super) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
            Self::MySql => " LOCK IN SHARE MODE",
        }
    }

    /// The end of an INSERT that returns the ids that it generated. MariaDB runs the comment from
    /// version 10.5 on; MySQL ignores it.
    pub(super) const fn returning_ids(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => " RETURNING id",
            Self::MySql => " /*M!100500 RETURNING id */",
        }
    }

    /// Appends the end of an INSERT that skips rows whose key exists.
    pub(super) fn push_skip_existing(self, query: &mut Query, table: &Table) {
        match (self, table.columns.first()) {
            (Self::Sqlite | Self::Postgres, _) => _ = query.push(" ON CONFLICT DO NOTHING"),
            (Self::MySql, Some((name, _))) => {
                query.push(" ON DUPLICATE KEY UPDATE ").push(name);
                query.push(" = ").push(name);
            }
            (Self::MySql, None) => {}
        }
    }

    /// Whether an INSERT locks the existing rows that it skips.
    #[must_use]
    pub const fn locks_duplicates(self) -> bool {
        match self {
            Self::MySql => true,
            Self::Sqlite | Self::Postgres => false,
        }
    }

    /// Appends the end of an INSERT that updates the rows whose key exists.
    pub(super) fn push_upsert(self, query: &mut Query, table: &Table) {
        let (keys, others) = table.columns.split_at(table.key);
        match self {
            Self::Sqlite | Self::Postgres => {
                query.push(" ON CONFLICT (");
                for (index, (name, _)) in keys.iter().enumerate() {
                    query.push(if index == 0 { "" } else { ", " }).push(name);
                }
                query.push(") DO UPDATE SET ");
            }
            Self::MySql => {
                query.push(" ON DUPLICATE KEY UPDATE ");
            }
        }
        let (before, after) = match self {
            Self::Sqlite | Self::Postgres => (" = excluded.", ""),
            Self::MySql => (" = VALUES(", ")"),
        };
        for (index, (name, _)) in others.iter().enumerate() {
            query.push(if index == 0 { "" } else { ", " }).push(name);
            query.push(before).push(name).push(after);
        }
        if self.has_loose_collation() {
            // A key that only looks alike must not be overwritten: NULL, which it cannot be, makes
            // the statement fail.
            for (name, _) in keys.iter().filter(|(_, of)| *of == ColumnType::Text) {
                query.push(", ").push(name).push(" = IF(CAST(").push(name);
                query.push(" AS BINARY) = CAST(VALUES(").push(name);
                query.push(") AS BINARY), ").push(name).push(", NULL)");
            }
        }
    }
}
