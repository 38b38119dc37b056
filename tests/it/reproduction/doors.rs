//! How far the graph of each door can be made again, by the facts that its clients give.

use pedigree::proto::ml_metadata::event::Type;
use pedigree::proto::pedigree::reproduction::v1::reproduction_service_client::ReproductionServiceClient;
use pedigree::proto::pedigree::reproduction::v1::{Level, PlanRequest, PlanResponse};
use serde_json::json;

use crate::support::prelude::*;
use crate::{mlflow, openlineage};

on_every_database!(each_door_gives_the_facts_that_its_clients_have);

const REPOSITORY: &str = "https://git.example/team/train.git";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The plan of the newest artifact that a filter finds.
pub async fn plan(store: &Store, filter: &str) -> PlanResponse {
    let found = store.find::<Artifact>(filter).await;
    let mut client = ReproductionServiceClient::new(store.channel.clone());
    let request = PlanRequest {
        artifact_id: *found.iter().max().unwrap(),
        ..PlanRequest::default()
    };
    client.plan(request).await.unwrap().into_inner()
}

fn gaps(plan: &PlanResponse) -> Vec<&str> {
    plan.gaps.iter().map(|gap| gap.id.as_str()).collect()
}

pub fn text(text: &str) -> Value {
    Value {
        value: Some(pb::value::Value::StringValue(text.to_owned())),
    }
}

/// A client of ML Metadata that writes the facts by their names.
async fn ml_metadata(store: &Store) {
    let data = store.put_type::<Artifact>("Data", &[]).await;
    let step = store.put_type::<Execution>("Train", &[]).await;
    let artifact = |name: &str, digit: &str| {
        let mut artifact = Artifact::new(data, name);
        artifact.uri = Some(format!("s3://mlmd/{name}"));
        let digest = text(&format!("sha256:{}", digit.repeat(64)));
        artifact
            .custom_properties
            .insert("digest".to_owned(), digest);
        artifact
    };
    let event = |of: Type, role: &str| pb::Event {
        r#type: Some(of.into()),
        path: Some(pb::event::Path {
            steps: vec![pb::event::path::Step {
                value: Some(pb::event::path::step::Value::Key(role.to_owned())),
            }],
        }),
        ..Default::default()
    };
    let mut execution = Execution::new(step, "train");
    for (name, value) in [
        (
            "command",
            r#"["train", "{in:raw}", "{out:model}", "{param:seed}"]"#,
        ),
        ("param.seed", "7"),
        ("code.repository", REPOSITORY),
        ("code.commit", COMMIT),
        (
            "environment.image",
            &format!("host/train@sha256:{}", "a".repeat(64)),
        ),
    ] {
        execution
            .custom_properties
            .insert(name.to_owned(), text(value));
    }
    let put = pb::PutExecutionRequest {
        execution: Some(execution),
        artifact_event_pairs: vec![
            pair(Some(artifact("raw", "1")), Some(event(Type::Input, "raw"))),
            pair(
                Some(artifact("model", "2")),
                Some(event(Type::Output, "model")),
            ),
        ],
        ..Default::default()
    };
    store.ask(put).await;
}

/// A producer of `OpenLineage` that knows its code and the versions of its data.
async fn open_lineage(store: &Store) {
    let versioned = |name: &str, version: &str| {
        let mut dataset = openlineage::dataset("s3://openlineage", name);
        dataset["facets"] = json!({ "version": { "datasetVersion": version } });
        dataset
    };
    let mut end = openlineage::of_run("COMPLETE", "train", 1);
    end["job"]["facets"] = json!({
        "sourceCodeLocation": { "type": "git", "url": REPOSITORY, "version": COMMIT },
    });
    end["run"]["facets"] = json!({
        "environmentVariables": {
            "environmentVariables": [
                { "name": "PYTHONHASHSEED", "value": "0" }, { "name": "HOME", "value": "/root" },
            ],
        },
    });
    end["inputs"] = json!([versioned("raw", "17")]);
    end["outputs"] = json!([versioned("model", "18")]);
    openlineage::tell(store, &end).await;
}

/// A run of `MLflow` with the tags that its client sets in a work tree of git, a dataset with this
/// source, and a model that is ready with the files that its client stores.
async fn ml_flow(store: &Store, name: &str, source: &str) {
    let experiment = mlflow::experiment(store, name).await;
    let run = mlflow::run(store, &experiment, "train", 5).await;
    for (key, value) in [
        ("mlflow.source.git.repoURL", REPOSITORY),
        ("mlflow.source.git.commit", COMMIT),
        ("mlflow.source.name", "train.py"),
    ] {
        let body = json!({ "run_id": run, "key": key, "value": value });
        mlflow::tell(store, "/runs/set-tag", body).await;
    }
    let body = json!({ "run_id": run, "key": "seed", "value": "7" });
    mlflow::tell(store, "/runs/log-parameter", body).await;
    let dataset = json!({
        "name": "raw", "digest": "0a1b2c3d", "source_type": "s3",
        "source": json!({ "uri": source }).to_string(),
    });
    let body = json!({ "run_id": run, "datasets": [{ "dataset": dataset }] });
    mlflow::tell(store, "/runs/log-inputs", body).await;
    let model = json!({ "experiment_id": experiment, "name": name, "source_run_id": run });
    let created = mlflow::tell(store, "/logged-models", model).await;
    let id = created["model"]["info"]["model_id"].as_str().unwrap();
    let root = format!("{experiment}/models/{id}/artifacts");
    for (file, text) in [
        ("MLmodel", "flavors: {}\n"),
        ("python_env.yaml", "python: 3.12.1\n"),
        ("requirements.txt", "mlflow==3.17.2\n"),
    ] {
        mlflow::artifacts::put(store, &format!("{root}/{file}"), text.as_bytes()).await;
    }
    let ready = json!({ "model_id": id, "status": "LOGGED_MODEL_READY" });
    let path = format!("/logged-models/{id}");
    assert_eq!(mlflow::send(store, "PATCH", &path, &ready).await.0, 200);
}

async fn each_door_gives_the_facts_that_its_clients_have(store: Store) {
    ml_metadata(&store).await;
    open_lineage(&store).await;
    mlflow::artifacts::put(&store, "data/raw.csv", b"1,2\n").await;
    ml_flow(&store, "here", "mlflow-artifacts:/data/raw.csv").await;
    ml_flow(&store, "elsewhere", "s3://mlflow/raw").await;
    let mut plans = Vec::new();
    for (door, filter, level) in [
        ("ML Metadata", "uri = 's3://mlmd/model'", Level::Runnable),
        (
            "OpenLineage",
            "uri = 's3://openlineage/model'",
            Level::Pinned,
        ),
        // Where a rerun writes the model is not known.
        (
            "MLflow, with data that is on the server",
            "properties.name.string_value = 'here'",
            Level::Pinned,
        ),
        // Its client's digests have 8 digits.
        (
            "MLflow, with data that is elsewhere",
            "properties.name.string_value = 'elsewhere'",
            Level::Traced,
        ),
    ] {
        let made = plan(&store, filter).await;
        println!(
            "{door}: level {} {:?}, {} %, {:?}",
            made.level,
            made.level(),
            made.score,
            gaps(&made)
        );
        assert_eq!(made.level(), level, "{door}: {made:?}");
        assert_eq!(made.steps.len(), 1, "{door}");
        let code = made.steps[0].code.clone().unwrap();
        assert_eq!(
            (code.repository.as_str(), code.commit.as_str()),
            (REPOSITORY, COMMIT),
            "{door}"
        );
        plans.push(made);
    }
    let [metadata, events, tracking, elsewhere] = &plans[..] else {
        unreachable!();
    };
    assert!(metadata.gaps.is_empty(), "{metadata:?}");
    let environment = events.steps[0].environment.clone().unwrap();
    assert_eq!(
        environment.variables,
        [("PYTHONHASHSEED".to_owned(), "0".to_owned())].into()
    );
    let step = &tracking.steps[0];
    assert_eq!(step.command, ["python", "train.py"]);
    assert_eq!(step.parameters["seed"], "7");
    let environment = step.environment.clone().unwrap();
    assert_eq!(environment.python, "3.12.1");
    assert!(environment.lock.unwrap().artifact_id.is_some());
    assert_eq!(gaps(tracking), ["no-path", "no-path"]);
    assert_eq!(gaps(elsewhere), ["no-digest", "no-path", "no-path"]);
}
