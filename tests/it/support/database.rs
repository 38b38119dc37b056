//! The databases that the cases run on.

use std::env;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::sql::{run_sql, sqlite};

/// A kind of database to run the cases on. To add one: a variant here, a line in `on_every_database!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    SqliteFile,
    SqliteMemory,
    Postgres,
    MySql,
}

impl Backend {
    /// Whether texts that differ in case or in trailing spaces are the same to its keys and comparisons (spec section 3.6).
    pub const fn folds_case(self) -> bool {
        matches!(self, Self::MySql)
    }

    /// The URL of the server where new databases go.
    fn server(self) -> Option<String> {
        let variable = match self {
            Self::SqliteFile | Self::SqliteMemory => return None,
            Self::Postgres => "PEDIGREE_TEST_POSTGRES_URL",
            Self::MySql => "PEDIGREE_TEST_MYSQL_URL",
        };
        let url = env::var(variable);
        Some(
            url.unwrap_or_else(|_| {
                panic!("{variable} is not set: eval \"$(tests/databases start)\"")
            }),
        )
    }
}

/// A new database, which goes away with this.
#[derive(Debug)]
pub struct TestDatabase {
    pub backend: Backend,
    /// Where a server creates it.
    pub url: String,
    /// A folder for its files.
    _dir: TempDir,
}

impl TestDatabase {
    pub fn new(backend: Backend) -> Self {
        let dir = TempDir::new().unwrap();
        let url = match backend {
            Backend::SqliteFile => sqlite(&dir.path().join("store.db")),
            Backend::SqliteMemory => "sqlite::memory:".to_owned(),
            Backend::Postgres | Backend::MySql => {
                with_database(&backend.server().unwrap_or_default(), &new_name())
            }
        };
        Self {
            backend,
            url,
            _dir: dir,
        }
    }
}

/// A name that no other case uses, nor another run at the same time.
fn new_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!(
        "it_{}_{}",
        process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (place, parameters) = url
        .split_once('?')
        .map_or((url, None), |(a, b)| (a, Some(b)));
    let (server, _) = place.rsplit_once('/').unwrap();
    match parameters {
        Some(parameters) => format!("{server}/{name}?{parameters}"),
        None => format!("{server}/{name}"),
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = match self.backend {
            Backend::SqliteFile | Backend::SqliteMemory => return,
            Backend::Postgres => "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            Backend::MySql => "DROP DATABASE IF EXISTS {}",
        };
        let (place, _) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let name = place.rsplit('/').next().unwrap_or_default();
        let statement = statement.replace("{}", name);
        let server = self.backend.server().unwrap_or_default();
        // A case may end inside a runtime, where only another thread may wait for the database. What cannot be dropped stays:
        // the case has ended, and the servers that tests/run starts are thrown away as a whole.
        let dropped = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(run_sql(&server, statement));
        });
        if dropped.join().is_err() {
            eprintln!("{name} is left behind");
        }
    }
}
