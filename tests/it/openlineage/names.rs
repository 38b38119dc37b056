//! Datasets with several names, from symlinks that arrive before or after the uses of a name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::versions::sources;
use super::{dataset, event, of_run, tell};
use crate::support::prelude::*;

on_every_database! {
    a_reader_by_another_name_meets_the_writer,
    names_that_are_told_late_unite_what_is_there,
    names_that_are_told_by_an_event_about_a_dataset_unite_it,
    all_names_have_all_versions,
    three_names_unite_in_any_order,
    a_folder_and_what_is_in_it_are_two_datasets,
    names_unite_while_events_arrive,
}

const PATH: (&str, &str) = ("s3://lake", "warehouse/features");
const TABLE: (&str, &str) = ("hive://meta:9083", "shop.features");
const GLUE: (&str, &str) = ("arn:aws:glue:eu:1", "table/shop/features");

fn named((namespace, name): (&str, &str), others: &[(&str, &str)]) -> Value {
    let mut named = dataset(namespace, name);
    let identifier = |(namespace, name): &(&str, &str)| json!({"namespace": namespace, "name": name, "type": "TABLE"});
    let identifiers: Vec<Value> = others.iter().map(identifier).collect();
    if !identifiers.is_empty() {
        named["facets"] = json!({"symlinks": {"identifiers": identifiers}});
    }
    named
}

/// An event that says that a dataset has several names.
fn symlinks(name: (&str, &str), others: &[(&str, &str)]) -> Value {
    let mut told = event("OTHER", 50);
    let fields = told.as_object_mut().unwrap();
    for field in ["run", "job", "eventType"] {
        fields.remove(field);
    }
    told["dataset"] = named(name, others);
    told
}

async fn write(store: &Store, run: &str, second: u32, what: Value) {
    let mut end = of_run("COMPLETE", run, second);
    end["outputs"] = json!([what]);
    tell(store, &end).await;
}

async fn read(store: &Store, run: &str, second: u32, what: Value) {
    let mut start = of_run("START", run, second);
    start["inputs"] = json!([what]);
    tell(store, &start).await;
}

async fn a_reader_by_another_name_meets_the_writer(store: Store) {
    write(&store, "writer", 1, named(PATH, &[TABLE])).await;
    read(&store, "reader", 2, named(TABLE, &[])).await;
    assert_eq!(sources(&store, "reader").await, ["writer"]);
    write(&store, "by table", 3, named(TABLE, &[])).await;
    read(&store, "by path", 4, named(PATH, &[])).await;
    assert_eq!(sources(&store, "by path").await, ["by table"]);
}

async fn names_that_are_told_late_unite_what_is_there(store: Store) {
    write(&store, "writer", 1, named(PATH, &[])).await;
    read(&store, "reader", 2, named(TABLE, &[])).await;
    assert!(sources(&store, "reader").await.is_empty());
    write(&store, "by table", 3, named(TABLE, &[])).await;
    read(&store, "by path", 4, named(PATH, &[])).await;
    assert_eq!(sources(&store, "by path").await, ["writer"]);
    read(&store, "late", 5, named(TABLE, &[PATH])).await;
    assert_eq!(sources(&store, "reader").await, ["writer"]);
    assert_eq!(sources(&store, "by path").await, ["by table"]);
    assert_eq!(sources(&store, "late").await, ["by table"]);
}

async fn names_that_are_told_by_an_event_about_a_dataset_unite_it(store: Store) {
    write(&store, "writer", 1, named(PATH, &[])).await;
    read(&store, "reader", 2, named(TABLE, &[])).await;
    tell(&store, &symlinks(TABLE, &[PATH])).await;
    assert_eq!(sources(&store, "reader").await, ["writer"]);
}

/// The ids of the artifacts in each context of a dataset.
async fn versions(store: &Store) -> Vec<BTreeSet<i64>> {
    let contexts = store.ask(pb::GetContextsRequest::default()).await.contexts;
    let datasets = contexts.iter();
    let datasets = datasets.filter(|context| context.r#type() == "pedigree.Dataset");
    let mut versions = Vec::new();
    for context in datasets {
        let of_context = pb::GetArtifactsByContextRequest {
            context_id: context.id,
            ..Default::default()
        };
        let artifacts = store.ask(of_context).await.artifacts;
        versions.push(ids(&artifacts).into_iter().collect());
    }
    versions
}

async fn all_names_have_all_versions(store: Store) {
    write(&store, "w1", 1, named(PATH, &[])).await;
    write(&store, "w2", 2, named(TABLE, &[])).await;
    tell(&store, &symlinks(TABLE, &[PATH])).await;
    write(&store, "w3", 3, named(PATH, &[])).await;
    let versions = versions(&store).await;
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[0].len(), 3);
    assert_eq!(versions[0], versions[1]);
}

async fn three_names_unite_in_any_order(store: Store) {
    write(&store, "glue", 1, named(GLUE, &[])).await;
    write(&store, "table", 2, named(TABLE, &[])).await;
    write(&store, "path", 3, named(PATH, &[])).await;
    read(&store, "reader", 4, named(GLUE, &[])).await;
    assert_eq!(sources(&store, "reader").await, ["glue"]);
    tell(&store, &symlinks(TABLE, &[PATH])).await;
    assert_eq!(sources(&store, "reader").await, ["glue"]);
    tell(&store, &symlinks(PATH, &[GLUE, PATH])).await;
    assert_eq!(sources(&store, "reader").await, ["path"]);
    let versions = versions(&store).await;
    assert!(versions.iter().all(|of| of.len() == 4), "{versions:?}");
}

async fn a_folder_and_what_is_in_it_are_two_datasets(store: Store) {
    let folder = ("s3://lake", "warehouse");
    write(&store, "writer", 1, named(PATH, &[folder])).await;
    read(&store, "reader", 2, named(folder, &[])).await;
    assert!(sources(&store, "reader").await.is_empty());
}

async fn names_unite_while_events_arrive(store: Store) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = store.clone();
        tasks.spawn(async move {
            let name = [PATH, TABLE, GLUE][number % 3];
            let run = format!("w{number}");
            match number {
                4 => tell(&store, &symlinks(PATH, &[TABLE])).await,
                8 => tell(&store, &symlinks(TABLE, &[GLUE])).await,
                _ => write(&store, &run, number.try_into().unwrap(), named(name, &[])).await,
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    read(&store, "reader", 30, named(GLUE, &[])).await;
    assert_eq!(sources(&store, "reader").await, ["w11"]);
    let versions = versions(&store).await;
    assert_eq!(versions[0], versions[1]);
    assert_eq!(versions[0], versions[2]);
}
