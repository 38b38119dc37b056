//! Registered models and their versions, beside what was recorded.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::models::{model, send};
use super::{code, experiment, get, post, run, tell};
use crate::cli;
use crate::openlineage;
use crate::support::prelude::*;

on_every_database! {
    a_version_is_the_artifact_of_its_model,
    a_version_leads_back_to_raw_data,
    a_version_of_a_path_of_a_run_is_its_output,
    an_artifact_of_another_client_becomes_a_version,
    what_is_registered_does_not_change,
    versions_that_come_at_once_have_numbers_of_their_own,
    models_of_kubeflow_are_models_too,
    a_deleted_model_frees_its_name,
    a_deleted_version_keeps_its_number,
    refused_sources_store_nothing,
    tags_and_descriptions_come_back,
    prompts_are_apart_from_models,
}

/// Registers a model.
pub async fn register(store: &Store, name: &str) {
    tell(store, "/registered-models/create", json!({"name": name})).await;
}

/// Registers a version of a model, and returns its number.
pub async fn version(store: &Store, name: &str, source: &str, run: &str) -> String {
    let body = json!({"name": name, "source": source, "run_id": run});
    let created = tell(store, "/model-versions/create", body).await;
    let version = &created["model_version"]["version"];
    version.as_str().unwrap().to_owned()
}

async fn set_alias(store: &Store, name: &str, alias: &str, version: &str) {
    let body = json!({"name": name, "alias": alias, "version": version});
    tell(store, "/registered-models/alias", body).await;
}

/// A run that logged a model, with the ids of both.
async fn logged(store: &Store) -> (String, String) {
    let number = experiment(store, "e").await;
    let run_id = run(store, &number, "train", 5).await;
    let model_id = model(store, &number, "forest", &run_id).await;
    (run_id, model_id)
}

async fn a_version_is_the_artifact_of_its_model(store: Store) {
    let (run_id, model_id) = logged(&store).await;
    register(&store, "Reg").await;
    // It has the run of the model, unless the client names one.
    let source = format!("models:/{model_id}");
    assert_eq!(version(&store, "Reg", &source, "").await, "1");
    // Of another version, and of an alias, it is the same artifact.
    assert_eq!(version(&store, "Reg", "models:/Reg/1", "").await, "2");
    set_alias(&store, "Reg", "champion", "2").await;
    assert_eq!(
        version(&store, "Reg", "models:/Reg@champion", "").await,
        "3"
    );
    let told = get(&store, "/model-versions/get?name=Reg&version=3").await;
    assert_eq!(told["model_version"]["run_id"], run_id);
    let told = get(
        &store,
        "/model-versions/get-download-uri?name=Reg&version=3",
    )
    .await;
    assert_eq!(told["artifact_uri"], source);
    let models = store.find::<Context>("type = 'kf.RegisteredModel'").await;
    assert_eq!(models.len(), 1);
    let filter = "type = 'kf.ModelVersion' AND parent_contexts_a.name = 'Reg' AND \
                  properties.state.string_value = 'LIVE'";
    let versions = store.find::<Context>(filter).await;
    assert_eq!(versions.len(), 3);
    for version in ["1", "2", "3"] {
        let filter = format!(
            "contexts_a.type = 'kf.ModelVersion' AND contexts_a.name = '{}:{version}'",
            models[0]
        );
        let found = store.find::<Artifact>(&filter).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(store.get::<Artifact>(found[0]).await.name(), model_id);
    }
}

async fn a_version_leads_back_to_raw_data(store: Store) {
    let mut end = openlineage::of_run("COMPLETE", "spark", 1);
    end["inputs"] = json!([openlineage::dataset("s3://bucket", "raw/images")]);
    end["outputs"] = json!([openlineage::dataset("s3://bucket", "data/images")]);
    openlineage::tell(&store, &end).await;
    store.tick();
    let (run_id, model_id) = logged(&store).await;
    let source = "{\"uri\": \"s3://bucket/data/images\"}";
    let dataset = json!({"name": "d", "digest": "1", "source": source});
    let body = json!({"run_id": run_id, "datasets": [{"dataset": dataset}]});
    tell(&store, "/runs/log-inputs", body).await;
    register(&store, "Reg").await;
    version(&store, "Reg", &format!("models:/{model_id}"), &run_id).await;
    let filter = "contexts_a.type = 'kf.ModelVersion'";
    let ended = cli::ask(store.port(), &["trace", "--artifacts", filter], "").await;
    let found = ended.stdout;
    for expected in [
        "mlflow.Run",
        "openlineage.Run team/spark/spark",
        "raw/images",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

async fn a_version_of_a_path_of_a_run_is_its_output(store: Store) {
    let (run_id, _) = logged(&store).await;
    register(&store, "Reg").await;
    let source = format!("runs:/{run_id}/forest");
    // The same files are one artifact.
    for expected in ["1", "2"] {
        assert_eq!(version(&store, "Reg", &source, &run_id).await, expected);
    }
    let told = get(&store, &format!("/runs/get?run_id={run_id}")).await;
    let files = told["run"]["info"]["artifact_uri"].as_str().unwrap();
    let filter = format!("type = 'kf.ModelArtifact' AND uri = '{files}/forest'");
    let found = store.find::<Artifact>(&filter).await;
    assert_eq!(found.len(), 1);
    let filter = format!(
        "name = '{run_id}' AND events_0.artifact_id = {} AND events_0.type = OUTPUT",
        found[0]
    );
    assert_eq!(store.find::<Execution>(&filter).await.len(), 1);
    // Files of the run may be named by their URI too.
    let inside = format!("{files}/other");
    assert_eq!(version(&store, "Reg", &inside, &run_id).await, "3");
}

async fn an_artifact_of_another_client_becomes_a_version(store: Store) {
    let of_model = store.put_type::<Artifact>("system.Model", &[]).await;
    let mut artifact = Artifact::new(of_model, "forest");
    artifact.uri = Some("s3://bucket/forest".to_owned());
    let id = store.put(artifact).await;
    register(&store, "Reg").await;
    version(&store, "Reg", "s3://bucket/forest", "").await;
    let filter = "contexts_a.type = 'kf.ModelVersion'";
    assert_eq!(store.find::<Artifact>(filter).await, [id]);
}

async fn what_is_registered_does_not_change(store: Store) {
    let of_model = store.put_type::<Artifact>("system.Model", &[]).await;
    let mut artifact = Artifact::new(of_model, "forest");
    artifact.uri = Some("s3://bucket/forest".to_owned());
    let id = store.put(artifact).await;
    register(&store, "Reg").await;
    version(&store, "Reg", "s3://bucket/forest", "").await;
    let put = async |change: &dyn Fn(&mut Artifact)| {
        let mut artifact = store.get::<Artifact>(id).await;
        change(&mut artifact);
        store.send(Artifact::put(vec![artifact])).await.map(|_| ())
    };
    let digest = |text: &str| {
        let text = text.to_owned();
        move |artifact: &mut Artifact| {
            let custom = &mut artifact.custom_properties;
            custom.insert(
                "digest".to_owned(),
                crate::support::prelude::text(text.clone()),
            );
        }
    };
    let moved = |artifact: &mut Artifact| artifact.uri = Some("s3://bucket/other".to_owned());
    let gone = |artifact: &mut Artifact| artifact.state = Some(pb::artifact::State::Deleted.into());
    put(&gone).await.unwrap();
    // A digest may be added once.
    put(&digest("sha256:1")).await.unwrap();
    for refused in [put(&digest("sha256:2")).await, put(&moved).await] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert!(refused.message().contains("registered"), "{refused}");
    }
    let stored = store.get::<Artifact>(id).await;
    assert_eq!(stored.uri(), "s3://bucket/forest");
    let body = json!({"name": "Reg", "version": "1"});
    assert_eq!(
        send(&store, "DELETE", "/model-versions/delete", &body)
            .await
            .0,
        200
    );
    put(&moved).await.unwrap();
}

async fn versions_that_come_at_once_have_numbers_of_their_own(store: Store) {
    register(&store, "Reg").await;
    let mut created = JoinSet::new();
    for number in 0..12 {
        let (store, source) = (store.clone(), format!("s3://bucket/{}", number % 4));
        created.spawn(async move { version(&store, "Reg", &source, "").await });
    }
    let mut numbers = created.join_all().await;
    numbers.sort_by_key(|number| number.parse::<i64>().unwrap());
    let expected: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

async fn models_of_kubeflow_are_models_too(store: Store) {
    let texts = |names: &[&'static str]| -> Vec<(&'static str, PropertyType)> {
        names
            .iter()
            .map(|name| (*name, PropertyType::String))
            .collect()
    };
    let of_model = texts(&["description", "owner", "state", "language"]);
    let of_model = store
        .put_type::<Context>("kf.RegisteredModel", &of_model)
        .await;
    let of_version = texts(&["author", "description", "model_name", "state", "version"]);
    let of_version = store
        .put_type::<Context>("kf.ModelVersion", &of_version)
        .await;
    store
        .put_type::<Artifact>("kf.ModelArtifact", &texts(&["description"]))
        .await;
    let id = store.put(Context::new(of_model, "Hub")).await;
    for version in ["1", "v1.0"] {
        let name = format!("{id}:{version}");
        let child = store.put(Context::new(of_version, &name)).await;
        let link = pb::ParentContext {
            parent_id: Some(id),
            child_id: Some(child),
            ..Default::default()
        };
        let put = pb::PutParentContextsRequest {
            parent_contexts: vec![link],
            ..Default::default()
        };
        store.ask(put).await;
    }
    let told = get(&store, "/registered-models/get?name=Hub").await;
    assert_eq!(told["registered_model"]["name"], "Hub");
    let told = get(&store, "/model-versions/get?name=Hub&version=1").await;
    assert_eq!(told["model_version"]["version"], "1");
    let told = get(&store, "/model-versions/search?filter=name%3D'Hub'").await;
    assert_eq!(told["model_versions"].as_array().unwrap().len(), 2);
    // The next number is free.
    assert_eq!(version(&store, "Hub", "s3://bucket/x", "").await, "2");
    set_alias(&store, "Hub", "production", "1").await;
    let filter = "name = 'Hub' AND custom_properties.`alias.production`.string_value = '1'";
    assert_eq!(store.find::<Context>(filter).await, [id]);
}

async fn a_deleted_model_frees_its_name(store: Store) {
    register(&store, "Reg").await;
    version(&store, "Reg", "s3://bucket/x", "").await;
    set_alias(&store, "Reg", "champion", "1").await;
    let body = json!({"name": "Reg"});
    let path = "/registered-models/delete";
    assert_eq!(send(&store, "DELETE", path, &body).await.0, 200);
    for path in [
        "/registered-models/get?name=Reg",
        "/model-versions/get?name=Reg&version=1",
        "/registered-models/alias?name=Reg&alias=champion",
    ] {
        assert_eq!(
            send(&store, "GET", path, &Value::Null).await.0,
            404,
            "{path}"
        );
    }
    for path in ["/registered-models/search", "/model-versions/search"] {
        assert_eq!(get(&store, path).await, json!({}), "{path}");
    }
    register(&store, "Reg").await;
    assert_eq!(version(&store, "Reg", "s3://bucket/y", "").await, "1");
    let told = get(&store, "/registered-models/get?name=Reg").await;
    assert!(told["registered_model"].get("aliases").is_none(), "{told}");
    // The graph keeps what there was.
    let filter = "type = 'kf.RegisteredModel' AND properties.state.string_value = 'ARCHIVED'";
    assert_eq!(store.find::<Context>(filter).await.len(), 1);
    // Its name is not one of a model.
    let kept = store
        .get::<Context>(store.find::<Context>(filter).await[0])
        .await;
    let name = kept.name().to_owned();
    let path = format!("/registered-models/get?name={name}");
    assert_eq!(send(&store, "GET", &path, &Value::Null).await.0, 404);
}

async fn a_deleted_version_keeps_its_number(store: Store) {
    register(&store, "Reg").await;
    for expected in ["1", "2"] {
        assert_eq!(version(&store, "Reg", "s3://bucket/x", "").await, expected);
    }
    set_alias(&store, "Reg", "champion", "2").await;
    let body = json!({"name": "Reg", "version": "2"});
    assert_eq!(
        send(&store, "DELETE", "/model-versions/delete", &body)
            .await
            .0,
        200
    );
    assert_eq!(
        send(&store, "DELETE", "/model-versions/delete", &body)
            .await
            .0,
        404
    );
    let told = get(&store, "/registered-models/get?name=Reg").await;
    let model = &told["registered_model"];
    assert!(model.get("aliases").is_none(), "{told}");
    assert_eq!(model["latest_versions"][0]["version"], "1");
    let alias = json!({"name": "Reg", "alias": "a", "version": "2"});
    assert_eq!(
        post(&store, "/registered-models/alias", &alias)
            .await
            .status,
        404
    );
    assert_eq!(version(&store, "Reg", "models:/Reg/1", "").await, "3");
    let source = json!({"name": "Reg", "source": "models:/Reg/2"});
    assert_eq!(
        post(&store, "/model-versions/create", &source).await.status,
        404
    );
}

async fn refused_sources_store_nothing(store: Store) {
    let (run_id, model_id) = logged(&store).await;
    register(&store, "Reg").await;
    let missing = (404, "RESOURCE_DOES_NOT_EXIST");
    let invalid = (400, "INVALID_PARAMETER_VALUE");
    for (body, expected) in [
        (json!({"name": "no", "source": "s3://b/x"}), missing),
        (json!({"name": "Reg", "source": "models:/m-0"}), missing),
        (json!({"name": "Reg", "source": "models:/Reg/7"}), missing),
        (json!({"name": "Reg", "source": "models:/Reg@no"}), missing),
        (json!({"name": "Reg", "source": "models:/no/1"}), missing),
        (
            json!({"name": "Reg", "source": "x", "model_id": "m-0"}),
            missing,
        ),
        (
            json!({"name": "Reg", "source": "runs:/x/m", "run_id": run_id}),
            invalid,
        ),
        (json!({"name": "Reg", "source": "runs:/x"}), invalid),
        (
            json!({"name": "Reg", "source": "mlflow-artifacts:/9/x", "run_id": run_id}),
            invalid,
        ),
        (
            json!({"name": "Reg", "source": "/tmp/x", "run_id": run_id}),
            invalid,
        ),
        (json!({"name": "Reg", "source": "s3://b/%2E%2E/x"}), invalid),
        (
            json!({"name": "Reg", "source": "s3://b/x", "tags": [{"value": "v"}]}),
            invalid,
        ),
    ] {
        let answer = post(&store, "/model-versions/create", &body).await;
        assert_eq!((answer.status, code(&answer).as_str()), expected, "{body}");
    }
    assert!(
        store
            .find::<Context>("type = 'kf.ModelVersion'")
            .await
            .is_empty()
    );
    assert!(
        store
            .find::<Artifact>("type = 'kf.ModelArtifact'")
            .await
            .is_empty()
    );
    // A version of a model whose files were named in another way.
    let body = json!({"name": "Reg", "source": "/tmp/x", "model_id": model_id});
    tell(&store, "/model-versions/create", body).await;
}

async fn tags_and_descriptions_come_back(store: Store) {
    register(&store, "Reg").await;
    version(&store, "Reg", "s3://bucket/x", "").await;
    for (path, of) in [
        ("/registered-models", json!({"name": "Reg"})),
        ("/model-versions", json!({"name": "Reg", "version": "1"})),
    ] {
        let with = |more: Value| {
            let mut body = of.clone();
            body.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            body
        };
        let tag = with(json!({"key": "k", "value": "v"}));
        tell(&store, &format!("{path}/set-tag"), tag.clone()).await;
        let text = with(json!({"description": "what it is"}));
        let (status, told) = send(&store, "PATCH", &format!("{path}/update"), &text).await;
        assert_eq!(status, 200);
        let told = told.as_object().unwrap().values().next().unwrap();
        assert_eq!(told["description"], "what it is");
        assert_eq!(told["tags"], json!([{"key": "k", "value": "v"}]));
        // Without a description, it stays.
        let (_, told) = send(&store, "PATCH", &format!("{path}/update"), &of).await;
        let told = told.as_object().unwrap().values().next().unwrap();
        assert_eq!(told["description"], "what it is");
        for _ in 0..2 {
            let path = format!("{path}/delete-tag");
            assert_eq!(send(&store, "DELETE", &path, &tag).await.0, 200);
        }
        let long = with(json!({"key": "k", "value": "v".repeat(100_001)}));
        assert_eq!(
            post(&store, &format!("{path}/set-tag"), &long).await.status,
            400
        );
    }
}

async fn prompts_are_apart_from_models(store: Store) {
    register(&store, "plain").await;
    for (name, value) in [("prompt", "true"), ("other", "false")] {
        let tags = json!([{"key": "mlflow.prompt.is_prompt", "value": value}]);
        let body = json!({"name": name, "tags": tags});
        tell(&store, "/registered-models/create", body).await;
    }
    let tag = "tag.%60mlflow.prompt.is_prompt%60";
    for (filter, expected) in [
        (format!("{tag}+!%3D+'true'"), vec!["other", "plain"]),
        (
            format!("name+LIKE+'p%25'+AND+{tag}+!%3D+'true'"),
            vec!["plain"],
        ),
        (format!("{tag}+%3D+'true'"), vec!["prompt"]),
        ("tags.team+!%3D+'red'".to_owned(), vec![]),
    ] {
        let path = format!("/registered-models/search?filter={filter}");
        let told = get(&store, &path).await;
        let models = told["registered_models"].as_array();
        let names = models
            .into_iter()
            .flatten()
            .map(|it| it["name"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), expected, "{filter}");
    }
    // A version of a prompt has a text in a tag, and no artifact.
    let tags = |is_prompt: &str| json!([{"key": "mlflow.prompt.is_prompt", "value": is_prompt}]);
    for (source, is_prompt, status) in [
        ("dummy-source", "True", 200),
        ("prompt-template", "true", 200),
        ("s3://b/x", "true", 400),
        ("dummy-source", "false", 400),
    ] {
        let body = json!({"name": "prompt", "source": source, "tags": tags(is_prompt)});
        let answer = post(&store, "/model-versions/create", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let made = store.find::<Artifact>("type = 'kf.ModelArtifact'").await;
    assert!(made.is_empty(), "{made:?}");
}
