//! Rows and columns, decoded in the same way from every driver.
//!
//! Upstream's databases differ in details about which drivers are strict: PostgreSQL has INT4 where
//! our schema has BIGINT, SQLite keeps text in BLOB columns, and MySQL may return text as bytes.
//! Columns that hold such values decode all the same. Other programs may have stored bytes that are
//! no UTF-8 in a column of text: they are replaced, so that one text fails no list.

use std::borrow::Cow;

use metrics::counter;
use rusqlite::types::{FromSql, FromSqlResult, ValueRef as SqliteValue};
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::{Database, Decode, MySql, Postgres, Row as _, Type};

use super::Dialect;

/// A row of any driver.
pub trait Row: Sized {
    type Error;

    /// The dialect of its driver.
    const DIALECT: Dialect;

    /// Decodes the column at this index as a type that the drivers know.
    ///
    /// # Errors
    ///
    /// The driver's error when the value has another type.
    fn get_raw<T: RawColumn>(&self, index: usize) -> Result<T, Self::Error>;

    /// Decodes the column at this index.
    ///
    /// # Errors
    ///
    /// As [`Self::get_raw`].
    fn get<T: DecodeColumn>(&self, index: usize) -> Result<T, Self::Error> {
        self.get_raw(index).map(T::from_raw)
    }

    /// Decodes the column at this index as text, without a copy where the driver has it so.
    ///
    /// # Errors
    ///
    /// As [`Self::get_raw`].
    fn get_text(&self, index: usize) -> Result<Option<Cow<'_, str>>, Self::Error> {
        let text: Option<String> = self.get(index)?;
        Ok(text.map(Cow::Owned))
    }
}

macro_rules! sqlx_rows {
    ($($row:ty: $dialect:ident),*) => { $(
        impl Row for $row {
            type Error = sqlx::Error;

            const DIALECT: Dialect = Dialect::$dialect;

            fn get_raw<T: RawColumn>(&self, index: usize) -> Result<T, sqlx::Error> {
                self.try_get(index)
            }
        }
    )* };
}
sqlx_rows!(PgRow: Postgres, MySqlRow: MySql);

impl Row for rusqlite::Row<'_> {
    type Error = rusqlite::Error;

    const DIALECT: Dialect = Dialect::Sqlite;

    fn get_raw<T: RawColumn>(&self, index: usize) -> Result<T, rusqlite::Error> {
        self.get(index)
    }

    fn get_text(&self, index: usize) -> Result<Option<Cow<'_, str>>, rusqlite::Error> {
        let value = self.get_ref(index)?;
        if let SqliteValue::Text(bytes) = value
            && let Ok(text) = str::from_utf8(bytes)
        {
            return Ok(Some(Cow::Borrowed(text)));
        }
        let text: Option<String> = Row::get(self, index)?;
        Ok(text.map(Cow::Owned))
    }
}

/// A value that is made from one row, whose columns it reads by their index.
pub trait FromRow: Sized + Send + 'static {
    /// Decodes the row.
    ///
    /// # Errors
    ///
    /// The driver's error when a column has another type.
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error>;
}

/// The only column of a row.
impl<T: DecodeColumn> FromRow for T {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        row.get(0)
    }
}

macro_rules! tuples_from_rows {
    ($($($column:ident $index:tt),+;)+) => { $(
        impl<$($column: DecodeColumn),+> FromRow for ($($column,)+) {
            fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
                Ok(($(row.get::<$column>($index)?,)+))
            }
        }
    )+ };
}
tuples_from_rows! {
    A 0, B 1;
    A 0, B 1, C 2;
}

/// A value that is made from all rows of a query, row by row.
pub trait FromRows: Default + Send + 'static {
    /// Decodes the next row and adds it.
    ///
    /// # Errors
    ///
    /// As [`FromRow::from_row`].
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error>;
}

impl<T: FromRow> FromRows for Vec<T> {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        self.push(T::from_row(row)?);
        Ok(())
    }
}

/// A type that a column of any driver decodes to. `None` stands for NULL.
pub trait DecodeColumn: Sized + Send + 'static {
    type Raw: RawColumn;

    fn from_raw(raw: Self::Raw) -> Self;
}

impl<T: DecodeColumn> DecodeColumn for Option<T> {
    type Raw = Option<T::Raw>;

    fn from_raw(raw: Self::Raw) -> Self {
        raw.map(T::from_raw)
    }
}

impl DecodeColumn for f64 {
    type Raw = Self;

    fn from_raw(raw: Self) -> Self {
        raw
    }
}

/// A type that every driver decodes.
pub trait RawColumn:
    for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, MySql> + Type<MySql> + FromSql
{
}
impl<T> RawColumn for T where
    T: for<'r> Decode<'r, Postgres>
        + Type<Postgres>
        + for<'r> Decode<'r, MySql>
        + Type<MySql>
        + FromSql
{
}

/// An integer of any width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawInt(pub i64);

/// BOOLEAN, or an integer, of which 0 is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawBool(pub bool);

/// Text, whether the column is of text or of bytes. What is no UTF-8 is replaced by U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawText(pub String);

impl From<Vec<u8>> for RawText {
    fn from(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            counter!("pedigree_unreadable_values_total").increment(1);
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        Self(text)
    }
}

/// Bytes, whether the column or the value in it is of bytes or of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBytes(pub Vec<u8>);

macro_rules! raw_column {
    ($name:ident as $inner:ty as $decoded:ty, $($database:ty),*) => {
        impl From<$inner> for $name {
            fn from(decoded: $inner) -> Self {
                Self(decoded)
            }
        }

        impl DecodeColumn for $inner {
            type Raw = $name;

            fn from_raw(raw: $name) -> Self {
                raw.0
            }
        }
        $(
            impl Type<$database> for $name {
                fn type_info() -> <$database as Database>::TypeInfo {
                    <$inner as Type<$database>>::type_info()
                }

                fn compatible(_: &<$database as Database>::TypeInfo) -> bool {
                    true // The statement chose the column; decoding checks the value.
                }
            }

            impl<'r> Decode<'r, $database> for $name {
                fn decode(
                    value: <$database as Database>::ValueRef<'r>,
                ) -> Result<Self, BoxDynError> {
                    <$decoded as Decode<$database>>::decode(value).map(Self::from)
                }
            }
        )*
    };
}
raw_column!(RawInt as i64 as i64, Postgres, MySql);
raw_column!(RawBool as bool as bool, Postgres, MySql);
raw_column!(RawText as String as Vec<u8>, Postgres, MySql);
raw_column!(RawBytes as Vec<u8> as Vec<u8>, Postgres, MySql);

impl FromSql for RawInt {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

impl FromSql for RawBool {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|number| Self(number != 0))
    }
}

impl FromSql for RawText {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        match value {
            SqliteValue::Integer(number) => Ok(Self(number.to_string())),
            SqliteValue::Real(number) => Ok(Self(number.to_string())),
            _ => value.as_bytes().map(|bytes| bytes.to_vec().into()),
        }
    }
}

impl FromSql for RawBytes {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        value.as_bytes().map(|bytes| Self(bytes.to_vec()))
    }
}
