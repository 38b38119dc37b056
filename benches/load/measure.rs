//! Runs of clients and their cost: a closed loop, in which each client sends its next request after
//! the answer, or an open loop, in which requests are due by the clock.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, block_in_place};

use crate::Result;
use crate::client::Client;
use crate::peer::Peer;
use crate::workloads::Workload;

/// The ticks of a second in `/proc/PID/stat`; Linux has this one number for programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The figures of a run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
    /// Operations per second, of all clients together.
    pub rate: f64,
    /// Microseconds of CPU per operation, of the peer's processes.
    pub cpu: f64,
    /// The peak memory of the peer's processes during the run, in MiB.
    pub memory: f64,
    pub errors: u64,
}

/// The answers of a run.
struct Tally {
    took: Histogram<u64>,
    errors: u64,
}

/// A run in progress.
#[derive(Clone)]
struct Work {
    peer: Arc<Peer>,
    workload: Workload,
    end: Instant,
    tally: Arc<Mutex<Tally>>,
}

impl Run {
    /// Runs `count` clients for a while: in a closed loop, or at a rate of requests per second.
    pub async fn of(
        peer: &Arc<Peer>,
        workload: &Workload,
        count: usize,
        seconds: f64,
        rate: Option<f64>,
    ) -> Result<Self> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(peer.client().await?);
        }
        let mut processes: Vec<u32> = clients.iter().map(Client::process).collect();
        processes.dedup();
        for pid in &processes {
            forget_peak(*pid);
        }
        let cpu = cpu_seconds(&processes);
        let began = Instant::now();
        let work = Work {
            peer: peer.clone(),
            workload: *workload,
            end: began + Duration::from_secs_f64(seconds),
            tally: Arc::new(Mutex::new(Tally {
                took: Histogram::new(3)?,
                errors: 0,
            })),
        };
        let mut tasks = match rate {
            Some(rate) => {
                block_in_place(|| work.open(&clients, Duration::from_secs_f64(1.0 / rate)))?
            }
            None => work.closed(clients),
        };
        while let Some(client) = tasks.join_next().await {
            peer.give_back(client?);
        }
        let elapsed = began.elapsed().as_secs_f64();
        let tally = work.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let microseconds = |quantile| tally.took.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Self {
            p50: microseconds(0.5),
            p99: microseconds(0.99),
            rate: tally.took.len() as f64 / elapsed,
            cpu: (cpu_seconds(&processes) - cpu) * 1e6 / tally.took.len().max(1) as f64,
            memory: processes
                .iter()
                .filter_map(|pid| memory(*pid, "VmHWM:"))
                .sum(),
            errors: tally.errors,
        })
    }

    /// A start of a server: the time to its first answer, and the memory when idle afterwards.
    pub async fn of_start(peer: &mut Peer) -> Result<Option<Self>> {
        let Some((took, pid)) = peer.restart().await? else {
            return Ok(None);
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Some(Self {
            p50: took.as_secs_f64() * 1e6,
            p99: took.as_secs_f64() * 1e6,
            rate: 1.0 / took.as_secs_f64(),
            cpu: cpu_seconds(&[pid]) * 1e6,
            memory: memory(pid, "VmRSS:").unwrap_or(f64::NAN),
            errors: 0,
        }))
    }
}

impl Work {
    /// The closed loop: each client sends its next request after the answer.
    fn closed(&self, clients: Vec<Client>) -> JoinSet<Client> {
        let mut tasks = JoinSet::new();
        for (number, client) in clients.into_iter().enumerate() {
            for mut client in client.handles(self.workload.window) {
                let work = self.clone();
                tasks.spawn(async move {
                    while Instant::now() < work.end {
                        work.operate(&mut client, number, Duration::ZERO).await;
                    }
                    client
                });
            }
        }
        tasks
    }

    /// The open loop: starts an operation whenever one is due, however many are unanswered. Its
    /// latency counts from the due time, so that a stall shows in all operations behind it. The
    /// thread sleeps by itself: timers of the runtime are less exact.
    fn open(&self, clients: &[Client], every: Duration) -> Result<JoinSet<Client>> {
        let (mut tasks, mut due) = (JoinSet::new(), Instant::now());
        for number in (0..clients.len()).cycle() {
            if due >= self.end {
                break;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let connection = clients[number].connection()?.clone();
            let work = self.clone();
            let task = async move {
                let mut client = Client::Server(connection);
                work.operate(&mut client, number, due.elapsed()).await;
                client
            };
            tasks.spawn_on(task, &Handle::current());
            due += every;
        }
        Ok(tasks)
    }

    /// One operation of a client, started late by `late`.
    async fn operate(&self, client: &mut Client, number: usize, late: Duration) {
        let took = self.workload.run(client, self.peer.turn(number)).await;
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match took {
            Ok(took) => {
                let nanoseconds = u64::try_from((late + took).as_nanos()).unwrap_or(u64::MAX);
                // An auto-resizing histogram accepts every duration of a run.
                let _ = tally.took.record(nanoseconds.max(1));
            }
            Err(error) => {
                if tally.errors == 0 {
                    eprintln!("{}: {error}", self.workload.name);
                }
                tally.errors += 1;
            }
        }
    }
}

/// Resets the kernel's peak memory of a process.
fn forget_peak(pid: u32) {
    // Not permitted everywhere; then the figure is the peak of the process' whole life.
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// A figure of `/proc/PID/status` in MiB.
fn memory(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

fn cpu_seconds(pids: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in parentheses, may contain blanks.
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
        let (user, system): (f64, f64) =
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((user + system) / TICKS_PER_SECOND)
    };
    pids.iter().filter_map(of).sum()
}
