//! A PostgreSQL primary and its standby, of a case of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::sql::run_sql;

/// Two servers, counted from 1. The first one is the primary in the beginning.
pub struct Pair {
    folder: TempDir,
    /// The URLs of the administrator's databases.
    urls: Vec<String>,
}

impl Pair {
    /// Starts a primary, and a standby for which its commits wait.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        // The servers' user is another one where the tests run as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut pair = Self {
            folder,
            urls: Vec::new(),
        };
        let urls = pair.run(&["start"]);
        pair.urls = urls.lines().map(str::to_owned).collect();
        pair
    }

    fn run(&self, what: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases");
        let mut command = Command::new(script);
        command
            .arg("pair")
            .args(what)
            .env("PEDIGREE_TEST_DATABASES", self.folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let done = block_in_place(|| command.output()).unwrap();
        assert!(done.status.success(), "tests/databases pair {what:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// The URL of the store at one server.
    pub fn url(&self, number: usize) -> String {
        let (server, _) = self.urls[number - 1].rsplit_once('/').unwrap();
        [server, "/store"].concat()
    }

    /// The URL of the store at whichever server is the primary.
    pub fn list(&self) -> String {
        let (_, standby) = self.urls[1].split_once('@').unwrap();
        let (standby, _) = standby.split_once('/').unwrap();
        let (primary, store) = (self.url(1), "/store");
        primary.replace(store, &[",", standby, store].concat())
    }

    /// Runs a statement at a server, as the administrator.
    pub async fn run_sql(&self, number: usize, sql: &str) {
        run_sql(&self.urls[number - 1], sql).await;
    }

    pub fn kill(&self, number: usize) {
        self.run(&["kill", &number.to_string()]);
    }

    /// Lets a server do nothing, as one whose machine has lost its network.
    pub fn freeze(&self, number: usize) {
        self.run(&["freeze", &number.to_string()]);
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&self, number: usize) {
        self.run(&["thaw", &number.to_string()]);
    }

    /// Makes the standby a primary, whose commits wait for no standby.
    pub fn promote(&self, number: usize) {
        self.run(&["promote", &number.to_string()]);
    }

    /// Makes a server a new standby of the other one, whose commits wait for it from then on.
    pub fn rejoin(&self, number: usize) {
        self.run(&["rejoin", &number.to_string()]);
    }

    /// The same, with commits that do not wait for it.
    pub fn rejoin_async(&self, number: usize) {
        self.run(&["rejoin", &number.to_string(), "async"]);
    }

    /// Has the commits of a primary wait for no standby.
    pub async fn wait_for_no_standby(&self, number: usize) {
        self.set(number, "synchronous_standby_names = ''").await;
    }

    /// Ends the replication to a standby.
    pub async fn cut(&self, standby: usize) {
        self.set(standby, "primary_conninfo = ''").await;
    }

    /// Sets a parameter of a server from now on, in the sessions that are open too.
    pub async fn set(&self, number: usize, parameter: &str) {
        self.run_sql(number, &format!("ALTER SYSTEM SET {parameter}"))
            .await;
        self.run_sql(number, "SELECT pg_reload_conf()").await;
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.run(&["stop"]);
    }
}
