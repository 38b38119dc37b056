//! A look into a database, past the server.

use std::path::Path;
use std::sync::Once;
use std::thread;

use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::runtime::Builder;

use crate::support::Backend;

/// The URL of a SQLite file.
pub fn sqlite(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// Connects to the database of a URL, which must be there; a SQLite file is created.
pub async fn connect(url: &str) -> AnyConnection {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(install_default_drivers);
    let creating = url.replacen("sqlite:", "sqlite://", 1) + "?mode=rwc";
    let url = if url.starts_with("sqlite:") {
        &creating
    } else {
        url
    };
    AnyConnection::connect(url).await.unwrap()
}

/// Runs statements.
pub async fn run_sql(url: &str, sql: impl Into<String>) {
    let mut connection = connect(url).await;
    let sql = AssertSqlSafe(sql.into());
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The texts in the only column of a query.
pub async fn query(url: &str, sql: &'static str) -> Vec<String> {
    let mut connection = connect(url).await;
    let texts = sqlx::query_scalar(sql).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    texts.unwrap()
}

/// A table that a session keeps from all others; on SQLite it keeps the database from all writers.
pub struct TableLock {
    holder: AnyConnection,
    unlock: &'static str,
}

impl TableLock {
    pub async fn of(backend: Backend, url: &str, table: &str) -> Self {
        let (lock, unlock) = match backend {
            Backend::SqliteFile | Backend::SqliteMemory => ("BEGIN IMMEDIATE".into(), "ROLLBACK"),
            Backend::Postgres => (
                format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
                "ROLLBACK",
            ),
            Backend::MySql => (format!("LOCK TABLES {table} WRITE"), "UNLOCK TABLES"),
        };
        let mut holder = connect(url).await;
        let lock = sqlx::raw_sql(AssertSqlSafe(lock));
        lock.execute(&mut holder).await.unwrap();
        Self { holder, unlock }
    }

    pub async fn release(mut self) {
        let unlock = sqlx::raw_sql(AssertSqlSafe(self.unlock));
        unlock.execute(&mut self.holder).await.unwrap();
        self.holder.close().await.unwrap();
    }
}

/// [`run_sql`] for where nothing is awaited.
pub fn run_now(url: &str, sql: String) {
    let url = url.to_owned();
    block_on(async move { run_sql(&url, sql).await });
}

/// [`query`] for where nothing is awaited.
pub fn query_now(url: &str, sql: &'static str) -> Vec<String> {
    let url = url.to_owned();
    block_on(async move { query(&url, sql).await })
}

/// Waits for a database in a thread of its own: the one that asks may belong to a runtime, which
/// must not wait.
pub fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || runtime.block_on(work))
        .join()
        .unwrap()
}
