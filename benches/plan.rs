//! The time that a plan of a reproduction takes: a chain of 1,000 steps, each with all facts.
//!
//! ```sh
//! cargo bench --bench plan
//! cargo bench --bench plan --profile dev     # the same in a debug build
//! ```

use std::time::Instant;

use pedigree::model::{Event, EventType, Node, NodeContent, Properties, Step, Value};
use pedigree::reproduce::{ArtifactLineage, PlanOptions, plan};

/// The steps of the chain.
const CHAIN_STEPS: i64 = 1000;

/// How often the plan is made. The fastest is printed.
const ROUNDS: usize = 10;

fn node(id: i64, type_name: &str, facts: &[(&str, String)]) -> Node {
    let facts = facts.iter();
    let facts = facts.map(|(name, value)| ((*name).to_owned(), Value::String(value.clone())));
    Node {
        id,
        type_id: 1,
        type_name: Some(type_name.to_owned()),
        content: NodeContent {
            uri: Some(format!("s3://bucket/{id}")),
            custom_properties: facts.collect::<Properties>(),
            ..NodeContent::default()
        },
        create_time: id,
        update_time: id,
    }
}

fn chain() -> ArtifactLineage {
    let mut lineage = ArtifactLineage::default();
    let digest = |id: i64| ("digest", format!("sha256:{id:064x}"));
    for id in 0..=CHAIN_STEPS {
        lineage
            .artifacts
            .insert(id, node(id, "Data", &[digest(id)]));
    }
    for id in 1..=CHAIN_STEPS {
        let facts = [
            (
                "command",
                r#"["train", "{in:raw}", "{out:model}", "{param:seed}"]"#.to_owned(),
            ),
            ("param.seed", "7".to_owned()),
            ("code.repository", "https://host/code.git".to_owned()),
            ("code.commit", "0".repeat(40)),
            (
                "environment.image",
                format!("host/train@sha256:{}", "0".repeat(64)),
            ),
        ];
        lineage.executions.insert(id, node(id, "Train", &facts));
        for (artifact_id, event_type, role) in [
            (id - 1, EventType::Input, "raw"),
            (id, EventType::Output, "model"),
        ] {
            lineage.events.push(Event {
                artifact_id,
                execution_id: id,
                event_type,
                milliseconds: None,
                path: vec![Step::Key(role.to_owned())],
            });
        }
    }
    lineage
}

fn main() {
    let lineage = chain();
    let options = PlanOptions::default();
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let made = plan(&lineage, CHAIN_STEPS, &options);
        let time = start.elapsed();
        (time, made.map_or(0, |plan| plan.steps.len()))
    });
    if let Some((time, steps)) = rounds.min() {
        println!("a plan of {steps} steps: {time:?}");
    }
}
