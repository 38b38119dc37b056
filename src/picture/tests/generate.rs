//! Lineage as machine learning has it: raw data that pipelines share, and runs that use models of
//! earlier runs.

use proptest::prelude::*;

use crate::picture::{FigureKey, Mark, TracedEdge, TracedLineage, TracedNode};

/// Adds nodes and edges.
#[derive(Default)]
pub struct Pipeline {
    lineage: TracedLineage,
    next: i64,
}

impl Pipeline {
    fn node(&mut self, key: FigureKey, label: &str, type_name: &str) -> FigureKey {
        self.lineage.nodes.push(TracedNode {
            key,
            label: label.to_owned(),
            type_name: type_name.to_owned(),
            mark: Mark::of_execution(3),
            hop: 0,
            time: key.id,
        });
        key
    }

    pub fn artifact(&mut self, label: &str, type_name: &str) -> FigureKey {
        self.next += 1;
        self.node(FigureKey::artifact(self.next), label, type_name)
    }

    /// A run of a step.
    pub fn run(&mut self, name: &str, inputs: &[FigureKey]) -> FigureKey {
        self.next += 1;
        let type_name = name.split(' ').next().unwrap_or_default();
        let run = self.node(FigureKey::execution(self.next), name, type_name);
        for input in inputs {
            self.edge(*input, run, "in");
        }
        run
    }

    /// A run of a step, and its output.
    pub fn step(&mut self, name: &str, inputs: &[FigureKey], output: &str) -> FigureKey {
        let run = self.run(name, inputs);
        let output = self.artifact(output, output);
        self.edge(run, output, "out");
        output
    }

    pub fn edge(&mut self, from: FigureKey, to: FigureKey, role: &str) {
        let role = role.to_owned();
        self.lineage.edges.push(TracedEdge { from, to, role });
    }

    /// The lineage, with hops from a node.
    pub fn around(self, focus: FigureKey) -> TracedLineage {
        let mut lineage = self.lineage;
        lineage.normalize();
        let places = lineage.places();
        for (sign, forward) in [(1, true), (-1, false)] {
            let mut front = vec![focus];
            let mut hop = 0;
            let mut seen = std::collections::HashSet::from([focus]);
            while !front.is_empty() {
                for key in &front {
                    let node = &mut lineage.nodes[places[key]];
                    if *key != focus {
                        node.hop = sign * hop;
                    }
                }
                hop += 1;
                let next = lineage.edges.iter().filter_map(|edge| {
                    let (near, far) = if forward {
                        (edge.from, edge.to)
                    } else {
                        (edge.to, edge.from)
                    };
                    front.contains(&near).then_some(far)
                });
                let next: Vec<FigureKey> = next.collect();
                front = next.into_iter().filter(|key| seen.insert(*key)).collect();
            }
        }
        lineage
    }
}

/// Numbers that decide what a generated lineage has, in turn.
pub fn choices(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 4..most)
}

/// Lineage with a few pipelines, and the node that it is about.
pub fn generated(choices: &[u8]) -> (TracedLineage, FigureKey) {
    let mut pipeline = Pipeline::default();
    let mut known = vec![pipeline.artifact("raw", "Dataset")];
    for (run, choice) in choices.iter().enumerate() {
        let pick = |shift: usize| known[(usize::from(*choice) + shift * 7) % known.len()];
        let output = match choice % 4 {
            0 => pipeline.step("ingest", &[pick(0)], "Dataset"),
            1 => pipeline.step("train", &[pick(0), pick(1), pick(3)], "Model"),
            2 => pipeline.step(&format!("score {run}"), &[pick(0)], "Scores"),
            _ => {
                let shared = pick(2);
                pipeline.step("evaluate", &[pick(0), shared], "Metrics")
            }
        };
        known.push(output);
    }
    let focus = known[known.len() / 2];
    (pipeline.around(focus), focus)
}
