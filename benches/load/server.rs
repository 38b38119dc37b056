//! A server in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use tonic::transport::{Channel, Endpoint};

use crate::Result;

pub struct Server {
    child: Child,
    /// The address, `HOST:PORT`.
    address: String,
    endpoint: Endpoint,
    /// Whether callers need a token.
    pub is_secured: bool,
}

impl Server {
    /// Starts a program on a free port and waits until it has opened its database.
    pub fn start(program: &Path, url: &str, more: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["--grpc-port", "0", "--database-url", url])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().ok_or("the server has no log")?;
        let mut lines = BufReader::new(log).lines();
        let mut address = None;
        for line in lines.by_ref() {
            let line = line?;
            let after = line.split("address=").nth(1);
            let found = after.and_then(|rest| rest.split_whitespace().next());
            address = address.or(found.map(str::to_owned));
            if line.contains("opened the database") {
                break;
            }
        }
        // The rest is discarded: a full pipe would stop the server.
        thread::spawn(move || lines.for_each(drop));
        let address = address.ok_or("the server did not start")?;
        Ok(Self {
            child,
            endpoint: Channel::from_shared(["http://", &address].concat())?,
            address,
            is_secured: more.contains(&"--security"),
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address that it listens on, `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new connection, opened at its first use.
    pub fn channel(&self) -> Channel {
        self.endpoint.connect_lazy()
    }

    /// Kills the server, like a crash.
    pub fn end(&mut self) {
        // The server may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
