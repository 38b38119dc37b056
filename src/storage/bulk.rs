//! Writes of many rows in few statements, whose texts do not depend on the number of rows.

use std::borrow::Cow;

use super::column::FromRow;
use super::query::{Cell, Query};
use super::{Dialect, Tx};
use crate::error::Result;

/// Maximum number of rows of a statement that lists them as VALUES.
const MAX_ROWS_PER_VALUES_STATEMENT: usize = 128;

/// Maximum number of rows that one statement lists without a split into powers of two.
const MAX_ROWS_UNSPLIT: usize = 24;

/// Maximum number of rows of a statement that binds columns as arrays.
const MAX_ROWS_PER_ARRAY_STATEMENT: usize = 16_384;

/// Maximum size of the values of a statement with several rows, in bytes: no server refuses it.
const MAX_STATEMENT_BYTES: usize = 4 << 20;

/// The SQL type of a column, for arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Int,
    Double,
    Bool,
    Text,
    Bytes,
}

/// A table, or the part of it that a statement writes.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// The columns that statements write.
    pub columns: &'static [(&'static str, ColumnType)],
    /// Further columns.
    pub unwritten: &'static [&'static str],
    /// The number of leading columns that identify a row in [`Tx::upsert_rows`] and
    /// [`Tx::delete_rows`].
    pub key: usize,
}

impl Table {
    /// The names of all columns.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &'static str> {
        let written = self.columns.iter().map(|(name, _)| *name);
        written.chain(self.unwritten.iter().copied())
    }
}

/// Rows to write, as cells in the order of the table's columns, row after row.
#[derive(Debug)]
pub struct Rows<'a> {
    table: &'static Table,
    width: usize,
    cells: Vec<Cell<'a>>,
}

impl<'a> Rows<'a> {
    /// An empty set of rows with all columns.
    #[must_use]
    pub fn new(table: &'static Table) -> Self {
        Self {
            table,
            width: table.columns.len(),
            cells: Vec::new(),
        }
    }

    /// An empty set of rows with the key columns only.
    #[must_use]
    pub fn keys(table: &'static Table) -> Self {
        Self {
            width: table.key,
            ..Self::new(table)
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell<'a>>) {
        self.cells.extend(row);
        debug_assert_eq!(self.cells.len() % self.width, 0, "{}", self.table.name);
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Splits the rows into one batch for each statement. Where the text shows the number of rows,
    /// large batches are powers of two, so that a table has few texts; a few rows are one batch.
    /// Rows with long values are split further.
    fn batches(&self, dialect: Dialect) -> impl Iterator<Item = &[Cell<'a>]> {
        let mut rest = self.cells.as_slice();
        let width = self.width;
        std::iter::from_fn(move || {
            let rows = rest.len() / width;
            if rows == 0 {
                return None;
            }
            let mut batch = if dialect.has_arrays() {
                rows.min(MAX_ROWS_PER_ARRAY_STATEMENT)
            } else if rows <= MAX_ROWS_UNSPLIT {
                rows
            } else {
                (1 << rows.ilog2()).min(MAX_ROWS_PER_VALUES_STATEMENT)
            };
            let bytes = |rows: usize| rest[..rows * width].iter().map(Cell::size).sum::<usize>();
            while batch > 1 && bytes(batch) > MAX_STATEMENT_BYTES {
                batch /= 2;
            }
            let (head, tail) = rest.split_at(batch * width);
            rest = tail;
            Some(head)
        })
    }

    fn push_columns(&self, query: &mut Query) {
        for (index, (name, _)) in self.table.columns[..self.width].iter().enumerate() {
            query.push(if index == 0 { "" } else { ", " }).push(name);
        }
    }

    /// `INSERT INTO t (columns) VALUES (…), (…)`, or `SELECT * FROM UNNEST(…)` on PostgreSQL.
    fn insert(&self, dialect: Dialect, batch: &[Cell<'a>]) -> Query {
        let mut query = Query::new(self.table.name, dialect, "INSERT INTO ");
        query.push(self.table.name).push(" (");
        self.push_columns(&mut query);
        query.push(") ");
        if !dialect.has_arrays() {
            query.push("VALUES ");
        }
        self.push_rows(&mut query, batch);
        query
    }

    /// Appends ` FROM t WHERE` with the condition that the key is one of a batch.
    fn push_where(&self, query: &mut Query, batch: &[Cell<'a>]) {
        query.push(" FROM ").push(self.table.name).push(" WHERE (");
        let Some(open) = query.dialect().row_list_open() else {
            self.push_alternatives(query, batch);
            query.push(")");
            return;
        };
        self.push_columns(query);
        query.push(open);
        self.push_rows(query, batch);
        query.push(")");
    }

    /// Appends `a = ? AND b = ? OR a = ? AND b = ?`.
    fn push_alternatives(&self, query: &mut Query, batch: &[Cell<'a>]) {
        for (index, row) in batch.chunks(self.width).enumerate() {
            query.push(if index == 0 { "" } else { " OR " });
            for (place, (cell, (name, _))) in row.iter().zip(self.table.columns).enumerate() {
                query.push(if place == 0 { "" } else { " AND " });
                query.push(name).push(" = ?").bind(cell.clone());
            }
        }
    }

    fn push_rows(&self, query: &mut Query, batch: &[Cell<'a>]) {
        if query.dialect().has_arrays() {
            query.push("SELECT * FROM UNNEST(");
            for (index, (_, column)) in self.table.columns[..self.width].iter().enumerate() {
                query.push(if index == 0 { "" } else { ", " });
                let cells = batch.iter().skip(index).step_by(self.width);
                cells.clone().for_each(|cell| query.check(cell));
                push_array(query, *column, cells);
            }
            query.push(")");
            return;
        }
        for (index, row) in batch.chunks(self.width).enumerate() {
            query.push(if index == 0 { "(?" } else { ", (?" });
            for _ in 1..self.width {
                query.push(", ?");
            }
            query.push(")");
            for cell in row {
                query.bind(cell.clone());
            }
        }
    }
}

fn push_array<'c, 'a: 'c>(
    query: &mut Query,
    column: ColumnType,
    cells: impl Iterator<Item = &'c Cell<'a>>,
) {
    macro_rules! array {
        ($sql:literal, $variant:ident, $own:expr) => {{
            let values: Vec<_> = cells
                .map(|cell| match cell {
                    Cell::$variant(value) => value.as_ref().map($own),
                    _ => None,
                })
                .collect();
            query.push($sql).bind_array(values);
        }};
    }
    match column {
        ColumnType::Int => array!("?::bigint[]", Int, |value| *value),
        ColumnType::Double => array!("?::float8[]", Double, |value| *value),
        ColumnType::Bool => array!("?::bool[]", Bool, |value| *value),
        ColumnType::Text => array!("?::text[]", Text, Cow::as_ref),
        ColumnType::Bytes => array!("?::bytea[]", Bytes, Cow::as_ref),
    }
}

impl Tx {
    /// Inserts the rows.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when a unique key forbids one of them.
    pub async fn insert_rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        for batch in rows.batches(self.dialect()) {
            self.run(rows.insert(self.dialect(), batch)).await?;
        }
        Ok(())
    }

    /// Inserts the pairs of ids that no unique key forbids, and returns them where the database
    /// can.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn insert_missing_pairs(&mut self, rows: &Rows<'_>) -> Result<Vec<(i64, i64)>> {
        let mut inserted = Vec::new();
        for batch in rows.batches(self.dialect()) {
            let mut query = rows.insert(self.dialect(), batch);
            self.dialect().push_skip_existing(&mut query, rows.table);
            if self.dialect().returns_rows() {
                query.push(" RETURNING ");
                rows.push_columns(&mut query);
                inserted.extend(self.all::<(i64, i64)>(query).await?);
            } else {
                self.run(query).await?;
            }
        }
        Ok(inserted)
    }

    /// Inserts the rows that no unique key forbids.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn insert_missing_rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        for batch in rows.batches(self.dialect()) {
            let mut query = rows.insert(self.dialect(), batch);
            self.dialect().push_skip_existing(&mut query, rows.table);
            self.run(query).await?;
        }
        Ok(())
    }

    /// Inserts the rows into a table with generated ids, and returns the ids in the order of the
    /// rows.
    ///
    /// # Errors
    ///
    /// As [`Self::insert_rows`].
    pub async fn insert_rows_for_ids(&mut self, rows: &Rows<'_>) -> Result<Vec<i64>> {
        let mut ids = Vec::with_capacity(rows.cells.len() / rows.width);
        for batch in rows.batches(self.dialect()) {
            let query = rows.insert(self.dialect(), batch);
            let count = batch.len() / rows.width;
            ids.extend(self.insert_returning_ids(query, count).await?);
        }
        Ok(ids)
    }

    /// Inserts the rows, or updates the rows that have their keys.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when another unique key forbids one of them.
    pub async fn upsert_rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        for batch in rows.batches(self.dialect()) {
            let mut query = rows.insert(self.dialect(), batch);
            self.dialect().push_upsert(&mut query, rows.table);
            self.run(query).await?;
        }
        Ok(())
    }

    /// Deletes the rows with these keys.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn delete_rows(&mut self, keys: &Rows<'_>) -> Result<()> {
        for batch in keys.batches(self.dialect()) {
            let mut query = self.sql("bulk::delete_rows", "DELETE");
            keys.push_where(&mut query, batch);
            self.run(query).await?;
        }
        Ok(())
    }

    /// Returns the keys that rows have.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn existing_keys<Key: FromRow>(&mut self, keys: &Rows<'_>) -> Result<Vec<Key>> {
        let mut found = Vec::new();
        for batch in keys.batches(self.dialect()) {
            let mut query = self.sql("bulk::existing_keys", "SELECT ");
            keys.push_columns(&mut query);
            keys.push_where(&mut query, batch);
            found.extend(self.all::<Key>(query).await?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Table = Table {
        name: "T",
        columns: &[("id", ColumnType::Int), ("content", ColumnType::Bytes)],
        unwritten: &[],
        key: 1,
    };

    #[test]
    fn rows_with_long_values_take_several_statements() {
        let long = vec![0; 1 << 20];
        let longest = vec![0; 2 * MAX_STATEMENT_BYTES];
        let mut rows = Rows::new(&TABLE);
        for number in 0..40 {
            let content = if number == 20 { &longest } else { &long };
            rows.push([number.into(), content.as_slice().into()]);
        }
        for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql] {
            let batches: Vec<&[Cell<'_>]> = rows.batches(dialect).collect();
            let cells: usize = batches.iter().map(|batch| batch.len()).sum();
            assert_eq!(cells, 80);
            for batch in batches {
                let bytes: usize = batch.iter().map(Cell::size).sum();
                assert!(batch.len() == 2 || bytes <= MAX_STATEMENT_BYTES, "{bytes}");
            }
        }
    }
}
