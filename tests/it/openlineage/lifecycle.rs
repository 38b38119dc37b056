//! What runs do to datasets beside writing them, and what jobs are declared to do.

use serde_json::{Value, json};

use super::versions::sources;
use super::{dataset, event, of_run, tell};
use crate::support::prelude::*;

on_every_database! {
    an_alteration_writes_no_data,
    removed_data_is_read_by_nobody,
    what_is_written_after_a_removal_is_read,
    a_rename_takes_the_history_along,
    a_failed_removal_removes_nothing,
    the_last_declaration_of_a_job_counts,
}

fn changed(name: &str, state: &str) -> Value {
    let mut changed = dataset("s3://lake", name);
    changed["facets"] = json!({"lifecycleStateChange": {"lifecycleStateChange": state}});
    changed
}

fn renamed(from: &str, to: &str) -> Value {
    let mut renamed = changed(to, "RENAME");
    let change = &mut renamed["facets"]["lifecycleStateChange"];
    change["previousIdentifier"] = json!({"namespace": "s3://lake", "name": from});
    renamed
}

async fn end(store: &Store, event_type: &str, run: &str, second: u32, what: Value) {
    let mut end = of_run(event_type, run, second);
    end["outputs"] = json!([what]);
    tell(store, &end).await;
}

async fn read(store: &Store, run: &str, second: u32, name: &str) {
    let mut start = of_run("START", run, second);
    start["inputs"] = json!([dataset("s3://lake", name)]);
    tell(store, &start).await;
}

async fn an_alteration_writes_no_data(store: Store) {
    end(&store, "COMPLETE", "create", 1, changed("t", "CREATE")).await;
    end(&store, "COMPLETE", "alter", 2, changed("t", "ALTER")).await;
    read(&store, "reader", 3, "t").await;
    assert_eq!(sources(&store, "reader").await, ["create"]);
    let contexts = store.ask(pb::GetContextsRequest::default()).await.contexts;
    let table = contexts
        .iter()
        .find(|it| it.name() == "s3://lake/t")
        .unwrap();
    assert_eq!(table.custom_properties["lifecycle"], text("ALTER"));
    let runs = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    let alter = runs
        .iter()
        .find(|it| it.external_id() == "openlineage:run:alter");
    let property = &alter.unwrap().custom_properties["lifecycle.s3://lake/t"];
    assert_eq!(*property, text("ALTER"));
}

async fn removed_data_is_read_by_nobody(store: Store) {
    // The events of the readers arrive first.
    read(&store, "before", 2, "t").await;
    read(&store, "after", 4, "t").await;
    end(&store, "COMPLETE", "create", 1, changed("t", "CREATE")).await;
    assert_eq!(sources(&store, "after").await, ["create"]);
    for (state, run) in [("TRUNCATE", "truncate"), ("DROP", "drop")] {
        end(&store, "COMPLETE", run, 3, changed("t", state)).await;
        assert_eq!(sources(&store, "before").await, ["create"]);
        assert!(sources(&store, "after").await.is_empty());
    }
}

async fn what_is_written_after_a_removal_is_read(store: Store) {
    end(&store, "COMPLETE", "drop", 2, changed("t", "DROP")).await;
    end(&store, "COMPLETE", "again", 3, changed("t", "CREATE")).await;
    end(&store, "COMPLETE", "create", 1, changed("t", "CREATE")).await;
    read(&store, "reader", 4, "t").await;
    assert_eq!(sources(&store, "reader").await, ["again"]);
}

async fn a_rename_takes_the_history_along(store: Store) {
    end(&store, "COMPLETE", "create", 1, changed("old", "CREATE")).await;
    end(&store, "COMPLETE", "rename", 2, renamed("old", "new")).await;
    end(&store, "COMPLETE", "other", 3, changed("old", "CREATE")).await;
    read(&store, "by new name", 4, "new").await;
    read(&store, "by old name", 4, "old").await;
    assert_eq!(sources(&store, "by new name").await, ["rename"]);
    assert_eq!(sources(&store, "rename").await, ["create"]);
    assert_eq!(sources(&store, "by old name").await, ["other"]);
}

async fn a_failed_removal_removes_nothing(store: Store) {
    end(&store, "COMPLETE", "create", 1, changed("t", "CREATE")).await;
    end(&store, "START", "drop", 2, changed("t", "DROP")).await;
    tell(&store, &of_run("FAIL", "drop", 3)).await;
    read(&store, "reader", 4, "t").await;
    assert_eq!(sources(&store, "reader").await, ["create"]);
    let artifacts = store
        .ask(pb::GetArtifactsRequest::default())
        .await
        .artifacts;
    let is_live = |it: &Artifact| it.state() == pedigree::proto::ml_metadata::artifact::State::Live;
    assert!(artifacts.iter().all(is_live), "{artifacts:?}");
}

async fn the_last_declaration_of_a_job_counts(store: Store) {
    let declared = |second: u32, inputs: &[&str]| {
        let mut declared = event("OTHER", second);
        let fields = declared.as_object_mut().unwrap();
        fields.remove("run");
        fields.remove("eventType");
        let inputs = inputs.iter().map(|name| dataset("s3a://lake", name));
        declared["inputs"] = inputs.collect();
        declared["outputs"] = json!([dataset("s3://lake", "out")]);
        declared
    };
    tell(&store, &declared(2, &["a", "b"])).await;
    tell(&store, &declared(1, &["z"])).await;
    let contexts = store.ask(pb::GetContextsRequest::default()).await.contexts;
    let job = contexts
        .iter()
        .find(|it| it.r#type() == "openlineage.Job")
        .unwrap();
    let property = |name: &str| job.custom_properties[name].clone();
    let inputs = r#"["s3://lake/a","s3://lake/b"]"#;
    assert_eq!(property("declared_inputs"), text(inputs));
    assert_eq!(property("declared_inputs_count"), int(2));
    assert_eq!(property("declared_outputs"), text(r#"["s3://lake/out"]"#));
    let runs = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    assert!(runs.is_empty(), "{runs:?}");
}
