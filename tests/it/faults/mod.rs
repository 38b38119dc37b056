//! The database fails in all the ways it can: callers are told so, writes are there entirely or not
//! at all, and the server heals without a restart.

mod cancelled;
pub mod cluster;
mod files;
mod first_start;
mod full;
mod killed;
mod long;
mod outage;
mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tonic::{Code, Status};

use crate::crash::{Acknowledged, Types, put_artifacts, put_execution};
use crate::support::Client;

/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// What a commit of unknown outcome says.
const UNCERTAIN: &str = "may or may not be stored";

/// What became of the calls: how many ended with each code.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<BTreeMap<String, usize>>>);

impl Tally {
    fn count(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    fn of(&self, what: &str) -> usize {
        self.0.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    fn show(&self, title: &str) {
        println!("{title}: {:?}", self.0.lock().unwrap());
    }
}

/// A client that calls again when the database is away, as it is told to.
struct Writer {
    client: Client,
    types: Types,
    tally: Tally,
    acknowledged: Acknowledged,
    /// The names of executions that were stored although their call failed.
    found: Vec<String>,
}

impl Writer {
    const fn new(client: Client, types: Types, tally: Tally) -> Self {
        Self {
            client,
            types,
            tally,
            acknowledged: Acknowledged::new(),
            found: Vec::new(),
        }
    }

    /// Writes an execution and two artifacts, however long it takes.
    async fn write(&mut self, name: &str) {
        let mut uncertain = false;
        loop {
            let put = put_execution(&self.client, self.types, name, &mut self.acknowledged).await;
            match self.tell(put, &mut uncertain).await {
                Told::Again => {}
                Told::Done => break,
                Told::Found => {
                    self.found.push(name.to_owned());
                    break;
                }
            }
        }
        let mut uncertain = false;
        loop {
            let put = put_artifacts(&self.client, self.types, name, &mut self.acknowledged).await;
            if self.tell(put, &mut uncertain).await != Told::Again {
                break;
            }
        }
    }

    /// What an answer means to a client that knows whether an earlier call left it in doubt.
    async fn tell(&self, answer: Result<(), Status>, uncertain: &mut bool) -> Told {
        let Err(status) = answer else {
            self.tally.count("Ok");
            return Told::Done;
        };
        let in_doubt = status.message().contains(UNCERTAIN);
        self.tally.count(if in_doubt {
            "Unavailable, in doubt".to_owned()
        } else {
            format!("{:?}", status.code())
        });
        match status.code() {
            Code::AlreadyExists if *uncertain => return Told::Found,
            Code::Unavailable | Code::ResourceExhausted => {}
            _ => panic!("{status:?}"),
        }
        *uncertain |= in_doubt;
        tokio::time::sleep(PAUSE).await;
        Told::Again
    }
}

#[derive(PartialEq, Eq)]
enum Told {
    Done,
    /// It was done by an earlier call.
    Found,
    Again,
}
