//! A look into a SQLite file, past the server.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.create_if_missing(true).connect().await.unwrap()
}

/// Runs statements on a file, which is created where there is none.
pub async fn run_sql(file: &Path, sql: &'static str) {
    let mut connection = connect(file).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The texts in the only column of a query.
pub async fn query(file: &Path, sql: &'static str) -> Vec<String> {
    let mut connection = connect(file).await;
    let texts = sqlx::query_scalar(sql).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    texts.unwrap()
}
