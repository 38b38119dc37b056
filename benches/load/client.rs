//! One client of a peer: a connection to a server, or a process with requests on standard input.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::bytes::{Buf, Bytes};
use tokio::sync::OnceCell;
use tonic::transport::Channel;

use crate::Result;
use crate::grpc::Caller;
use crate::server::Server;
use crate::workloads::{Call, Stream, Turn};

/// One client of a peer.
pub enum Client {
    Server(Connection),
    Worker(Worker),
}

impl Client {
    /// The measured process. The process of a database server does not count.
    pub fn process(&self) -> u32 {
        match self {
            Self::Server(connection) => connection.process,
            Self::Worker(worker) => worker.child.id(),
        }
    }

    /// `count` handles of the same connection, for concurrent requests. A worker answers one after
    /// the other.
    pub fn handles(self, count: usize) -> Vec<Self> {
        match self {
            Self::Server(connection) => vec![connection; count]
                .into_iter()
                .map(Self::Server)
                .collect(),
            Self::Worker(worker) => vec![Self::Worker(worker)],
        }
    }

    /// The connection, of a server.
    pub fn connection(&self) -> Result<&Connection> {
        match self {
            Self::Server(connection) => Ok(connection),
            Self::Worker(_) => Err("only a server has connections".into()),
        }
    }

    /// Sends one request; returns the duration and the answer.
    pub async fn call(&mut self, call: &Call) -> Result<(Duration, Bytes)> {
        match self {
            Self::Server(connection) => connection.call(call).await,
            Self::Worker(worker) => tokio::task::block_in_place(|| worker.call(call)),
        }
    }

    /// Runs an operation of the database's own tool by its name. `None` for another peer.
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

/// A connection to a server. A clone is the same connection.
#[derive(Clone)]
pub struct Connection {
    caller: Caller,
    /// For streams.
    pub channel: Channel,
    /// The server to watch: a second one on the same database, if there is one.
    pub elsewhere: Channel,
    /// The stream whose messages are operations, once it is open.
    pub stream: Arc<OnceCell<Stream>>,
    process: u32,
}

impl Connection {
    /// A connection to a server, and to the second one if there is one.
    pub async fn to(server: &Server, other: Option<&Server>) -> Result<Self> {
        Ok(Self {
            caller: Caller::connect(server.address(), server.is_secured).await?,
            channel: server.channel(),
            elsewhere: other.unwrap_or(server).channel(),
            stream: Arc::default(),
            process: server.pid(),
        })
    }

    /// Sends one request; returns the duration and the answer.
    pub async fn call(&self, call: &Call) -> Result<(Duration, Bytes)> {
        let began = Instant::now();
        let answer = self.caller.call(&call.path(), &call.request).await;
        let answer = answer.map_err(|error| format!("{}: {error}", call.method))?;
        Ok((began.elapsed(), answer))
    }

    /// Gets a page of the web interface; returns the duration.
    pub async fn visit(&self, path: &str) -> Result<Duration> {
        let began = Instant::now();
        let visited = self.caller.visit(path).await;
        visited.map_err(|error| format!("{path}: {error}"))?;
        Ok(began.elapsed())
    }

    /// Posts JSON to a path of the server's HTTP interface; returns the duration.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> Result<Duration> {
        let began = Instant::now();
        let posted = self.caller.post(path, body.into()).await;
        posted.map_err(|error| format!("{path}: {error}"))?;
        Ok(began.elapsed())
    }
}

/// A command that speaks the protocol of `benches/worker.py`.
pub struct Start {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Start {
    pub fn of(python: &Path, arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/worker.py");
        let arguments = std::iter::once(&script).chain(arguments);
        Self {
            program: python.into(),
            arguments: arguments.map(|text| (*text).to_owned()).collect(),
        }
    }

    pub fn worker(&self) -> Result<Worker> {
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

/// A process that answers requests from its standard input, with the duration of each.
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
    fn call(&mut self, call: &Call) -> Result<(Duration, Bytes)> {
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
            0 => Ok((Duration::from_nanos(nanoseconds), answer.into())),
            code => Err(format!(
                "{}: {code}: {}",
                call.method,
                String::from_utf8_lossy(&answer)
            )
            .into()),
        }
    }
}
