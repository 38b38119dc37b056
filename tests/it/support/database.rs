//! The databases that the cases run on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use percent_encoding::percent_decode_str;
use tempfile::TempDir;

use crate::sql::{query_now, run_now, sqlite};

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
    fn server(self) -> String {
        let variable = match self {
            Self::SqliteFile | Self::SqliteMemory => panic!("SQLite has no server"),
            Self::Postgres => "PEDIGREE_TEST_POSTGRES_URL",
            Self::MySql => "PEDIGREE_TEST_MYSQL_URL",
        };
        env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} is not set: eval \"$(tests/databases start)\""))
    }
}

/// The tables of a MySQL database.
const TABLES: &str =
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()";

/// What deployments know of a database that has a server.
pub struct Access {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
}

/// A new database, which goes away with this.
#[derive(Debug)]
pub struct TestDatabase {
    pub backend: Backend,
    /// Where whoever opens it first creates it.
    pub url: String,
    dir: TempDir,
}

impl TestDatabase {
    pub fn new(backend: Backend) -> Self {
        let dir = TempDir::new().unwrap();
        let url = match backend {
            Backend::SqliteFile => sqlite(&dir.path().join("store.db")),
            Backend::SqliteMemory => "sqlite::memory:".to_owned(),
            Backend::Postgres | Backend::MySql => with_name(&backend.server(), &new_name()),
        };
        Self { backend, url, dir }
    }

    /// An empty MySQL database whose text is in this character set.
    pub fn of_mysql(character_set: &str) -> Self {
        let new = Self::new(Backend::MySql);
        let name = name_in(&new.url);
        run_now(
            &new.backend.server(),
            format!("CREATE DATABASE {name} CHARACTER SET {character_set}"),
        );
        new
    }

    /// A copy of this database, which nobody may be using.
    pub fn copy(&self) -> Self {
        let copy = Self::new(self.backend);
        let [from, to] = [&self.url, &copy.url].map(|url| name_in(url));
        match self.backend {
            Backend::SqliteFile => {
                fs::copy(self.file(), copy.file()).unwrap();
            }
            Backend::SqliteMemory => panic!("a store in memory has no copy"),
            Backend::Postgres => {
                let create = format!("CREATE DATABASE {to} TEMPLATE {from}");
                run_now(&self.backend.server(), create);
            }
            Backend::MySql => {
                let copying = query_now(&self.url, TABLES).into_iter().map(|table| {
                    format!(
                        "CREATE TABLE {to}.{table} LIKE {from}.{table}; \
                         INSERT INTO {to}.{table} SELECT * FROM {from}.{table};"
                    )
                });
                let create = format!("CREATE DATABASE {to};");
                run_now(
                    &self.backend.server(),
                    create + &copying.collect::<String>(),
                );
            }
        }
        copy
    }

    /// How it is reached, in parts.
    pub fn access(&self) -> Access {
        let url = url::Url::parse(&self.url).unwrap();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        Access {
            host: url.host_str().unwrap().to_owned(),
            port: url.port().unwrap(),
            user: decoded(url.username()),
            password: decoded(url.password().unwrap()),
            database: url.path().trim_start_matches('/').to_owned(),
        }
    }

    /// The port of its server.
    pub fn port(&self) -> u16 {
        self.access().port
    }

    /// Has it reached at another port from now on.
    pub fn go_through(&mut self, port: u16) {
        self.url = self
            .url
            .replace(&format!(":{}/", self.port()), &format!(":{port}/"));
    }

    /// Where a SQLite file is.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }

    /// A folder for who uses it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// A name that no other case uses, nor another run at the same time.
fn new_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("it_{}_{number}", process::id())
}

/// The URL with another database.
fn with_name(url: &str, name: &str) -> String {
    let (place, parameters) = url.split_at(url.find('?').unwrap_or(url.len()));
    let (server, _) = place.rsplit_once('/').unwrap();
    format!("{server}/{name}{parameters}")
}

fn name_in(url: &str) -> &str {
    let place = url.split('?').next().unwrap_or_default();
    place.rsplit('/').next().unwrap_or_default()
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = name_in(&self.url);
        let statement = match self.backend {
            Backend::SqliteFile | Backend::SqliteMemory => return,
            Backend::Postgres => format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            Backend::MySql => format!("DROP DATABASE IF EXISTS {name}"),
        };
        run_now(&self.backend.server(), statement);
    }
}
