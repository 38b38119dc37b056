//! The lineage of a churn model, from forty partitions of events to an endpoint and nightly scores.

use std::collections::BTreeMap;

use pb::artifact::State as ArtifactState;
use pb::execution::State::{self, Cached, Complete, Failed, Running};
use pb::put_lineage_subgraph_request::{EventEdge, Options};

use crate::support::prelude::*;

/// A type and a name.
type Named<'n> = (&'static str, &'n str);

/// What no run has made.
const SOURCES: [Named<'static>; 5] = [
    ("Dataset", "crm/accounts 2026-11"),
    ("Document", "label-policy v3"),
    ("Model", "text-encoder-base"),
    ("Source", "repo churn @ a41f9c2"),
    ("Image", "trainer:2.14"),
];

/// Runs with their states, the names of their inputs, and their outputs.
const RUNS: [(Named<'static>, State, &[&str], &[Named<'static>]); 7] = [
    (
        ("Split", "split"),
        Cached,
        &["examples-218"],
        &[("Dataset", "train-218"), ("Dataset", "eval-218")],
    ),
    (
        ("Featurizer", "featurize"),
        Complete,
        &["train-218", "text-encoder-base"],
        &[("Features", "features-218")],
    ),
    (
        ("Trainer", "train"),
        Complete,
        &["features-218", "repo churn @ a41f9c2", "trainer:2.14"],
        &[("Model", MODEL), ("Metrics", "training-metrics")],
    ),
    (
        ("Evaluator", "evaluate"),
        Complete,
        &[MODEL, "eval-218"],
        &[("Metrics", "evaluation-218")],
    ),
    (
        ("Audit", "bias-audit"),
        Running,
        &[MODEL, "eval-218"],
        &[("Document", "audit-report")],
    ),
    (
        ("Pusher", "push"),
        Complete,
        &[MODEL, "evaluation-218"],
        &[("Endpoint", "churn-prod")],
    ),
    (("Trainer", "fine-tune-eu"), Failed, &[MODEL], &[]),
];

const MODEL: &str = "churn-classifier-218";

/// Nodes and events on their way into a store. Artifacts and executions are numbers in its lists.
#[derive(Default)]
struct Tour {
    artifact_types: BTreeMap<&'static str, i64>,
    execution_types: BTreeMap<&'static str, i64>,
    places: BTreeMap<String, usize>,
    request: pb::PutLineageSubgraphRequest,
}

impl Tour {
    async fn artifact(&mut self, store: &Store, (type_name, name): Named<'_>) {
        if !self.artifact_types.contains_key(type_name) {
            let id = store.put_type::<Artifact>(type_name, &[]).await;
            self.artifact_types.insert(type_name, id);
        }
        let artifacts = &mut self.request.artifacts;
        self.places.insert(name.to_owned(), artifacts.len());
        artifacts.push(Artifact {
            state: Some(ArtifactState::Live.into()),
            ..Artifact::new(self.artifact_types[type_name], name)
        });
    }

    async fn run(
        &mut self,
        store: &Store,
        ((type_name, name), state): (Named<'_>, State),
        inputs: &[&str],
        outputs: &[Named<'_>],
    ) {
        if !self.execution_types.contains_key(type_name) {
            let id = store.put_type::<Execution>(type_name, &[]).await;
            self.execution_types.insert(type_name, id);
        }
        for output in outputs {
            self.artifact(store, *output).await;
        }
        let number = |place: usize| i32::try_from(place).unwrap();
        let execution = number(self.request.executions.len());
        let run = Execution {
            last_known_state: Some(state.into()),
            ..Execution::new(self.execution_types[type_name], name)
        };
        self.request.executions.push(run);
        let inputs = inputs.iter().map(|name| (*name, pb::event::Type::Input));
        let outputs = outputs
            .iter()
            .map(|(_, name)| (*name, pb::event::Type::Output));
        for (name, event_type) in inputs.chain(outputs) {
            self.request.event_edges.push(EventEdge {
                execution_index: Some(execution),
                artifact_index: Some(number(self.places[name])),
                event: Some(pb::Event {
                    r#type: Some(event_type.into()),
                    ..pb::Event::default()
                }),
            });
        }
    }
}

/// Stores the tour, and returns the id of its model.
pub async fn put_churn(store: &Store) -> i64 {
    let mut tour = Tour::default();
    for source in SOURCES {
        tour.artifact(store, source).await;
    }
    let mut joined = vec![
        "crm/accounts 2026-11".to_owned(),
        "label-policy v3".to_owned(),
    ];
    for day in 1..=40 {
        let raw = format!("events/raw {day}");
        tour.artifact(store, ("Dataset", raw.as_str())).await;
        let clean = format!("events/clean {day}");
        let written: [Named<'_>; 1] = [("Dataset", clean.as_str())];
        // The last day failed, and wrote nothing.
        let (state, outputs) = match day {
            40 => (Failed, &written[..0]),
            38.. => (Cached, &written[..]),
            _ => (Complete, &written[..]),
        };
        let run = format!("ingest-day {day}");
        let run = (("Ingest", run.as_str()), state);
        tour.run(store, run, &[raw.as_str()], outputs).await;
        joined.extend(outputs.iter().map(|(_, name)| (*name).to_owned()));
    }
    let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
    let join = (("Transform", "join-examples"), Complete);
    tour.run(store, join, &joined, &[("Dataset", "examples-218")])
        .await;
    for (run, state, inputs, outputs) in RUNS {
        tour.run(store, (run, state), inputs, outputs).await;
    }
    for night in 1..=12 {
        let scores = format!("churn-scores {night}");
        let written: [Named<'_>; 1] = [("Dataset", scores.as_str())];
        let (state, outputs) = match night {
            12 => (Failed, &written[..0]),
            _ => (Complete, &written[..]),
        };
        let run = format!("score-nightly {night}");
        let run = (("BatchScore", run.as_str()), state);
        tour.run(store, run, &[MODEL], outputs).await;
    }
    let model = tour.places[MODEL];
    tour.request.options = Some(Options::default());
    store.ask(tour.request).await.artifact_ids[model]
}
