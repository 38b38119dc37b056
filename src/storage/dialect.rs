//! What differs between the databases. Each difference is a method with a name; statements ask for it by that name.

use super::bulk::Table;
use super::query::{Cell, Query};

/// The SQL dialect of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
    MySql,
}

impl Dialect {
    /// Whether the column type for floating-point numbers can hold this one. SQLite turns NaN into NULL; MySQL has
    /// neither NaN nor infinities.
    #[must_use]
    pub fn stores_double(self, value: f64) -> bool {
        match self {
            Self::Sqlite => !value.is_nan(),
            Self::Postgres => true,
            Self::MySql => value.is_finite(),
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

    /// Whether a serialized `google.protobuf.Any` is stored as its bytes; elsewhere as base64 text in the same column.
    #[must_use]
    pub const fn stores_raw_proto(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// The end of an INSERT that leaves existing rows alone.
    #[must_use]
    pub const fn ignore_duplicates(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => " ON CONFLICT DO NOTHING",
            Self::MySql => " ON DUPLICATE KEY UPDATE context_id = context_id",
        }
    }

    /// Whether writers lock rows. SQLite has one writer, which holds the whole database.
    #[must_use]
    pub const fn has_row_locks(self) -> bool {
        matches!(self, Self::Postgres | Self::MySql)
    }

    /// Whether an INSERT that leaves an existing row alone locks it all the same.
    #[must_use]
    pub const fn locks_duplicates(self) -> bool {
        matches!(self, Self::MySql)
    }

    /// The query that notifies other servers of new changes ([`super::notifications`]). It returns one
    /// NULL.
    #[must_use]
    pub(super) const fn notify_query(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("SELECT CAST(NULL AS TEXT) FROM pg_notify('pedigree', '')"),
            Self::Sqlite | Self::MySql => None,
        }
    }

    /// Whether a statement travels to a server and its rows back, which takes longer than to find a few rows.
    #[must_use]
    pub const fn has_round_trips(self) -> bool {
        matches!(self, Self::Postgres | Self::MySql)
    }

    /// Whether all columns that a statement wants are copied out of a row before it turns out whether the row is wanted.
    #[must_use]
    pub const fn wants_late_row_lookup(self) -> bool {
        matches!(self, Self::MySql)
    }

    /// Whether an INSERT can return what it inserted.
    #[must_use]
    pub const fn returns_rows(self) -> bool {
        matches!(self, Self::Sqlite | Self::Postgres)
    }

    /// What stands around hexadecimal digits that are a literal of bytes.
    pub(super) const fn bytes_literal(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite | Self::MySql => ("x'", "'"),
            Self::Postgres => ("decode('", "', 'hex')"),
        }
    }

    /// Whether one process uses a database at a time, as is the rule with a SQLite file.
    #[must_use]
    pub const fn is_single_process(self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// Whether texts that differ in case or in trailing blanks are equal, by the collation of their columns.
    #[must_use]
    pub const fn has_loose_collation(self) -> bool {
        matches!(self, Self::MySql)
    }

    /// The end of a SELECT that puts rows of a table `p` without an id in the order in which they were inserted. InnoDB has a hidden
    /// row id that it reads them by; PostgreSQL's place of a row never moves, as such rows are never updated.
    #[must_use]
    pub const fn in_insertion_order(self) -> &'static str {
        match self {
            Self::Sqlite => " ORDER BY p.rowid",
            Self::Postgres => " ORDER BY p.ctid",
            Self::MySql => "",
        }
    }

    /// What stands between a list of columns and a list of rows in a condition that compares whole rows.
    #[must_use]
    pub const fn row_list_open(self) -> &'static str {
        match self {
            Self::Sqlite => ") IN (VALUES ",
            Self::Postgres | Self::MySql => ") IN (",
        }
    }

    /// What stands before a column that is not to be looked up by an index: SQLite has no statistics that tell it which of several
    /// conditions leaves few rows.
    #[must_use]
    pub const fn index_opt_out(self) -> &'static str {
        match self {
            Self::Sqlite => "+",
            Self::Postgres | Self::MySql => "",
        }
    }

    /// The end of an INSERT that changes the rows whose key exists instead.
    pub(super) fn push_upsert(self, query: &mut Query, table: &Table) {
        let (keys, others) = table.columns.split_at(table.key);
        if self == Self::MySql {
            query.push(" ON DUPLICATE KEY UPDATE ");
        } else {
            query.push(" ON CONFLICT (");
            for (index, (name, _)) in keys.iter().enumerate() {
                query.push(if index == 0 { "" } else { ", " }).push(name);
            }
            query.push(") DO UPDATE SET ");
        }
        for (index, (name, _)) in others.iter().enumerate() {
            query.push(if index == 0 { "" } else { ", " }).push(name);
            if self == Self::MySql {
                query.push(" = VALUES(").push(name).push(")");
            } else {
                query.push(" = excluded.").push(name);
            }
        }
    }
}
