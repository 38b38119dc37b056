//! Who is asked: Pedigree's server over gRPC, the released library's core in a process of its own, or the database's own tool.

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use prost::bytes::Buf;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::Channel;

use crate::Result;
use crate::bytes::Bytes;
use crate::server::Server;
use crate::workloads::{self, Call, Limit, Turn, Workload};

/// Who is asked.
pub struct Peer {
    pub name: &'static str,
    /// The numbers that operations have, so that each makes something new.
    pub turns: Arc<AtomicU64>,
    ask: Ask,
}

enum Ask {
    Server(Server),
    /// How a worker is started, and those that are idle.
    Workers(Start, Mutex<Vec<Worker>>),
}

/// A command that speaks the protocol of `benches/worker.py`.
struct Start {
    program: std::path::PathBuf,
    arguments: Vec<String>,
}

impl Peer {
    fn of(name: &'static str, ask: Ask) -> Self {
        Self {
            name,
            turns: Arc::default(),
            ask,
        }
    }

    /// The server that this build has, on a database of its own.
    pub fn pedigree(database: &str, folder: &Path) -> Result<Self> {
        let server = Server::start(&url_of(database, folder, "pedigree"), &[])?;
        Ok(Self::of("pedigree", Ask::Server(server)))
    }

    /// The core of the released library, in as many processes as there are clients, without a network.
    pub fn wheel(python: &Path, database: &str, folder: &Path) -> Self {
        let url = url_of(database, folder, "wheel");
        let start = Start::of(python, &["wheel", &url]);
        Self::of("wheel", Ask::Workers(start, Mutex::default()))
    }

    /// The database's own tool: for writes on a database whose schema the server has made, for reads on the server's own.
    pub fn limit(python: &Path, database: &str, folder: &Path) -> Result<Self> {
        let (ours, url) = (
            url_of(database, folder, "pedigree"),
            url_of(database, folder, "limit"),
        );
        drop(Server::start(&url, &[])?);
        Ok(Self::of(
            "limit",
            Ask::Workers(Start::of(python, &["limit", &url, &ours]), Mutex::default()),
        ))
    }

    /// Stores what the workloads ask for, and so many executions more. The limit reads what the server has.
    pub async fn fill(&self, more: i64) -> Result<()> {
        if self.name == "limit" {
            return Ok(());
        }
        let began = Instant::now();
        let mut client = self.client().await?;
        for (call, expected) in workloads::seed() {
            let (_, answer) = client.call(&call).await?;
            expected.check(&answer)?;
        }
        for call in workloads::more(more) {
            client.call(&call).await?;
        }
        self.give_back(client);
        eprintln!(
            "{} is filled after {:.1} s",
            self.name,
            began.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// Whether this peer can do the work.
    pub fn can(&self, workload: &Workload) -> bool {
        match self.name {
            "limit" => match workload.limit {
                Some(Limit::Load) => true,
                Some(Limit::Read) => self.reads(),
                None => false,
            },
            "wheel" => workload.is_wheels,
            _ => true,
        }
    }

    /// Whether the database's tool is one that reads: SQLite's, which runs in the worker.
    fn reads(&self) -> bool {
        let is_sqlite = |argument: &String| argument.starts_with("sqlite:");
        matches!(&self.ask, Ask::Workers(start, _) if start.arguments.iter().any(is_sqlite))
    }

    /// How many clients it is asked by.
    pub fn counts<'a>(&self, clients: &'a [usize], wheels: &'a [usize]) -> &'a [usize] {
        match self.name {
            "pedigree" => clients,
            "wheel" => wheels,
            _ => &[1],
        }
    }

    /// One more client, or one that was given back.
    pub async fn client(&self) -> Result<Client> {
        match &self.ask {
            Ask::Server(server) => {
                let grpc = Grpc::new(server.channel().await?).max_decoding_message_size(usize::MAX);
                Ok(Client::Server(grpc, server.pid()))
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

/// The URL of a database of that name: a file in `folder`, or one on the server.
fn url_of(database: &str, folder: &Path, name: &str) -> String {
    match database.rsplit_once('/') {
        Some((server, _)) if database.contains("://") => {
            // A database of each run, as the last run's may be there.
            format!("{server}/bench_{name}_{}", std::process::id())
        }
        _ => {
            let folder = if database == "sqlite" {
                folder
            } else {
                Path::new(database)
            };
            format!(
                "sqlite:{}",
                folder.join(name).with_extension("db").display()
            )
        }
    }
}

impl Start {
    fn of(python: &Path, arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/worker.py");
        let arguments = std::iter::once(&script).chain(arguments);
        Self {
            program: python.into(),
            arguments: arguments.map(|text| (*text).to_owned()).collect(),
        }
    }

    fn worker(&self) -> Result<Worker> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = input.zip(output).ok_or("a worker has no pipes")?;
        Ok(Worker {
            child,
            input,
            output: BufReader::new(output),
            is_limit: self.arguments.iter().any(|role| role == "limit"),
        })
    }
}

/// A process that is asked over its standard input, and tells how long the answer took it.
pub struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    is_limit: bool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn call(&mut self, call: &Call) -> Result<(Duration, Vec<u8>)> {
        for part in [call.method.as_bytes(), &call.request] {
            self.input
                .write_all(&u32::try_from(part.len())?.to_le_bytes())?;
            self.input.write_all(part)?;
        }
        self.input.flush()?;
        let mut head = [0; 16];
        self.output.read_exact(&mut head)?;
        let mut head = head.as_slice();
        let (nanoseconds, code, length) = (head.get_u64_le(), head.get_u32_le(), head.get_u32_le());
        let mut answer = vec![0; usize::try_from(length)?];
        self.output.read_exact(&mut answer)?;
        match code {
            0 => Ok((Duration::from_nanos(nanoseconds), answer)),
            code => Err(format!(
                "{}: {code}: {}",
                call.method,
                String::from_utf8_lossy(&answer)
            )
            .into()),
        }
    }
}

/// One client of a peer.
pub enum Client {
    /// A connection, and the number of the server's process.
    Server(Grpc<Channel>, u32),
    Worker(Worker),
}

impl Client {
    /// The process that does the work and whose cost counts. A database server's does not.
    pub fn process(&self) -> u32 {
        match self {
            Self::Server(_, pid) => *pid,
            Self::Worker(worker) => worker.child.id(),
        }
    }

    /// Asks once; tells how long it took, and the answer.
    pub async fn call(&mut self, call: &Call) -> Result<(Duration, Vec<u8>)> {
        match self {
            Self::Server(grpc, _) => {
                let began = Instant::now();
                grpc.ready().await?;
                let path = PathAndQuery::try_from(call.path())?;
                let answer = grpc
                    .unary(Request::new(call.request.clone()), path, Bytes)
                    .await;
                let answer = answer.map_err(|status| format!("{}: {status}", call.method))?;
                Ok((began.elapsed(), answer.into_inner()))
            }
            Self::Worker(worker) => tokio::task::block_in_place(|| worker.call(call)),
        }
    }

    /// Lets the database's own tool do the whole work, which it knows by its name. `None` when this is another peer.
    pub fn limit(&mut self, name: &'static str, turn: Turn) -> Result<Option<Duration>> {
        let Self::Worker(worker) = self else {
            return Ok(None);
        };
        if !worker.is_limit {
            return Ok(None);
        }
        let call = Call {
            method: name,
            request: turn.number.to_le_bytes().to_vec(),
        };
        tokio::task::block_in_place(|| worker.call(&call)).map(|(took, _)| Some(took))
    }
}
