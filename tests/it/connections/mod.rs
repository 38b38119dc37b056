//! How the program reaches its database: addresses, upstream's settings, TLS, and what it says when
//! it cannot.

mod secrets;
mod tls;
mod upstream;

use pedigree::error::Error;
use pedigree::storage::Database;
use pedigree::storage::connect::Connect;
use percent_encoding::percent_decode_str;

use crate::migrate::exists;
use crate::sql::run_now;
use crate::support::{Backend, TestDatabase};

on_every_server! {
    missing_databases_are_created_whatever_their_names,
    a_missing_database_that_is_not_to_be_created_is_refused,
}
with_servers! {
    the_password_may_stand_in_a_file,
    a_server_that_is_not_as_demanded_is_refused_with_the_reason,
}
once!(a_server_that_is_not_there_is_unavailable);

/// Connects with the usual settings for a URL.
async fn connect(url: &str) -> Result<Database, Error> {
    Database::open(url, 2).await
}

/// What an address that cannot be used ends in.
async fn refusal(url: &str) -> Error {
    connect(url).await.map(drop).unwrap_err()
}

/// A database with an unusual name, which is dropped with this.
struct Named {
    name: String,
    url: String,
    drop: (String, String),
}

impl Named {
    fn new(backend: Backend, end: &str) -> Self {
        let url = TestDatabase::missing(backend).url.clone();
        let (server, name) = url.rsplit_once('/').unwrap();
        let name = format!("{name}{end}");
        let bytes = name.bytes().map(|byte| format!("%{byte:02X}"));
        let drop = match backend {
            Backend::MySql => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\" WITH (FORCE)", name.replace('"', "\"\"")),
        };
        Self {
            url: format!("{server}/{}", bytes.collect::<String>()),
            drop: (
                format!(
                    "{server}/{}",
                    if backend == Backend::MySql {
                        "mysql"
                    } else {
                        "postgres"
                    }
                ),
                format!("DROP DATABASE IF EXISTS {drop}"),
            ),
            name,
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let (url, statement) = self.drop.clone();
        run_now(&url, statement);
    }
}

/// The parts of the URL of a server.
struct Parts {
    host: String,
    port: u16,
    user: String,
    password: String,
}

fn parts(backend: Backend) -> Parts {
    let url = url::Url::parse(&TestDatabase::missing(backend).url).unwrap();
    let password = percent_decode_str(url.password().unwrap()).decode_utf8();
    Parts {
        host: url.host_str().unwrap().to_owned(),
        port: url.port().unwrap(),
        user: url.username().to_owned(),
        password: password.unwrap().into_owned(),
    }
}

async fn missing_databases_are_created_whatever_their_names(backend: Backend) {
    for end in ["-Mixed Case", "'\"`;--", "/%_?#@:", "é漢"] {
        let database = Named::new(backend, end);
        let to = Connect {
            mysql_utf8mb4: true,
            ..Connect::new(database.url.parse().unwrap())
        };
        assert!(Database::look(&to).await.unwrap().is_none());
        for _ in 0..2 {
            connect(&database.url).await.unwrap().close().await;
        }
        let found = Database::look(&to).await.unwrap().unwrap();
        let mut tx = found.read().await.unwrap();
        let current = match backend {
            Backend::Postgres => "SELECT CAST(current_database() AS TEXT)",
            _ => "SELECT DATABASE()",
        };
        let name: Option<String> = tx.first(tx.sql("test", current)).await.unwrap();
        assert_eq!(name.unwrap(), database.name);
    }
}

async fn a_missing_database_that_is_not_to_be_created_is_refused(backend: Backend) {
    let database = TestDatabase::missing(backend);
    let to = Connect {
        create: false,
        ..Connect::new(database.url.parse().unwrap())
    };
    let error = Database::connect(&to).await.unwrap_err();
    assert!(matches!(error, Error::FailedPrecondition(_)), "{error:?}");
    assert!(!exists(&database).await);
    assert!(Database::look(&to).await.unwrap().is_none());
}

async fn a_server_that_is_not_there_is_unavailable() {
    for url in ["postgres://u:p@127.0.0.1:1/d", "mysql://u:p@127.0.0.1:1/d"] {
        let error = refusal(url).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
}

async fn a_server_that_is_not_as_demanded_is_refused_with_the_reason() {
    let database = TestDatabase::new(Backend::Postgres);
    for (target, reason) in [
        ("read-only", "it takes writes"),
        ("standby", "it is no standby"),
    ] {
        let url = format!("{}?target_session_attrs={target}", database.url);
        let error = refusal(&url).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(error.chain().ends_with(reason), "{}", error.chain());
    }
}

async fn the_password_may_stand_in_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let Parts {
        host,
        port,
        user,
        password,
    } = parts(Backend::Postgres);
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = format!("{host}:*:postgres:{user}:{password}\n");
    std::fs::write(file.path(), line).unwrap();
    let path = file.path().display();
    let url = format!("postgres://{user}@{host}:{port}/postgres?passfile={path}");
    connect(&url).await.unwrap().close().await;
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file.path(), readable).unwrap();
    let error = refusal(&url).await;
    assert!(error.chain().contains("password"), "{}", error.chain());
}
