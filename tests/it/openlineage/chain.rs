//! One chain over several doors: what ML Metadata's clients and `Record` write, runs of
//! OpenLineage read, whichever notation of the URI each uses.

use std::time::Duration;

use pedigree::proto::ml_metadata::event::Type;
use serde_json::json;

use super::versions::sources;
use super::{at_second, dataset, of_run, tell};
use crate::cli;
use crate::support::prelude::*;

on_every_database! {
    a_model_of_spark_leads_back_to_the_step_of_kubeflow,
    a_dataset_that_was_known_before_is_joined,
    artifacts_and_events_that_are_put_alone_join,
    a_recorded_run_writes_a_dataset,
    a_dataset_that_is_declared_is_joined,
    other_notations_join_and_other_places_do_not,
    a_store_without_datasets_stays_as_it_is,
    what_clients_of_ml_metadata_wrote_is_unchanged,
    writes_and_events_at_once_are_one_chain,
    an_imported_artifact_leads_back_to_the_run_of_spark,
    an_import_stands_for_what_was_present_then,
    a_run_of_spark_leads_to_what_was_made_of_an_import,
}

/// 2025-11-27T03:00:05Z, in milliseconds since epoch.
const WRITTEN: i64 = 1_764_212_405_000;

const IMAGES: &str = "s3://bucket/data/images";

/// A step of Kubeflow Pipelines that writes this URI at [`WRITTEN`], as its driver stores it.
async fn step(store: &Store, name: &str, uri: &str) {
    let data = store.put_type::<Artifact>("system.Dataset", &[]).await;
    let step = store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let mut artifact = Artifact::new(data, name);
    artifact.uri = Some(uri.to_owned());
    let output = pb::Event {
        r#type: Some(Type::Output.into()),
        milliseconds_since_epoch: Some(WRITTEN),
        ..Default::default()
    };
    let put = pb::PutExecutionRequest {
        execution: Some(Execution::new(step, name)),
        artifact_event_pairs: vec![pair(Some(artifact), Some(output))],
        ..Default::default()
    };
    store.ask(put).await;
}

/// A run of Spark that reads the images in Spark's notation, and writes a model.
async fn train(store: &Store, run: &str, second: u32) {
    let mut start = of_run("START", run, second);
    start["inputs"] = json!([dataset("s3a://bucket", "/data/images/")]);
    tell(store, &start).await;
    let mut end = of_run("COMPLETE", run, second + 1);
    end["outputs"] = json!([dataset("s3://models", run)]);
    tell(store, &end).await;
}

/// What `pedigree trace` prints of a model, without ids.
async fn trace(store: &Store, model: &str) -> Vec<String> {
    let uri = format!("s3://models/{model}");
    trace_from(store, &uri, "provenance").await
}

/// What `pedigree trace` prints of the artifacts at a URI, without ids.
async fn trace_from(store: &Store, uri: &str, direction: &str) -> Vec<String> {
    let filter = format!("uri = '{uri}'");
    let arguments = ["trace", "--direction", direction, "--artifacts", &filter];
    let ended = cli::ask(store.port(), &arguments, "").await;
    assert!(ended.status.success(), "{ended:?}");
    let line = |line: &str| {
        let words = line.trim_start_matches([' ', '└', '├', '│', '─']);
        let (kind, rest) = words.split_once(' ').unwrap();
        let (_, rest) = rest.split_once(' ').unwrap();
        format!("{kind} {rest}")
    };
    ended.stdout.lines().map(line).collect()
}

/// The lines of [`trace`] for a model of the images that a step has written.
fn chain(model: &str, step: &str) -> Vec<String> {
    vec![
        format!("artifact openlineage.Dataset s3://models/{model}"),
        format!("execution openlineage.Run team/{model}/{model}"),
        format!("artifact system.Dataset {step}"),
        format!("execution system.ContainerExecution {step}"),
    ]
}

async fn a_model_of_spark_leads_back_to_the_step_of_kubeflow(store: Store) {
    step(&store, "preprocess", IMAGES).await;
    train(&store, "m1", 10).await;
    assert_eq!(trace(&store, "m1").await, chain("m1", "preprocess"));
}

async fn a_dataset_that_was_known_before_is_joined(store: Store) {
    train(&store, "m1", 10).await;
    train(&store, "early", 1).await;
    assert_eq!(trace(&store, "m1").await.len(), 3);
    step(&store, "preprocess", IMAGES).await;
    assert_eq!(trace(&store, "m1").await, chain("m1", "preprocess"));
    assert_eq!(trace(&store, "early").await.len(), 3);
    // What Spark writes later is read from then on.
    let mut end = of_run("COMPLETE", "spark", 20);
    end["outputs"] = json!([dataset("s3://bucket", "data/images")]);
    tell(&store, &end).await;
    train(&store, "m2", 30).await;
    assert_eq!(sources(&store, "m2").await, ["spark"]);
}

async fn artifacts_and_events_that_are_put_alone_join(store: Store) {
    let data = store.put_type::<Artifact>("system.Dataset", &[]).await;
    let types = store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let executions = store.put_named::<Execution>(types, &["e1", "e2"]).await;
    let artifact = |name: &str| {
        let mut artifact = Artifact::new(data, name);
        artifact.uri = Some(IMAGES.to_owned());
        artifact
    };
    let output = |artifact: i64, execution: i64, time: i64| {
        let mut output = event(artifact, execution, Type::Output);
        output.milliseconds_since_epoch = Some(WRITTEN + time);
        put_events(vec![output])
    };
    let before = store.ask(Artifact::put(vec![artifact("a1")])).await[0];
    store.ask(output(before, executions[0], 0)).await;
    train(&store, "m1", 10).await;
    assert_eq!(
        trace(&store, "m1").await[2..],
        [
            "artifact system.Dataset a1",
            "execution system.ContainerExecution e1"
        ]
    );
    let after = store.ask(Artifact::put(vec![artifact("a2")])).await[0];
    assert_eq!(trace(&store, "m1").await[2], "artifact system.Dataset a1");
    store.ask(output(after, executions[1], 1)).await;
    assert_eq!(
        trace(&store, "m1").await[2..],
        [
            "artifact system.Dataset a2",
            "execution system.ContainerExecution e2"
        ]
    );
}

async fn a_recorded_run_writes_a_dataset(store: Store) {
    let line = json!({
        "id": "1",
        "eventTime": WRITTEN,
        "run": {
            "eventType": "COMPLETE", "typePolicy": "CREATE", "type": "Prepare", "name": "prepare 1",
            "outputs": [{"type": "Data", "content": {"uri": IMAGES, "digest": "sha256:9f86d081"}}],
        },
    });
    for model in ["before", "after"] {
        let recorded = cli::ask(store.port(), &["record"], &line.to_string()).await;
        assert!(recorded.status.success(), "{recorded:?}");
        train(&store, model, 10).await;
        assert_eq!(trace(&store, model).await[3], "execution Prepare prepare 1");
    }
    train(&store, "known", 10).await;
    let next = line.to_string().replace("\"1\"", "\"2\"");
    let next = next
        .replace("prepare 1", "prepare 2")
        .replace("9f86d081", "00");
    let recorded = cli::ask(store.port(), &["record"], &next).await;
    assert!(recorded.status.success(), "{recorded:?}");
    assert_eq!(trace(&store, "known").await.len(), 4);
}

async fn other_notations_join_and_other_places_do_not(store: Store) {
    step(&store, "elsewhere", "s3://bucket/data/image").await;
    step(&store, "other store", "gs://bucket/data/images").await;
    train(&store, "m1", 10).await;
    assert_eq!(trace(&store, "m1").await.len(), 3);
    step(&store, "notation", "S3N://Bucket/data/images/").await;
    assert_eq!(trace(&store, "m1").await, chain("m1", "notation"));
}

async fn a_dataset_that_is_declared_is_joined(store: Store) {
    step(&store, "preprocess", IMAGES).await;
    let mut declared = of_run("OTHER", "job", 1);
    let fields = declared.as_object_mut().unwrap();
    fields.remove("run");
    fields.remove("eventType");
    declared["inputs"] = json!([dataset("s3a://bucket", "data/images")]);
    tell(&store, &declared).await;
    store.wait(Duration::from_hours(1));
    train(&store, "m1", 10).await;
    assert_eq!(trace(&store, "m1").await, chain("m1", "preprocess"));
}

async fn contexts(store: &Store) -> Vec<String> {
    let contexts = store.ask(pb::GetContextsRequest::default()).await.contexts;
    let name = |context: &Context| format!("{} {}", context.r#type(), context.name());
    contexts.iter().map(name).collect()
}

async fn a_store_without_datasets_stays_as_it_is(store: Store) {
    step(&store, "preprocess", IMAGES).await;
    assert_eq!(contexts(&store).await, Vec::<String>::new());
}

async fn what_clients_of_ml_metadata_wrote_is_unchanged(store: Store) {
    step(&store, "preprocess", IMAGES).await;
    let artifacts = store.ask(Artifact::by_ids(&[1])).await;
    let executions = store.ask(Execution::by_ids(&[1])).await;
    let of_step = pb::GetEventsByExecutionIDsRequest {
        execution_ids: vec![1],
        ..Default::default()
    };
    let events = store.ask(of_step.clone()).await.events;
    train(&store, "m1", 10).await;
    assert_eq!(store.ask(Artifact::by_ids(&[1])).await, artifacts);
    assert_eq!(store.ask(Execution::by_ids(&[1])).await, executions);
    assert_eq!(store.ask(of_step).await.events, events);
    let of_artifact = pb::GetContextsByArtifactRequest {
        artifact_id: Some(1),
        ..Default::default()
    };
    let contexts = store.ask(of_artifact).await.contexts;
    let names: Vec<&str> = contexts.iter().map(Context::name).collect();
    assert_eq!(names, [IMAGES]);
}

async fn writes_and_events_at_once_are_one_chain(store: Store) {
    store.put_type::<Artifact>("system.Dataset", &[]).await;
    store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            if number % 2 == 0 {
                step(&store, &format!("step {number}"), IMAGES).await;
            } else {
                train(&store, &format!("m{number}"), 10).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    // A write that had not seen the dataset is found when the dataset is named again.
    train(&store, "last", 20).await;
    for model in ["m1", "m3", "m5", "m7", "last"] {
        let found = trace(&store, model).await;
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(
            found[3].starts_with("execution system.ContainerExecution "),
            "{found:?}"
        );
    }
}

/// An artifact without a producer, as a client that imports data puts it, and a step that makes a
/// model of it.
async fn import_and_train(store: &Store, model: &str, uri: &str) {
    let data = store.put_type::<Artifact>("system.Dataset", &[]).await;
    let step = store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let mut imported = Artifact::new(data, &format!("imported for {model}"));
    imported.uri = Some(uri.to_owned());
    let imported = store.ask(Artifact::put(vec![imported])).await[0];
    let mut made = Artifact::new(data, model);
    made.uri = Some(format!("s3://models/{model}"));
    let of_type = |of: Type| pb::Event {
        r#type: Some(of.into()),
        ..Default::default()
    };
    let put = pb::PutExecutionRequest {
        execution: Some(Execution::new(step, model)),
        artifact_event_pairs: vec![
            pair(
                None,
                Some(pb::Event {
                    artifact_id: Some(imported),
                    ..of_type(Type::Input)
                }),
            ),
            pair(Some(made), Some(of_type(Type::Output))),
        ],
        ..Default::default()
    };
    store.ask(put).await;
}

/// A run of Spark that writes the images, and reads something.
async fn prepare(store: &Store, run: &str, second: u32, end: &str) {
    let mut start = of_run("START", run, second);
    start["inputs"] = json!([dataset("s3://raw", "photos")]);
    tell(store, &start).await;
    let mut end = of_run(end, run, second + 1);
    end["outputs"] = json!([dataset("s3a://bucket", "data/images")]);
    tell(store, &end).await;
}

async fn an_imported_artifact_leads_back_to_the_run_of_spark(store: Store) {
    let model = |model: &str| {
        let imported = format!("imported for {model}");
        [
            format!("artifact system.Dataset {model}"),
            format!("execution system.ContainerExecution {model}"),
            format!("artifact system.Dataset {imported}"),
        ]
    };
    prepare(&store, "spark", 1, "COMPLETE").await;
    prepare(&store, "failed", 3, "FAIL").await;
    import_and_train(&store, "m1", IMAGES).await;
    let found = trace(&store, "m1").await;
    assert_eq!(found[..3], model("m1"));
    assert_eq!(
        found[3..],
        [
            "execution openlineage.Run team/spark/spark",
            "artifact openlineage.Dataset s3://raw/photos"
        ]
    );
    import_and_train(&store, "m2", "s3://bucket/data/other").await;
    assert_eq!(trace(&store, "m2").await, model("m2"));
    // What no run of ML Metadata has changes by that: the edge is that of the trace alone.
    let events = pb::GetEventsByArtifactIDsRequest {
        artifact_ids: (1..=20).collect(),
        ..Default::default()
    };
    let events = store.ask(events).await.events;
    let outputs = events.iter().filter(|it| it.r#type() == Type::Output);
    assert_eq!(outputs.count(), 4, "{events:?}");
}

async fn an_import_stands_for_what_was_present_then(store: Store) {
    import_and_train(&store, "early", IMAGES).await;
    store.wait(Duration::from_secs(10));
    // Told late, but it ended before.
    prepare(&store, "old", 1, "COMPLETE").await;
    assert_eq!(trace(&store, "early").await.len(), 5);
    let mut dropped = of_run("COMPLETE", "drop", 10);
    let mut images = dataset("s3a://bucket", "data/images");
    images["facets"] = json!({"lifecycleStateChange": {"lifecycleStateChange": "DROP"}});
    dropped["outputs"] = json!([images]);
    tell(&store, &dropped).await;
    assert_eq!(trace(&store, "early").await.len(), 3);
    // A version that a run has read before it was written has no producer.
    train(&store, "read too early", 0).await;
    assert_eq!(trace(&store, "read too early").await.len(), 3);
}

async fn a_run_of_spark_leads_to_what_was_made_of_an_import(store: Store) {
    import_and_train(&store, "before", IMAGES).await;
    store.wait(Duration::from_secs(1));
    prepare_now(&store, "spark").await;
    store.wait(Duration::from_secs(10));
    import_and_train(&store, "m1", IMAGES).await;
    import_and_train(&store, "other", "s3://bucket/data/other").await;
    let mut found = trace_from(&store, "s3://raw/photos", "impact").await;
    found.sort();
    let expected = [
        "artifact openlineage.Dataset s3://bucket/data/images",
        "artifact openlineage.Dataset s3://raw/photos",
        "artifact system.Dataset imported for m1",
        "artifact system.Dataset m1",
        "execution openlineage.Run team/spark/spark",
        "execution system.ContainerExecution m1",
    ];
    assert_eq!(found, expected);
    // Each event is followed once, from whichever end.
    let mut both = trace_from(&store, "s3://raw/photos", "both").await;
    both.sort();
    assert_eq!(both, expected);
    // What is written later is not what was imported.
    store.wait(Duration::from_secs(10));
    prepare_now(&store, "later").await;
    let ended = |run: &str| format!("execution openlineage.Run team/{run}/{run}");
    let found = trace_from(&store, "s3://raw/photos", "impact").await;
    let trained = "execution system.ContainerExecution m1".to_owned();
    for line in [ended("spark"), ended("later"), trained] {
        assert!(found.contains(&line), "{found:?}");
    }
    let provenance = trace(&store, "m1").await;
    assert!(provenance.contains(&ended("spark")), "{provenance:?}");
    assert!(!provenance.contains(&ended("later")), "{provenance:?}");
}

/// [`prepare`] at the time of the server, which is that of imports.
async fn prepare_now(store: &Store, run: &str) {
    let now = store.now() / 1000;
    let mut start = of_run("START", run, 1);
    start["eventTime"] = at_second(now + 1);
    start["inputs"] = json!([dataset("s3://raw", "photos")]);
    tell(store, &start).await;
    let mut end = of_run("COMPLETE", run, 1);
    end["eventTime"] = at_second(now + 2);
    end["outputs"] = json!([dataset("s3a://bucket", "data/images")]);
    tell(store, &end).await;
}
