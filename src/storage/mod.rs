//! SQL and nothing else: one set of statements for three databases.
//!
//! * `predicate`: conditions on nodes that are compiled elsewhere.
//! * [`query`]: SQL text with bound values; there is no way to put a client's string into the text.
//! * [`dialect`]: every difference between the databases, as a named method.
//! * [`connect`]: how connections are made.
//! * [`database`]: pools, and how transactions begin.
//! * [`driver`]: transactions and rows; with `database` the only file that matches on the driver.
//! * `session`: a connection to a server while a transaction is open on it, and how it is returned.
//! * `sqlite`: the same for SQLite, and how it runs statements.
//! * `health`: whether the database is there and can be written.
//! * `probe`: what a database server must do, tried at the start.
//! * `budget`: connections that the pools of several databases share.
//! * `permits`: how many connections of a pool are in use.
//! * `db_error`: database errors, classified by what a caller can do about them.
//! * [`migrate`]: create, check, upgrade and downgrade the schema.
//! * `journal`: the changes of a transaction, and its savepoints.
//! * `notifications`: LISTEN and NOTIFY between servers on one PostgreSQL database.
//! * `type_cache`: a cache of types.
//! * [`tables`]: the statements, a file per table family.

mod budget;
mod bulk;
pub mod column;
pub mod connect;
pub mod database;
mod db_error;
pub mod dialect;
pub mod driver;
mod health;
mod journal;
pub mod migrate;
mod notifications;
mod permits;
mod predicate;
mod probe;
pub mod query;
mod session;
mod sqlite;
mod statement;
pub mod tables;
mod type_cache;

pub use budget::ConnectionBudget;
pub use database::Database;
pub use dialect::Dialect;
pub use driver::Tx;
pub use health::is_busy;
pub use journal::TakenJournal;
pub use notifications::NotificationListener;
pub use permits::LongReadPermit;
pub use predicate::{Predicate, SqlFragment};
pub use probe::{Answer, Finding};
pub use query::{Cell, MAX_PADDED_LIST_VALUES, Query};
