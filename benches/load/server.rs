//! A server in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use tonic::transport::{Channel, Endpoint};

use crate::Result;

pub struct Server {
    child: Child,
    /// The port of this machine, with the host before it.
    address: String,
    endpoint: Endpoint,
}

impl Server {
    /// Starts a server on a free port and waits until it has its database.
    pub fn start(url: &str, more: &[&str]) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pedigree"))
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
        // Nobody reads the rest, but it must go somewhere.
        thread::spawn(move || lines.for_each(drop));
        let address = address.ok_or("the server did not start")?;
        Ok(Self {
            child,
            endpoint: Channel::from_shared(["http://", &address].concat())?,
            address,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A connection of its own, which is made once it is used.
    pub fn channel(&self) -> Channel {
        self.endpoint.connect_lazy()
    }

    /// Ends it as a crash does.
    pub fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
