//! Who is asked: Pedigree's server over gRPC, the released library's core in a process of its own, or the database's own tool.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use sqlx::{AnyConnection, Connection as _, Executor};

use crate::Result;
use crate::client::{Client, Connection, Start, Worker};
use crate::server::Server;
use crate::workloads::{self, Limit, Turn, Workload};

/// Who can be measured beside Pedigree.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rival {
    /// The core of the released library, in as many processes as there are clients, without a network.
    Wheel,
    /// The same with the journal that Pedigree has, on SQLite only.
    WheelWal,
    /// The database's own tool.
    Limit,
    /// Pedigree on a store of ten thousand executions.
    Small,
    /// Pedigree without a history of changes.
    Bare,
}

/// How many executions more than the workloads need make ten thousand.
const SMALL: i64 = 10_000 - workloads::EXECUTIONS;

/// Who is asked.
pub struct Peer {
    pub name: &'static str,
    url: String,
    /// The number of the next operation, so that each makes something new.
    next: AtomicU64,
    /// How many executions the store has beyond those that workloads need.
    more: i64,
    ask: Ask,
}

enum Ask {
    Servers(Box<Servers>),
    /// How a worker is started, and those that are idle.
    Workers(Start, Mutex<Vec<Worker>>),
}

/// The server that is measured, and another one on its database where there can be one: for who watches.
struct Servers {
    options: &'static [&'static str],
    first: Server,
    second: Option<Server>,
}

impl Servers {
    fn start(url: &str, options: &'static [&'static str]) -> Result<Self> {
        let second = || Server::start(url, options);
        Ok(Self {
            options,
            first: Server::start(url, options)?,
            second: (!is_sqlite(url)).then(second).transpose()?,
        })
    }
}

impl Peer {
    fn of(name: &'static str, url: String, more: i64, ask: Ask) -> Self {
        Self {
            name,
            url,
            next: AtomicU64::default(),
            more,
            ask,
        }
    }

    /// The server that this build has, on a database of its own.
    pub fn pedigree(database: &str, more: i64) -> Result<Self> {
        Self::server("pedigree", database, more, &[])
    }

    fn server(
        name: &'static str,
        database: &str,
        more: i64,
        options: &'static [&'static str],
    ) -> Result<Self> {
        let url = url_of(database, name);
        let servers = Servers::start(&url, options)?;
        Ok(Self::of(name, url, more, Ask::Servers(Box::new(servers))))
    }

    /// One of the others. `None` without the Python that it needs.
    pub fn rival(
        rival: Rival,
        python: Option<&Path>,
        database: &str,
        more: i64,
    ) -> Result<Option<Self>> {
        let worker = |name, url: String, arguments: &[&str]| {
            python.map(|python| {
                let start = Start::of(python, arguments);
                Self::of(name, url, more, Ask::Workers(start, Mutex::default()))
            })
        };
        let wheel = |name| {
            let url = url_of(database, name);
            worker(name, url.clone(), &[name, &url])
        };
        match rival {
            Rival::Small => Self::server("small", database, SMALL, &[]).map(Some),
            Rival::Bare => Self::server("bare", database, more, &["--history", "0"]).map(Some),
            Rival::Wheel => Ok(wheel("wheel")),
            // Only SQLite has several journals.
            Rival::WheelWal => Ok(wheel("wheel-wal").filter(|peer| is_sqlite(&peer.url))),
            // For writes on a database whose schema the server has made, for reads on the server's own.
            Rival::Limit => {
                let url = url_of(database, "limit");
                drop(Server::start(&url, &[])?);
                let store = url_of(database, "pedigree");
                Ok(worker("limit", url.clone(), &["limit", &url, &store]))
            }
        }
    }

    /// Stores what the workloads ask for, and so many executions more. The limit reads what the server has.
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
        for (number, call) in workloads::more(self.more).enumerate() {
            // Whenever the store has doubled: how a small table is best read is not how a large one is.
            if number.is_power_of_two() {
                self.analyze().await?;
            }
            client.call(&call).await?;
        }
        self.give_back(client);
        self.analyze().await?;
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("{} is filled after {seconds:.1} s", self.name);
        Ok(())
    }

    /// Lets a database server look at what it has, as it does by itself in time.
    async fn analyze(&self) -> Result<()> {
        let statement = match self.url.split(':').next() {
            Some("postgres") => "ANALYZE",
            Some("mysql") => {
                "ANALYZE TABLE Artifact, ArtifactProperty, Association, Attribution, Context, Event, Execution, ExecutionProperty"
            }
            _ => return Ok(()),
        };
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.url).await?;
        connection.execute(statement).await?;
        Ok(connection.close().await?)
    }

    /// Ends the servers as a crash does and starts them again; tells how long the first answer took, and the process. `None` for a
    /// peer that is no server.
    pub async fn restart(&mut self) -> Result<Option<(Duration, u32)>> {
        let Ask::Servers(servers) = &mut self.ask else {
            return Ok(None);
        };
        servers.first.end();
        let began = Instant::now();
        servers.first = Server::start(&self.url, servers.options)?;
        let connection = Connection::to(&servers.first, None).await?;
        connection.call(&workloads::first_call()).await?;
        Ok(Some((began.elapsed(), servers.first.pid())))
    }

    /// What a client does next.
    pub fn turn(&self, client: usize) -> Turn {
        Turn {
            client,
            number: self.next.fetch_add(1, Ordering::Relaxed),
            more: self.more,
        }
    }

    /// Whether this peer is a server, which answers many requests at once.
    pub const fn is_server(&self) -> bool {
        matches!(self.ask, Ask::Servers(_))
    }

    /// Whether this peer can do the work.
    pub fn can(&self, workload: &Workload) -> bool {
        match self.name {
            "limit" => match workload.limit {
                Some(Limit::Load) => true,
                // The tools of the others would take longer to start than to read.
                Some(Limit::Read) => is_sqlite(&self.url),
                None => false,
            },
            "wheel" | "wheel-wal" => workload.is_wheels,
            "bare" => !workload.is_history,
            _ => true,
        }
    }

    /// How many clients it is asked by.
    pub fn counts<'a>(&self, clients: &'a [usize], wheels: &'a [usize]) -> &'a [usize] {
        match self.name {
            "wheel" | "wheel-wal" => wheels,
            "limit" => &[1],
            _ => clients,
        }
    }

    /// One more client, or one that was given back.
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
            // A database of each run, as the last run's may be there.
            format!("{server}/bench_{name}_{}", std::process::id())
        }
        _ => {
            let file = Path::new(database).join(name).with_extension("db");
            format!("sqlite:{}", file.display())
        }
    }
}
