//! SQL text with bound values, written once for three databases.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use rusqlite::types::Value;
use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe};
use tracing::{Level, enabled};

use super::Dialect;
use super::dialect::ListParameter;
use crate::error::{Error, Result};

/// The target of the log of statements with their values, at level TRACE.
const LOG_TARGET: &str = "pedigree::statements";

/// Maximum number of values of a list that are bound one by one, where the database has no arrays.
/// A longer list is bound as one JSON text.
pub const MAX_PADDED_LIST_VALUES: usize = 256;

/// A value to bind. Its variant is also the SQL type of a NULL.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    Int(Option<i64>),
    Double(Option<f64>),
    Bool(Option<bool>),
    Text(Option<Cow<'a, str>>),
    Bytes(Option<Cow<'a, [u8]>>),
}

macro_rules! cell_from {
    ($($from:ty => $variant:ident),*) => { $(
        impl<'a> From<$from> for Cell<'a> {
            fn from(value: $from) -> Self { Self::$variant(Some(value.into())) }
        }
        impl<'a> From<Option<$from>> for Cell<'a> {
            fn from(value: Option<$from>) -> Self { Self::$variant(value.map(Into::into)) }
        }
    )* };
}
cell_from!(
    i64 => Int, f64 => Double, bool => Bool, &'a str => Text, String => Text, Vec<u8> => Bytes, &'a [u8] => Bytes
);

impl Cell<'_> {
    /// The same value without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Int(value) => Cell::Int(value),
            Self::Double(value) => Cell::Double(value),
            Self::Bool(value) => Cell::Bool(value),
            Self::Text(value) => Cell::Text(value.map(|text| Cow::Owned(text.into_owned()))),
            Self::Bytes(value) => Cell::Bytes(value.map(|bytes| Cow::Owned(bytes.into_owned()))),
        }
    }

    /// How many bytes it has on its way to a server, about.
    pub(super) fn size(&self) -> usize {
        let bytes = match self {
            Self::Int(_) | Self::Double(_) | Self::Bool(_) => 0,
            Self::Text(value) => value.as_ref().map_or(0, |text| text.len()),
            Self::Bytes(value) => value.as_ref().map_or(0, |bytes| bytes.len()),
        };
        bytes + size_of::<u64>()
    }

    /// The value as an SQL literal, for the log.
    fn literal(&self, dialect: Dialect) -> String {
        let bytes = |bytes: &[u8]| {
            let (begin, end) = dialect.bytes_literal();
            [begin, &hex::encode(bytes), end].concat()
        };
        let literal = match self {
            Self::Int(value) => value.map(|value| value.to_string()),
            Self::Double(value) => value.map(|value| format!("{value:?}")),
            Self::Bool(value) => value.map(|value| value.to_string()),
            Self::Text(value) => value
                .as_ref()
                .map(|text| format!("'{}'", text.replace('\'', "''"))),
            Self::Bytes(value) => value.as_deref().map(bytes),
        };
        literal.unwrap_or_else(|| "NULL".to_owned())
    }
}

/// The encoded arguments of a query, by driver.
pub enum Args {
    Postgres(PgArguments),
    MySql(MySqlArguments),
    Sqlite(Vec<Value>),
}

impl Args {
    fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Self::Postgres(PgArguments::default()),
            Dialect::MySql => Self::MySql(MySqlArguments::default()),
            Dialect::Sqlite => Self::Sqlite(Vec::new()),
        }
    }

    fn add(&mut self, cell: Cell<'_>) {
        macro_rules! add {
            ($value:expr) => {{
                let value = $value;
                match self {
                    Self::Postgres(args) => args.add(value),
                    Self::MySql(args) => args.add(value),
                    Self::Sqlite(args) => {
                        args.push(value.into());
                        Ok(())
                    }
                }
            }};
        }
        let added = match cell {
            Cell::Int(value) => add!(value),
            Cell::Double(value) => add!(value),
            Cell::Bool(value) => add!(value),
            Cell::Text(value) => add!(value.map(Cow::into_owned)),
            Cell::Bytes(value) => add!(value.map(Cow::into_owned)),
        };
        debug_assert!(added.is_ok(), "plain values always encode");
    }
}

/// SQL text with encoded values.
///
/// Text is pushed as literals and digits only: strings of clients are always bound. The text must
/// not depend on the number of values, because drivers cache prepared statements by their text.
pub struct Query {
    name: &'static str,
    dialect: Dialect,
    text: String,
    args: Args,
    parameters: usize,
    refused: Option<&'static str>,
    long: bool,
    /// The bytes of the values.
    bytes: usize,
    /// The values as literals, if the log of statements is enabled.
    logged: Option<Vec<String>>,
}

impl Query {
    /// Starts a query. Each `?` in pushed text is a parameter and needs one `bind`, in order.
    #[must_use]
    pub fn new(name: &'static str, dialect: Dialect, sql: &'static str) -> Self {
        let mut query = Self {
            name,
            dialect,
            text: String::with_capacity(sql.len() + 64),
            args: Args::new(dialect),
            parameters: 0,
            refused: None,
            long: false,
            bytes: 0,
            logged: enabled!(target: LOG_TARGET, Level::TRACE).then(Vec::new),
        };
        query.push(sql);
        query
    }

    /// The name in logs and traces: the function that runs the query, or the table that it fills.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The dialect of the text.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Marks the statement as one that may touch many rows.
    pub const fn takes_long(&mut self) -> &mut Self {
        self.long = true;
        self
    }

    /// Whether the statement may touch many rows.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        self.long
    }

    /// How many bytes text and values have, about.
    pub(super) const fn size(&self) -> usize {
        self.text.len() + self.bytes
    }

    /// Appends text.
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        if self.dialect.numbers_parameters() {
            let mut parts = sql.split('?');
            self.text.push_str(parts.next().unwrap_or_default());
            for part in parts {
                self.parameters += 1;
                self.text.push('$');
                self.push_number(self.parameters);
                self.text.push_str(part);
            }
        } else {
            self.text.push_str(sql);
        }
        self
    }

    /// Adds text without parameters before and after the text so far.
    pub fn surround(&mut self, before: &'static str, after: &'static str) -> &mut Self {
        self.text.insert_str(0, before);
        self.text.push_str(after);
        self
    }

    /// Appends the number of an alias: `push("p").push_number(3)` is `p3`.
    pub fn push_number(&mut self, number: usize) -> &mut Self {
        self.push_display(number)
    }

    fn push_display(&mut self, number: impl Display) -> &mut Self {
        let written = write!(self.text, "{number}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        self
    }

    /// Appends a number as a literal, for a statement without parameters.
    pub fn push_int(&mut self, number: i64) -> &mut Self {
        self.push_display(number)
    }

    /// Appends bytes as a literal of hexadecimal digits, for a statement without parameters.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let (begin, end) = self.dialect.bytes_literal();
        self.text.push_str(begin);
        self.text.push_str(&hex::encode(bytes));
        self.text.push_str(end);
        self
    }

    /// Binds the next value. A query with a value that the database cannot store is refused when it
    /// runs.
    pub fn bind<'a>(&mut self, value: impl Into<Cell<'a>>) -> &mut Self {
        let cell = value.into();
        self.check(&cell);
        if let Some(logged) = &mut self.logged {
            logged.push(cell.literal(self.dialect));
        }
        self.bytes += cell.size();
        self.args.add(cell);
        self
    }

    /// Appends a value whose type depends on the client. Prepared statements are cached by their
    /// text, and PostgreSQL fixes the types of their parameters, so the type is part of the text.
    pub fn push_typed<'a>(&mut self, value: impl Into<Cell<'a>>) -> &mut Self {
        let cell = value.into();
        self.push(self.dialect.typed_parameter(&cell)).bind(cell)
    }

    /// Notes the reason if a value cannot be stored. PostgreSQL has no text with NUL, so all
    /// databases refuse it.
    pub(super) fn check(&mut self, cell: &Cell<'_>) {
        match cell {
            Cell::Text(Some(text)) => self.check_text(text),
            Cell::Double(Some(value)) if !self.dialect.stores_double(*value) => {
                self.refused = Some("this database cannot store a double that is no number");
            }
            _ => {}
        }
    }

    fn check_text(&mut self, text: &str) {
        if text.contains('\0') {
            self.refused = Some("text must not contain the character NUL");
        }
    }

    /// Binds a PostgreSQL array as the next value.
    pub(super) fn bind_array<'t, T>(&mut self, values: Vec<T>) -> &mut Self
    where
        T: Copy + Into<Cell<'t>>,
        Vec<T>: sqlx::Encode<'t, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        if let Some(logged) = &mut self.logged {
            let literals = values
                .iter()
                .map(|&value| value.into().literal(self.dialect));
            let literals: Vec<String> = literals.collect();
            logged.push(match literals.as_slice() {
                [] => "'{}'".to_owned(),
                some => format!("ARRAY[{}]", some.join(", ")),
            });
        }
        if let Args::Postgres(args) = &mut self.args {
            let added = args.add(values);
            debug_assert!(added.is_ok(), "plain values always encode");
        }
        self
    }

    /// Appends a condition that the expression before it is one of the numbers.
    pub fn push_in(&mut self, values: &[i64]) -> &mut Self {
        match (self.dialect.list_parameter(), values) {
            // A plan for an array is made at each execution.
            (ListParameter::Array, [value]) => self.push(" = ?").bind(*value),
            (ListParameter::Array, _) => self.push(" = ANY(?)").bind_array(values.to_vec()),
            (ListParameter::Json { in_numbers, .. }, _)
                if values.len() > MAX_PADDED_LIST_VALUES =>
            {
                self.push(in_numbers)
                    .bind(serde_json::json!(values).to_string())
            }
            (ListParameter::Json { .. }, _) => self.push_in_padded(values, || -1),
        }
    }

    /// Appends a condition that the expression before it is one of the texts.
    pub fn push_in_texts(&mut self, values: &[&str]) -> &mut Self {
        for text in values {
            self.check_text(text);
        }
        match (self.dialect.list_parameter(), values) {
            (ListParameter::Array, [value]) => self.push(" = ?").bind(*value),
            (ListParameter::Array, _) => self.push(" = ANY(?)").bind_array(values.to_vec()),
            (ListParameter::Json { in_texts, .. }, _) if values.len() > MAX_PADDED_LIST_VALUES => {
                self.push(in_texts)
                    .bind(serde_json::json!(values).to_string())
            }
            (ListParameter::Json { .. }, _) => self.push_in_padded(values, || ""),
        }
    }

    /// Appends a condition that a column of long text, which `column` appends, is one of the texts.
    /// PostgreSQL indexes the first 255 characters of such a column only
    /// (`migrations/postgres/schema.sql`), so they are compared too.
    pub fn push_in_long_texts(&mut self, column: impl Fn(&mut Self), values: &[&str]) -> &mut Self {
        if self.dialect.indexes_text_prefixes() {
            self.push("LEFT(");
            column(self);
            match values {
                [value] => self.push(", 255) = LEFT(?, 255)").bind(*value),
                values => self
                    .push(", 255) = ANY(ARRAY(SELECT LEFT(v, 255) FROM UNNEST(?) AS v))")
                    .bind_array(values.to_vec()),
            };
            self.push(" AND ");
        }
        column(self);
        self.push_in_texts(values)
    }

    /// Appends a list, padded to the next power of two with its last value: few texts for many
    /// lengths. An empty list matches nothing, by `AND 1 = 0`.
    fn push_in_padded<'a, T: Copy + Into<Cell<'a>>>(
        &mut self,
        values: &[T],
        filler: impl Fn() -> T,
    ) -> &mut Self {
        let Some(&last) = values.last() else {
            return self.push(" IN (?) AND 1 = 0").bind(filler());
        };
        let padded = values.len().next_power_of_two();
        self.push(" IN (?");
        for _ in 1..padded {
            self.push(",?");
        }
        self.push(")");
        for index in 0..padded {
            self.bind(values.get(index).copied().unwrap_or(last));
        }
        self
    }

    /// The text and the arguments for the driver. The text is safe: it consists of literals and
    /// numbers.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when a value cannot be stored.
    pub(super) fn into_parts(self) -> Result<(AssertSqlSafe<String>, Args)> {
        if let Some(values) = &self.logged {
            let values = serde_json::json!(values);
            tracing::trace!(target: LOG_TARGET, statement = self.name, text = %self.text, %values, "runs");
        }
        match self.refused {
            None => Ok((AssertSqlSafe(self.text), self.args)),
            Some(why) => Err(Error::invalid(why)),
        }
    }
}

/// The pattern, for `LOWER(…) LIKE ? ESCAPE '!'`, of texts that contain this one in any case.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(dialect: Dialect, ids: &[i64]) -> String {
        let mut query = Query::new("test", dialect, "SELECT id FROM Type WHERE name = ? AND id");
        query.bind("n").push_in(ids);
        query.text().to_owned()
    }

    #[test]
    fn placeholders_are_numbered_for_postgres_only() {
        assert_eq!(
            text_of(Dialect::Postgres, &[1, 2, 3]),
            "SELECT id FROM Type WHERE name = $1 AND id = ANY($2)"
        );
        assert_eq!(
            text_of(Dialect::MySql, &[1]),
            "SELECT id FROM Type WHERE name = ? AND id IN (?)"
        );
    }

    #[test]
    fn literals_are_digits() {
        let text = |dialect| {
            let mut query = Query::new("test", dialect, "VALUES (");
            query.push_int(-7).push(", ");
            query.push_bytes(b"\x00'?\xff").push(")");
            query.text().to_owned()
        };
        let mysql = "VALUES (-7, x'00273fff')";
        assert_eq!(text(Dialect::MySql), mysql);
        assert_eq!(text(Dialect::Sqlite), mysql);
        let postgres = "VALUES (-7, decode('00273fff', 'hex'))";
        assert_eq!(text(Dialect::Postgres), postgres);
    }

    #[test]
    fn logs_have_values_as_sql_does() {
        for (cell, expected) in [
            (Cell::from(-7), "-7"),
            (Cell::from(0.5), "0.5"),
            (Cell::from(true), "true"),
            (Cell::from("it's"), "'it''s'"),
            (Cell::from(vec![0, 171]), "decode('00ab', 'hex')"),
            (Cell::Text(None), "NULL"),
        ] {
            assert_eq!(cell.literal(Dialect::Postgres), expected);
        }
    }

    #[test]
    fn few_texts_for_many_lengths() {
        for dialect in Dialect::ALL {
            let texts: std::collections::HashSet<_> = (0..2000)
                .map(|length| text_of(dialect, &vec![7; length]))
                .collect();
            assert!(texts.len() <= 11, "{dialect:?}: {}", texts.len());
        }
    }
}
