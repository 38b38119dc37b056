//! Columns as every driver can decode them.
//!
//! Upstream's databases differ in details that drivers are strict about: PostgreSQL has INT4 where we have BIGINT, SQLite
//! keeps text in BLOB columns, and MySQL may hand out text as bytes. These types accept all of it.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef as SqliteValue};
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::{Database, Decode, MySql, Postgres, Row, Type};

/// A column that every driver can decode.
pub trait Column:
    for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, MySql> + Type<MySql> + FromSql
{
}
impl<T> Column for T where
    T: for<'r> Decode<'r, Postgres>
        + Type<Postgres>
        + for<'r> Decode<'r, MySql>
        + Type<MySql>
        + FromSql
{
}

/// A row of any driver.
pub trait Columns {
    type Error;

    /// The column at this place.
    ///
    /// # Errors
    ///
    /// The driver's, when it cannot be decoded.
    fn column<T: Column>(&self, place: usize) -> Result<T, Self::Error>;
}

macro_rules! columns {
    ($($row:ty),*) => { $(
        impl Columns for $row {
            type Error = sqlx::Error;

            fn column<T: Column>(&self, place: usize) -> Result<T, sqlx::Error> {
                self.try_get(place)
            }
        }
    )* };
}
columns!(PgRow, MySqlRow);

impl Columns for rusqlite::Row<'_> {
    type Error = rusqlite::Error;

    fn column<T: Column>(&self, place: usize) -> Result<T, rusqlite::Error> {
        self.get(place)
    }
}

/// What is made of a row: a tuple of columns.
pub trait Record: Sized + Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The driver's, when a column cannot be decoded.
    fn read<R: Columns>(row: &R) -> Result<Self, R::Error>;
}

macro_rules! records {
    ($($($column:ident $place:tt),+;)+) => { $(
        impl<$($column: Column + Send + 'static),+> Record for ($($column,)+) {
            fn read<R: Columns>(row: &R) -> Result<Self, R::Error> {
                Ok(($(row.column::<$column>($place)?,)+))
            }
        }
    )+ };
}
records! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
}

/// What is made of many rows, which need not all be read whole.
pub trait Gathered: Default + Send + 'static {
    /// Takes in the next row.
    ///
    /// # Errors
    ///
    /// The driver's, when a column cannot be decoded.
    fn add<R: Columns>(&mut self, row: &R) -> Result<(), R::Error>;
}

impl<T: Record> Gathered for Vec<T> {
    fn add<R: Columns>(&mut self, row: &R) -> Result<(), R::Error> {
        self.push(T::read(row)?);
        Ok(())
    }
}

/// Any integer, widened to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int(pub i64);

/// A truth value: BOOLEAN, or an integer that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub bool);

/// Text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

/// Bytes, whether the column or the value in it is binary or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

macro_rules! column {
    ($name:ident as $inner:ty, $($database:ty),*) => { $(
        impl Type<$database> for $name {
            fn type_info() -> <$database as Database>::TypeInfo {
                <$inner as Type<$database>>::type_info()
            }
            fn compatible(_: &<$database as Database>::TypeInfo) -> bool {
                true // The statement chose the column; what it holds is checked when it is decoded.
            }
        }
    )* };
}
column!(Int as i64, Postgres, MySql);
column!(Flag as bool, Postgres, MySql);
column!(Text as String, Postgres, MySql);
column!(Bytes as Vec<u8>, Postgres, MySql);

macro_rules! decode {
    ($name:ident as $inner:ty, $($database:ty),*) => { $(
        impl<'r> Decode<'r, $database> for $name {
            fn decode(value: <$database as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
                <$inner as Decode<$database>>::decode(value).map(Self)
            }
        }
    )* };
}
decode!(Int as i64, Postgres, MySql);
decode!(Flag as bool, Postgres, MySql);
decode!(Text as String, Postgres, MySql);
decode!(Bytes as Vec<u8>, Postgres, MySql);

impl FromSql for Int {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

impl FromSql for Flag {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|number| Self(number != 0))
    }
}

impl FromSql for Text {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        let text = std::str::from_utf8(value.as_bytes()?);
        text.map(|text| Self(text.to_owned()))
            .map_err(FromSqlError::other)
    }
}

impl FromSql for Bytes {
    fn column_result(value: SqliteValue<'_>) -> FromSqlResult<Self> {
        value.as_bytes().map(|bytes| Self(bytes.to_vec()))
    }
}
