//! The peers: Pedigree's server over gRPC, the released library's core in a process of its own, and
//! the database's own tool.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor};
use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Client, Connection, Start, Worker};
use crate::server::Server;
use crate::workloads::{self, Limit, Needed, Turn, Workload};

/// The peers beside Pedigree.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rival {
    /// The core of the released library, a process per client, without a network.
    Wheel,
    /// The same with Pedigree's journal mode, on SQLite only.
    WheelWal,
    /// The database's own tool.
    Limit,
    /// Pedigree on a store of ten thousand executions.
    Small,
    /// Pedigree without a history of changes.
    Bare,
    /// Pedigree with a security file, where every caller has a token and a role.
    Secured,
    /// Another build of Pedigree, such as that of the commit before: `--baseline`.
    Baseline,
    /// Pedigree on another database server: `--elsewhere`.
    Elsewhere,
}

/// The server of this build.
const PROGRAM: &str = env!("CARGO_BIN_EXE_pedigree");

/// The security file of [`Rival::Secured`].
const SECURITY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/security.toml");

/// How long a browser takes to show a page of lineage, before its reader can load it again: less
/// than `benches/pages.py` measures.
const BROWSER_TIME: Duration = Duration::from_millis(250);

/// What peers need besides the server of this build and its database.
#[derive(Clone, Copy)]
pub struct Programs<'a> {
    /// The Python with the `ml-metadata` wheel.
    pub python: Option<&'a Path>,
    /// Another build of the server.
    pub baseline: Option<&'a Path>,
    /// The URL of another database server.
    pub elsewhere: Option<&'a str>,
}

/// The number of further executions that make ten thousand.
const SMALL_STORE_EXECUTIONS: i64 = 10_000 - workloads::EXECUTIONS;

/// The number of runs of OpenLineage in a small store, at most.
const SMALL_STORE_LINEAGE_RUNS: u64 = 10_000;

/// What a store has beyond what all workloads need.
#[derive(Clone, Copy)]
pub struct More {
    /// The number of executions.
    pub executions: i64,
    /// The number of runs of OpenLineage.
    pub lineage_runs: u64,
}

/// A peer and its store.
pub struct Peer {
    pub name: &'static str,
    url: String,
    /// The number of the next operation, so that each operation creates something new.
    next: AtomicU64,
    more: More,
    ask: Ask,
}

enum Ask {
    Servers(Box<Servers>),
    /// The command of a worker, and the idle workers.
    Workers(Start, Mutex<Vec<Worker>>),
}

/// The measured server, and a second one on its database for watchers, where the database allows.
struct Servers {
    program: PathBuf,
    options: &'static [&'static str],
    first: Server,
    second: Option<Server>,
}

impl Servers {
    fn start(program: &Path, url: &str, options: &'static [&'static str]) -> Result<Self> {
        let second = || Server::start(program, url, options);
        Ok(Self {
            program: program.to_owned(),
            options,
            first: Server::start(program, url, options)?,
            second: (!is_sqlite(url)).then(second).transpose()?,
        })
    }
}

impl Peer {
    fn of(name: &'static str, url: String, more: More, ask: Ask) -> Self {
        Self {
            name,
            url,
            next: AtomicU64::default(),
            more,
            ask,
        }
    }

    /// The server of this build, on a database of its own.
    pub fn pedigree(database: &str, more: More) -> Result<Self> {
        Self::server("pedigree", Path::new(PROGRAM), database, more, &[])
    }

    fn server(
        name: &'static str,
        program: &Path,
        database: &str,
        more: More,
        options: &'static [&'static str],
    ) -> Result<Self> {
        let url = url_of(database, name);
        let servers = Servers::start(program, &url, options)?;
        Ok(Self::of(name, url, more, Ask::Servers(Box::new(servers))))
    }

    /// One of the others. `None` without the program that it needs.
    pub fn rival(
        rival: Rival,
        programs: Programs<'_>,
        database: &str,
        more: More,
    ) -> Result<Option<Self>> {
        let worker = |name, url: String, arguments: &[&str]| {
            programs.python.map(|python| {
                let start = Start::of(python, arguments);
                Self::of(name, url, more, Ask::Workers(start, Mutex::default()))
            })
        };
        let wheel = |name| {
            let url = url_of(database, name);
            worker(name, url.clone(), &[name, &url])
        };
        match rival {
            Rival::Small => Self::server(
                "small",
                Path::new(PROGRAM),
                database,
                More {
                    executions: SMALL_STORE_EXECUTIONS,
                    lineage_runs: more.lineage_runs.min(SMALL_STORE_LINEAGE_RUNS),
                },
                &[],
            )
            .map(Some),
            Rival::Bare => {
                let options = &["--change-retention", "0"];
                Self::server("bare", Path::new(PROGRAM), database, more, options).map(Some)
            }
            Rival::Secured => {
                let options = &["--security", SECURITY_FILE];
                Self::server("secured", Path::new(PROGRAM), database, more, options).map(Some)
            }
            Rival::Baseline => programs
                .baseline
                .map(|program| Self::server("baseline", program, database, more, &[]))
                .transpose(),
            Rival::Elsewhere => programs
                .elsewhere
                .map(|server| Self::server("elsewhere", Path::new(PROGRAM), server, more, &[]))
                .transpose(),
            Rival::Wheel => Ok(wheel("wheel")),
            // Only SQLite has journal modes.
            Rival::WheelWal => Ok(wheel("wheel-wal").filter(|peer| is_sqlite(&peer.url))),
            // It writes to a database with the server's schema, and reads the server's own
            // database.
            Rival::Limit => {
                let url = url_of(database, "limit");
                drop(Server::start(Path::new(PROGRAM), &url, &[])?);
                let store = url_of(database, "pedigree");
                Ok(worker("limit", url.clone(), &["limit", &url, &store]))
            }
        }
    }

    /// Fills the store for the workloads. The limit reads the server's store.
    pub async fn fill(&self) -> Result<()> {
        if self.name == "limit" {
            return Ok(());
        }
        let began = Instant::now();
        let mut client = self.client().await?;
        for (call, expected) in workloads::seed() {
            let (_, answer) = client.call(&call).await?;
            expected.check(&answer)?;
        }
        for (number, call) in workloads::more(self.more.executions).enumerate() {
            // The best plan for a small table is not the best one for a large table.
            if number.is_power_of_two() {
                self.analyze().await?;
            }
            client.call(&call).await?;
        }
        if self.is_server() {
            for (number, batch) in workloads::batches(self.more.lineage_runs).enumerate() {
                if number.is_power_of_two() {
                    self.analyze().await?;
                }
                let connection = client.connection()?;
                connection.post("/api/v1/lineage/batch", batch?).await?;
            }
        }
        self.give_back(client);
        self.analyze().await?;
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("{} is filled after {seconds:.1} s", self.name);
        Ok(())
    }

    /// Updates the statistics of a database server, as it does by itself in time.
    async fn analyze(&self) -> Result<()> {
        let server = self.url.split(':').next();
        if !matches!(server, Some("postgres" | "mysql")) {
            return Ok(());
        }
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.url).await?;
        if server == Some("postgres") {
            connection.execute("ANALYZE").await?;
        } else {
            let tables: Vec<String> = sqlx::query_scalar(
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                 WHERE table_schema = DATABASE()",
            )
            .fetch_all(&mut connection)
            .await?;
            let statement = AssertSqlSafe(["ANALYZE TABLE ", &tables.join(", ")].concat());
            connection.execute(statement).await?;
        }
        Ok(connection.close().await?)
    }

    /// Kills the servers and starts them again; returns the time to the first answer, and the
    /// process. `None` for a peer that is not a server.
    pub async fn restart(&mut self) -> Result<Option<(Duration, u32)>> {
        let Ask::Servers(servers) = &mut self.ask else {
            return Ok(None);
        };
        servers.first.end();
        let began = Instant::now();
        servers.first = Server::start(&servers.program, &self.url, servers.options)?;
        let connection = Connection::to(&servers.first, None).await?;
        connection.call(&workloads::first_call()).await?;
        Ok(Some((began.elapsed(), servers.first.pid())))
    }

    /// The next operation of a client.
    pub fn turn(&self, client: usize) -> Turn {
        Turn {
            client,
            number: self.next.fetch_add(1, Ordering::Relaxed),
            more: self.more.executions,
            runs: self.more.lineage_runs,
        }
    }

    /// Whether this peer is a server, which handles concurrent requests.
    pub const fn is_server(&self) -> bool {
        matches!(self.ask, Ask::Servers(_))
    }

    /// Whether this peer supports the workload.
    pub fn can(&self, workload: &Workload) -> bool {
        if workload.needed == Some(Needed::LineageRuns) && self.more.lineage_runs == 0 {
            return false;
        }
        match self.name {
            "limit" => match workload.limit {
                Some(Limit::Load) => true,
                // The tools of the other databases take longer to start than to read.
                Some(Limit::Read) => is_sqlite(&self.url),
                None => false,
            },
            "wheel" | "wheel-wal" => workload.is_wheels,
            "bare" => workload.needed != Some(Needed::History),
            "secured" => !workload.is_stream(),
            _ => true,
        }
    }

    /// The numbers of clients that this peer is measured with.
    pub fn counts<'a>(&self, clients: &'a [usize], wheels: &'a [usize]) -> &'a [usize] {
        match self.name {
            "wheel" | "wheel-wal" => wheels,
            "limit" => &[1],
            _ => clients,
        }
    }

    /// A new client, or one that was given back.
    pub async fn client(&self) -> Result<Client> {
        match &self.ask {
            Ask::Servers(servers) => {
                let connection = Connection::to(&servers.first, servers.second.as_ref()).await?;
                Ok(Client::Server(connection))
            }
            Ask::Workers(start, idle) => {
                let worker = idle.lock().ok().and_then(|mut idle| idle.pop());
                Ok(Client::Worker(match worker {
                    Some(worker) => worker,
                    None => start.worker()?,
                }))
            }
        }
    }

    /// Browsers that reload pages of lineage of a server, until they are dropped.
    pub async fn browsers(self: &Arc<Self>, count: usize) -> Result<JoinSet<()>> {
        let mut browsers = JoinSet::new();
        for number in (0..count).filter(|_| self.is_server()) {
            let client = self.client().await?;
            let peer = self.clone();
            browsers.spawn(async move {
                while let Ok(connection) = client.connection() {
                    let path = workloads::lineage_page(peer.turn(number));
                    if let Err(error) = connection.visit(&path).await {
                        eprintln!("a browser: {error}");
                        return;
                    }
                    tokio::time::sleep(BROWSER_TIME).await;
                }
            });
        }
        Ok(browsers)
    }

    /// Keeps a worker for the next run.
    pub fn give_back(&self, client: Client) {
        if let (Client::Worker(worker), Ask::Workers(_, idle)) = (client, &self.ask)
            && let Ok(mut idle) = idle.lock()
        {
            idle.push(worker);
        }
    }
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// The URL of a database of that name: a file in a folder, or one on a server.
fn url_of(database: &str, name: &str) -> String {
    match database.rsplit_once('/') {
        Some((server, _)) if database.contains("://") => {
            // A database per run: that of the last run may still exist.
            format!("{server}/bench_{name}_{}", std::process::id())
        }
        _ => {
            let file = Path::new(database).join(name).with_extension("db");
            format!("sqlite:{}", file.display())
        }
    }
}
