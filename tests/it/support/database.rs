//! The databases that the cases run on.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use pedigree::graph::{Clock, Graph, Retention};
use pedigree::storage::Database;
use pedigree::storage::migrate::{self, Migration};
use percent_encoding::percent_decode_str;
use tempfile::TempDir;
use uuid::Uuid;

use crate::sql::{block_on, query_now, run_now, sqlite};

/// A kind of database to run the cases on. To add one: a variant here, a line in
/// `on_every_database!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    SqliteFile,
    SqliteMemory,
    Postgres,
    MySql,
}

impl Backend {
    /// The URL of the server where new databases go.
    pub fn server(self) -> String {
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
const MYSQL_TABLES: &str =
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()";

/// The databases of a server.
const POSTGRES_DATABASES: &str = "SELECT CAST(datname AS TEXT) FROM pg_database";
const MYSQL_DATABASES: &str = "SELECT schema_name FROM information_schema.schemata";

/// What deployments know of a database that has a server.
pub struct Access {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
}

/// A database of one case, which is deleted when this is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    pub backend: Backend,
    pub url: String,
    dir: TempDir,
}

impl TestDatabase {
    /// An empty store: a copy of the template of its back end, which is migrated once per process.
    pub fn new(backend: Backend) -> Self {
        let new = match backend {
            Backend::SqliteFile => {
                let new = Self::missing(backend);
                fs::write(new.file(), &*SQLITE_TEMPLATE).unwrap();
                new
            }
            // A store in memory exists only in the process that opens it.
            Backend::SqliteMemory => return Self::missing(backend),
            Backend::Postgres => POSTGRES_TEMPLATE.copy(),
            Backend::MySql => MYSQL_TEMPLATE.copy(),
        };
        let id = Uuid::new_v4().simple();
        let rename = format!("UPDATE PedigreeStore SET store_id = '{id}'");
        run_now(&new.url, rename);
        new
    }

    /// A URL where no database exists: the server that opens it creates it.
    pub fn missing(backend: Backend) -> Self {
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
        let new = Self::missing(Backend::MySql);
        let name = name_in(&new.url);
        run_now(
            &new.backend.server(),
            format!("CREATE DATABASE {name} CHARACTER SET {character_set}"),
        );
        new
    }

    /// An empty store on MySQL as an administrator may have made it: the collation of its tables
    /// ignores case, accents and trailing blanks.
    pub fn of_loose_mysql() -> Self {
        let new = Self::new(Backend::MySql);
        let tables = query_now(&new.url, MYSQL_TABLES).into_iter().map(|table| {
            format!(
                "ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 \
                 COLLATE utf8mb4_general_ci;"
            )
        });
        run_now(&new.url, tables.collect());
        new
    }

    /// A copy of this database, to which no connection may be open.
    pub fn copy(&self) -> Self {
        let copy = Self::missing(self.backend);
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
                let copying = query_now(&self.url, MYSQL_TABLES).into_iter().map(|table| {
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

/// A migrated SQLite file.
static SQLITE_TEMPLATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    fs::read(migrated(TestDatabase::missing(Backend::SqliteFile)).file()).unwrap()
});

static POSTGRES_TEMPLATE: LazyLock<TestDatabase> =
    LazyLock::new(|| template_on_server(Backend::Postgres));

static MYSQL_TEMPLATE: LazyLock<TestDatabase> =
    LazyLock::new(|| template_on_server(Backend::MySql));

/// A migrated database. Statics are not dropped, so that the server keeps it until the next process
/// of tests deletes it.
fn template_on_server(backend: Backend) -> TestDatabase {
    let names = match backend {
        Backend::Postgres => POSTGRES_DATABASES,
        _ => MYSQL_DATABASES,
    };
    for name in query_now(&backend.server(), names) {
        let number = name.strip_prefix(TEMPLATE_PREFIX);
        if number.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            run_now(&backend.server(), format!("DROP DATABASE {name}"));
        }
    }
    let mut template = TestDatabase::missing(backend);
    let name = format!("{TEMPLATE_PREFIX}{}", process::id());
    template.url = with_name(&template.url, &name);
    migrated(template)
}

fn migrated(database: TestDatabase) -> TestDatabase {
    let url = database.url.clone();
    block_on(async move {
        let opened = Database::open(&url, 2).await.unwrap();
        prepare(&opened).await;
        opened.close().await;
    });
    database
}

/// Migrates a database as a server does at its start.
pub async fn prepare(database: &Database) {
    let migration = Migration::default();
    migrate::prepare(database, &migration).await.unwrap();
    let graph = Graph::new(database.clone(), Retention::default(), Clock::default());
    graph.put_simple_types().await.unwrap();
}

/// The name of a template, before the number of the process that made it.
const TEMPLATE_PREFIX: &str = "it_template_";

/// A name that no other case uses, in this process or another.
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
