//! A database server of a test's own, which it may kill.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::binary::{Process, Server, pedigree};
use crate::sql::run_sql;
use crate::support::Backend;

/// The password of the store's user. It is no other word's part.
const SECRET: &str = "kPq7vX";

const POSTGRES_USERS: [&str; 3] = [
    "CREATE ROLE store LOGIN PASSWORD 'kPq7vX'",
    "CREATE ROLE guest LOGIN PASSWORD 'kPq7vX'",
    "CREATE DATABASE store OWNER store",
];

const MYSQL_USERS: [&str; 3] = [
    "CREATE DATABASE store",
    "CREATE USER guest@'%' IDENTIFIED BY 'kPq7vX'",
    "GRANT ALL ON store.* TO 'store'@'%' IDENTIFIED BY 'kPq7vX'",
];

pub struct Cluster {
    pub backend: Backend,
    folder: TempDir,
}

impl Cluster {
    /// Starts a server with an empty database for a store, its user, for whom the limits of
    /// ordinary users hold, and another one.
    pub async fn start(backend: Backend) -> Self {
        let folder = TempDir::new().unwrap();
        // The server's user is another one where the tests run as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = Self { backend, folder };
        cluster.run(&["start"]);
        for statement in match backend {
            Backend::Postgres => POSTGRES_USERS,
            _ => MYSQL_USERS,
        } {
            cluster.run_sql(statement).await;
        }
        cluster
    }

    const fn name(&self) -> &'static str {
        match self.backend {
            Backend::Postgres => "postgres",
            Backend::MySql => "mysql",
            Backend::SqliteFile | Backend::SqliteMemory => panic!("SQLite has no server"),
        }
    }

    /// Has `tests/databases` do something with this server.
    fn run(&self, what: &[&str]) {
        let other = match self.backend {
            Backend::Postgres => "PEDIGREE_TEST_MYSQL_URL",
            _ => "PEDIGREE_TEST_POSTGRES_URL",
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases");
        let done = Command::new(script)
            .args(what)
            .env("PEDIGREE_TEST_DATABASES", self.folder.path())
            .env_remove("PEDIGREE_TEST_POSTGRES_URL")
            .env_remove("PEDIGREE_TEST_MYSQL_URL")
            .env(other, "not wanted")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "tests/databases {what:?}: {done}");
    }

    /// Ends the server and its children with SIGKILL.
    pub fn kill(&self) {
        self.run(&["kill"]);
    }

    /// Ends the server as an administrator does.
    pub fn halt(&self) {
        self.run(&["halt"]);
    }

    /// Starts the server again: the same data at the same port.
    pub fn start_again(&self) {
        self.run(&["start"]);
    }

    /// Lets the server do nothing, as one whose machine has lost its network.
    pub fn freeze(&self) {
        self.run(&["freeze"]);
    }

    pub fn thaw(&self) {
        self.run(&["thaw"]);
    }

    /// Lets the new sessions of PostgreSQL write no file beyond so many bytes, which no privilege
    /// is needed for.
    pub fn limit_files(&self, bytes: &str) {
        self.run(&["limit", bytes]);
    }

    /// The URL of the administrator's database.
    pub fn url(&self) -> String {
        let url = self.folder.path().join(self.name()).join("url");
        fs::read_to_string(url).unwrap().trim().to_owned()
    }

    /// The URL of a database for a store.
    pub fn store_url(&self) -> String {
        self.url_of("store", "store")
    }

    /// The URL of a user who has nothing to do with the store.
    pub fn guest_url(&self) -> String {
        let database = match self.backend {
            Backend::Postgres => "postgres",
            _ => "",
        };
        self.url_of("guest", database)
    }

    fn url_of(&self, user: &str, database: &str) -> String {
        let url = self.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        let (server, _) = place.split_once('/').unwrap();
        format!("{scheme}://{user}:{SECRET}@{server}/{database}")
    }

    /// Where the server keeps its data.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join(self.name())
    }

    /// Runs a statement as the administrator.
    pub async fn run_sql(&self, sql: impl Into<String>) {
        run_sql(&self.url(), sql).await;
    }

    /// Runs a statement as the administrator, in the database of the store.
    pub async fn run_sql_in_store(&self, sql: impl Into<String>) {
        let url = self.url();
        let (server, _) = url.rsplit_once('/').unwrap();
        run_sql(&[server, "/store"].concat(), sql).await;
    }

    /// Closes all sessions of the store.
    pub async fn close_sessions(&self) {
        self.run_sql(self.closing()).await;
    }

    /// The statement that closes all sessions of the store. PostgreSQL waits until they have ended.
    pub fn closing(&self) -> &'static str {
        match self.backend {
            Backend::Postgres => {
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
                 WHERE usename = 'store'"
            }
            _ => "KILL USER store",
        }
    }

    /// Checks that a server had nothing to hide in its log and is still there to be stopped.
    pub fn stop(server: Server) {
        assert!(!server.process.log().contains(SECRET));
        server.stop();
    }

    /// The program, serving a store of this server.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        Server::wait(Process::start(self.command(&self.store_url(), arguments)))
    }

    /// A command line of the program that uses this database, and if it serves, a free port.
    pub fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = pedigree(self.folder.path(), arguments);
        command.env("PEDIGREE_DATABASE_URL", url);
        command.env("PEDIGREE_GRPC_PORT", "0");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run(&["stop"]);
    }
}
