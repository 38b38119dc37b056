//! The figures and their ratios.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::measure::Run;

/// The runs of each workload, number of clients and peer, in order of measurement.
#[derive(Default)]
pub struct Table {
    runs: BTreeMap<(&'static str, usize, &'static str), Vec<Run>>,
    order: Vec<(&'static str, &'static str, usize)>,
}

impl Table {
    pub const HEAD: &str = "workload                     peer         clients    p50 us    p99 us       op/s  CPU us/op  peak MiB  errors  p50 ratio  rate ratio";

    pub fn add(&mut self, peer: &'static str, workload: &'static str, clients: usize, run: Run) {
        let runs = self.runs.entry((workload, clients, peer)).or_default();
        if runs.is_empty() {
            self.order.push((workload, peer, clients));
        }
        runs.push(run);
    }

    /// The median of each figure.
    fn median(&self, workload: &'static str, clients: usize, peer: &'static str) -> Option<Run> {
        let runs = self.runs.get(&(workload, clients, peer))?;
        let middle = |figure: fn(&Run) -> f64| {
            let mut figures: Vec<f64> = runs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Some(Run {
            p50: middle(|run| run.p50),
            p99: middle(|run| run.p99),
            rate: middle(|run| run.rate),
            cpu: middle(|run| run.cpu),
            memory: middle(|run| run.memory),
            errors: runs.iter().map(|run| run.errors).sum(),
        })
    }

    /// Prints a workload. The ratios are Pedigree's p50 and rate over those of the peer; in
    /// Pedigree's own rows, over those of its single client.
    pub fn print(&self, workload: &'static str) {
        for &(_, peer, clients) in self.order.iter().filter(|row| row.0 == workload) {
            let Some(run) = self.median(workload, clients, peer) else {
                continue;
            };
            let ours = match peer {
                "pedigree" => self.median(workload, 1, peer).map(|one| (run, one)),
                _ => self
                    .median(workload, clients, "pedigree")
                    .map(|ours| (ours, run)),
            };
            let (p50, rate) = ours.map_or((f64::NAN, f64::NAN), |(ours, theirs)| {
                (ours.p50 / theirs.p50, ours.rate / theirs.rate)
            });
            println!(
                "{workload:<28} {peer:<12} {clients:>7} {:>9.0} {:>9.0} {:>10.1} {:>10.0} {:>9.1} {:>7} {p50:>10.2} {rate:>11.2}",
                run.p50, run.p99, run.rate, run.cpu, run.memory, run.errors
            );
        }
    }

    /// All medians, a line each.
    pub fn to_tsv(&self, database: &str) -> String {
        let database = database
            .split_once("://")
            .map_or("sqlite", |(scheme, _)| scheme);
        let mut text =
            "database\tworkload\tpeer\tclients\tp50_us\tp99_us\trate\tcpu_us\tpeak_mib\terrors\n"
                .to_owned();
        for &(workload, peer, clients) in &self.order {
            if let Some(run) = self.median(workload, clients, peer) {
                let _ = writeln!(
                    text,
                    "{database}\t{workload}\t{peer}\t{clients}\t{}\t{}\t{}\t{}\t{}\t{}",
                    run.p50, run.p99, run.rate, run.cpu, run.memory, run.errors
                );
            }
        }
        text
    }
}
