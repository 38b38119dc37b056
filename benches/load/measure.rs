//! A closed loop of clients, and what it cost.

use std::fs;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Result;
use crate::peer::Peer;
use crate::workloads::{Turn, Workload};

/// The ticks of a second in `/proc/PID/stat`; Linux has no other number for programs.
const TICKS: f64 = 100.0;

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
    /// Operations a second, all clients together.
    pub rate: f64,
    /// Microseconds of CPU that an operation took the peer's processes.
    pub cpu: f64,
    /// The most memory of the peer's processes while it ran, in MiB.
    pub memory: f64,
    pub errors: u64,
}

impl Run {
    /// Lets `count` clients work for a while, each with one operation under way.
    pub async fn of(peer: &Peer, workload: &Workload, count: usize, seconds: f64) -> Result<Self> {
        let mut clients = Vec::with_capacity(count);
        for client in 0..count {
            clients.push((client, peer.client().await?));
        }
        let mut processes: Vec<u32> = clients.iter().map(|(_, client)| client.process()).collect();
        processes.dedup();
        for pid in &processes {
            forget_peak(*pid);
        }
        let cpu = cpu_seconds(&processes);
        let began = Instant::now();
        let end = began + Duration::from_secs_f64(seconds);
        let loops = clients.into_iter().map(|(number, mut client)| {
            let (workload, turns) = (*workload, peer.turns.clone());
            tokio::spawn(async move {
                let mut took = Histogram::<u64>::new(3)?;
                let mut errors = 0;
                while Instant::now() < end {
                    let turn = Turn::next(&turns, number);
                    match workload.run(&mut client, turn).await {
                        Ok(time) => took.record(u64::try_from(time.as_nanos())?.max(1))?,
                        Err(error) => {
                            if errors == 0 {
                                eprintln!("{}: {error}", workload.name);
                            }
                            errors += 1;
                        }
                    }
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>((took, errors, client))
            })
        });
        let loops: Vec<_> = loops.collect();
        let (mut all, mut errors) = (Histogram::<u64>::new(3)?, 0);
        for ended in loops {
            let (took, failed, client) = ended.await??;
            all.add(&took)?;
            errors += failed;
            peer.give_back(client);
        }
        let operations = all.len().max(1) as f64;
        let microseconds = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Self {
            p50: microseconds(0.5),
            p99: microseconds(0.99),
            rate: all.len() as f64 / began.elapsed().as_secs_f64(),
            cpu: (cpu_seconds(&processes) - cpu) * 1e6 / operations,
            memory: processes
                .iter()
                .filter_map(|pid| memory(*pid, "VmHWM:"))
                .sum(),
            errors,
        })
    }
}

/// Lets the kernel forget the most memory that a process had.
fn forget_peak(pid: u32) {
    // Not allowed everywhere; the figure is that of the whole life then.
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
        // The name of the program, in parentheses, may have blanks.
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
        let (user, system): (f64, f64) =
            (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((user + system) / TICKS)
    };
    pids.iter().filter_map(of).sum()
}
