//! Steps of Kubeflow Pipelines, by the calls of its driver and its launcher.

use pedigree::proto::pedigree::reproduction::v1::Level;

use super::doors::{plan, text};
use crate::clients;
use crate::support::prelude::*;

on_every_database!(a_cached_step_is_made_again_by_the_one_that_ran);

const MODEL: &str = "uri = 'minio://mlpipeline/training/4f1c9a52/model'";

/// Adds what another program knows to the node that a filter finds.
async fn add<N: TestNode>(store: &Store, filter: &str, facts: &[(&str, &str)]) {
    let found = store.find::<N>(filter).await;
    assert_eq!(found.len(), 1, "{filter}");
    let node = store.get::<N>(found[0]).await;
    let add = |node: N, (name, value): &(&str, &str)| node.with_custom(name, text(value));
    store.put(facts.iter().fold(node, add)).await;
}

async fn a_cached_step_is_made_again_by_the_one_that_ran(store: Store) {
    let address = format!("127.0.0.1:{}", store.port());
    let calls = tokio::task::spawn_blocking(move || clients::kubeflow_cached_run(&address));
    calls.await.unwrap();
    // KFP says in none of its calls what the container ran.
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let command = r#"["python", "train.py", "{in:images}", "{out:model}"]"#;
    let facts = [
        ("command", command),
        ("code.repository", "https://git.example/team/train.git"),
        ("code.commit", &"a".repeat(40)),
        ("environment.image", &format!("host/train@{}", digest("b"))),
    ];
    add::<Execution>(&store, "name = 'run/first/train'", &facts).await;
    add::<Artifact>(&store, MODEL, &[("digest", &digest("1"))]).await;
    let images = "uri = 'minio://mlpipeline/images'";
    add::<Artifact>(&store, images, &[("digest", &digest("2"))]).await;

    let cached = "name = 'run/second/train' AND last_known_state = CACHED";
    let cached = store.find::<Execution>(cached).await;
    assert_eq!(cached.len(), 1);
    let plan = plan(&store, MODEL).await;
    let steps = plan.steps.iter();
    let names: Vec<&str> = steps.map(|step| step.name.as_str()).collect();
    // The importer made nothing.
    assert_eq!(names, ["run/first/train"], "{plan:?}");
    assert_eq!(plan.level(), Level::Runnable, "{plan:?}");
    let step = &plan.steps[0];
    let is_source = |uri: &str| plan.artifacts.iter().any(|it| it.uri == uri && it.source);
    assert!(is_source("minio://mlpipeline/images"), "{plan:?}");
    assert_eq!(step.command.len(), 4);
    assert_eq!(step.inputs[0].role, "images");
    assert_eq!(step.parameters["epochs"], "3");
}
