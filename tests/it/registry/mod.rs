//! `RegistryService`, and `pedigree models`, run as a user runs it.

mod versions_of;

use pedigree::proto::pedigree::registry::v1::registry_service_client::RegistryServiceClient;
use pedigree::proto::pedigree::registry::v1::{
    AliasHistoryRequest, AliasMove, CreateVersionRequest, GetAliasRequest, ListModelsRequest,
    ListVersionsRequest, ModelVersion, RollbackRequest, SetAliasRequest,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::Channel;

use crate::cli;
use crate::mlflow::{experiment, run, tell};
use crate::openlineage;
use crate::security::{self, MadeToken, with_authorization, write_file};
use crate::support::prelude::*;
use crate::support::{Backend, Client};

on_every_database! {
    an_artifact_becomes_a_version,
    an_alias_moves_by_compare_and_set,
    the_history_of_an_alias_has_every_move,
    an_alias_goes_back_to_the_version_before,
    the_moves_of_every_door_are_one_history,
    pages_have_every_model_and_version_once,
    what_is_no_model_version_or_alias_is_refused,
    the_history_says_who_moved_an_alias,
    commands_say_what_is_in_production,
    an_empty_text_names_nothing,
}

type Registry = RegistryServiceClient<Channel>;

fn registry(store: &Store) -> Registry {
    Registry::new(store.channel.clone())
}

/// An artifact of a client of ML Metadata.
async fn artifact(store: &Store, name: &str) -> i64 {
    let of_model = store.put_type::<Artifact>("system.Model", &[]).await;
    store.put(Artifact::new(of_model, name)).await
}

async fn version(store: &Store, model: &str, artifact_id: i64) -> ModelVersion {
    let request = CreateVersionRequest {
        model: model.to_owned(),
        artifact_id,
        ..Default::default()
    };
    let created = registry(store).create_version(request).await.unwrap();
    created.into_inner().version.unwrap()
}

/// A model with so many versions of one artifact.
async fn versions(store: &Store, model: &str, count: usize) {
    let id = artifact(store, model).await;
    for _ in 0..count {
        version(store, model, id).await;
    }
}

async fn set_alias(
    store: &Store,
    version: &str,
    expected: Option<&str>,
) -> Result<Option<AliasMove>, Status> {
    let request = SetAliasRequest {
        model: "Reg".to_owned(),
        alias: "production".to_owned(),
        version: version.to_owned(),
        expected_version: expected.map(str::to_owned),
    };
    let moved = registry(store).set_alias(request).await?;
    Ok(moved.into_inner().r#move)
}

fn production() -> GetAliasRequest {
    GetAliasRequest {
        model: "Reg".to_owned(),
        alias: "production".to_owned(),
    }
}

async fn history(store: &Store) -> Vec<AliasMove> {
    let request = AliasHistoryRequest {
        model: "Reg".to_owned(),
        alias: "production".to_owned(),
        max_moves: 0,
    };
    let found = registry(store).alias_history(request).await.unwrap();
    found.into_inner().moves
}

async fn an_artifact_becomes_a_version(store: Store) {
    let id = artifact(&store, "forest").await;
    let request = CreateVersionRequest {
        model: "Reg".to_owned(),
        artifact_id: id,
        description: "what it is".to_owned(),
        tags: [("team".to_owned(), "red".to_owned())].into(),
    };
    let created = registry(&store).create_version(request).await.unwrap();
    let created = created.into_inner().version.unwrap();
    assert_eq!(
        (created.version.as_str(), created.artifact_ids.as_slice()),
        ("1", &[id][..])
    );
    let request = ListVersionsRequest {
        model: "Reg".to_owned(),
        ..Default::default()
    };
    let listed = registry(&store).list_versions(request).await.unwrap();
    let [listed] = listed.into_inner().versions.try_into().unwrap();
    assert_eq!(listed, created);
    assert_eq!(created.tags["team"], "red");
    // MLflow's clients see the same row.
    let told = crate::mlflow::get(&store, "/model-versions/get?name=Reg&version=1").await;
    assert_eq!(told["model_version"]["description"], "what it is");
    // The files are those of the artifact.
    let mut node = Artifact::new(store.get::<Artifact>(id).await.type_id(), "other");
    node.uri = Some("s3://bucket/forest".to_owned());
    version(&store, "Other", store.put(node).await).await;
    let told = crate::mlflow::get(&store, "/model-versions/get?name=Other&version=1").await;
    assert_eq!(told["model_version"]["source"], "s3://bucket/forest");
    let path = "/model-versions/get-download-uri?name=Other&version=1";
    let told = crate::mlflow::get(&store, path).await;
    assert_eq!(told["artifact_uri"], "s3://bucket/forest");
    let filter = "type = 'kf.ModelVersion' AND custom_properties.`tag.team`.string_value = 'red'";
    assert_eq!(store.find::<Context>(filter).await, [created.id]);
}

async fn an_alias_moves_by_compare_and_set(store: Store) {
    versions(&store, "Reg", 9).await;
    let mut moves = JoinSet::new();
    for number in 1..=9 {
        let store = store.clone();
        moves.spawn(async move { set_alias(&store, &number.to_string(), Some("")).await });
    }
    let moves = moves.join_all().await;
    let (made, refused): (Vec<_>, Vec<_>) = moves.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    let to = made[0].as_ref().unwrap().clone().unwrap().to_version;
    for status in refused {
        let status = status.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(
            status.message().contains(&format!("names {to}")),
            "{status}"
        );
    }
    assert_eq!(history(&store).await.len(), 1);
    set_alias(&store, "1", Some(&to)).await.unwrap();
    let found = registry(&store).get_alias(production()).await.unwrap();
    assert_eq!(found.into_inner().version.unwrap().version, "1");
}

async fn the_history_of_an_alias_has_every_move(store: Store) {
    versions(&store, "Reg", 2).await;
    let mut expected = Vec::new();
    for (from, to) in [("", "1"), ("1", "2"), ("2", ""), ("", "2")] {
        store.tick();
        let moved = set_alias(&store, to, Some(from)).await.unwrap();
        let moved = moved.unwrap();
        assert_eq!(moved.time, store.now());
        assert_eq!(
            (moved.from_version.as_str(), moved.to_version.as_str()),
            (from, to)
        );
        // The same again is no move.
        assert_eq!(set_alias(&store, to, None).await.unwrap(), None);
        expected.insert(0, moved);
    }
    assert_eq!(history(&store).await, expected);
    let found = registry(&store).get_alias(production()).await.unwrap();
    assert_eq!(found.into_inner().r#move, Some(expected.remove(0)));
    // Another client sets the property: it is not known when and by whom.
    let filter = "type = 'kf.RegisteredModel' AND name = 'Reg'";
    let mut model = store
        .get::<Context>(store.find::<Context>(filter).await[0])
        .await;
    let alias = "alias.production".to_owned();
    model.custom_properties.insert(alias, text("1"));
    store.ask(Context::put(vec![model])).await;
    let found = registry(&store)
        .get_alias(production())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.version.unwrap().version, "1");
    assert_eq!(found.r#move, None);
}

async fn rollback(store: &Store, expected: Option<&str>) -> Result<AliasMove, Status> {
    let request = RollbackRequest {
        model: "Reg".to_owned(),
        alias: "production".to_owned(),
        expected_version: expected.map(str::to_owned),
    };
    let moved = registry(store).rollback(request).await?;
    Ok(moved.into_inner().r#move.unwrap())
}

async fn an_alias_goes_back_to_the_version_before(store: Store) {
    versions(&store, "Reg", 3).await;
    let refused = rollback(&store, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    set_alias(&store, "1", None).await.unwrap();
    let refused = rollback(&store, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    set_alias(&store, "2", None).await.unwrap();
    let refused = rollback(&store, Some("3")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(rollback(&store, Some("2")).await.unwrap().to_version, "1");
    assert_eq!(rollback(&store, None).await.unwrap().to_version, "2");
    assert_eq!(history(&store).await.len(), 4);
    // A version that is gone does not come back.
    let body = json!({"name": "Reg", "version": "1"});
    let path = "/model-versions/delete";
    assert_eq!(
        crate::mlflow::send(&store, "DELETE", path, &body).await.0,
        200
    );
    let refused = rollback(&store, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
}

async fn the_moves_of_every_door_are_one_history(store: Store) {
    versions(&store, "Reg", 2).await;
    let body = json!({"name": "Reg", "alias": "production", "version": "1"});
    tell(&store, "/registered-models/alias", body).await;
    set_alias(&store, "2", Some("1")).await.unwrap();
    let body = json!({"name": "Reg", "version": "2"});
    let path = "/model-versions/delete";
    assert_eq!(
        crate::mlflow::send(&store, "DELETE", path, &body).await.0,
        200
    );
    let moves = history(&store).await;
    let moves = moves
        .iter()
        .map(|it| (it.from_version.as_str(), it.to_version.as_str()));
    assert_eq!(
        moves.collect::<Vec<_>>(),
        [("2", ""), ("1", "2"), ("", "1")]
    );
    let refused = registry(&store).get_alias(production()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
}

async fn pages_have_every_model_and_version_once(store: Store) {
    for model in ["c", "a", "b"] {
        versions(&store, model, 1).await;
    }
    versions(&store, "Reg", 12).await;
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListModelsRequest {
            page_size: 2,
            page_token,
        };
        let page = registry(&store)
            .list_models(request)
            .await
            .unwrap()
            .into_inner();
        assert!(page.models.len() <= 2);
        names.extend(page.models.into_iter().map(|model| model.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["Reg", "a", "b", "c"]);
    let (mut numbers, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListVersionsRequest {
            model: "Reg".to_owned(),
            page_size: 5,
            page_token,
        };
        let page = registry(&store)
            .list_versions(request)
            .await
            .unwrap()
            .into_inner();
        numbers.extend(page.versions.into_iter().map(|version| version.version));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<String> = (1..=12).rev().map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

async fn what_is_no_model_version_or_alias_is_refused(store: Store) {
    let empty = registry(&store)
        .list_models(ListModelsRequest::default())
        .await;
    assert!(empty.unwrap().into_inner().models.is_empty());
    let refused = registry(&store).get_alias(production()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    versions(&store, "Reg", 1).await;
    for (model, artifact_id, code) in [
        ("Reg", 1000, Code::NotFound),
        ("", 1, Code::InvalidArgument),
        (" ", 1, Code::InvalidArgument),
        ("a/b", 1, Code::InvalidArgument),
        (&"a".repeat(256), 1, Code::InvalidArgument),
    ] {
        let request = CreateVersionRequest {
            model: model.to_owned(),
            artifact_id,
            ..Default::default()
        };
        let refused = registry(&store).create_version(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{model}: {refused}");
    }
    for (model, alias, version, code) in [
        ("no", "production", "1", Code::NotFound),
        ("Reg", "production", "2", Code::NotFound),
        ("Reg", "", "1", Code::InvalidArgument),
        ("Reg", " ", "1", Code::InvalidArgument),
        ("Reg", "v1", "1", Code::InvalidArgument),
        ("Reg", "a b", "1", Code::InvalidArgument),
    ] {
        let request = SetAliasRequest {
            model: model.to_owned(),
            alias: alias.to_owned(),
            version: version.to_owned(),
            expected_version: None,
        };
        let refused = registry(&store).set_alias(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{model} {alias}: {refused}");
    }
    for (page_size, page_token) in [(-1, ""), (1001, ""), (0, "x"), (0, "-1")] {
        let request = ListModelsRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        let refused = registry(&store).list_models(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let request = ListVersionsRequest {
        model: "no".to_owned(),
        ..Default::default()
    };
    let refused = registry(&store).list_versions(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    assert!(history(&store).await.is_empty());
}

async fn the_history_says_who_moved_an_alias(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "release");
    let file = write_file(folder.path(), &[&token.entry]);
    let store = Store::open_with(backend, |config| config.serving.security = Some(file)).await;
    let mut registry = registry(&store);
    let mut client = Client::new(store.channel.clone());
    let bearer = token.bearer();
    let type_id = security::put(client.clone(), "system.Model", &[&bearer]).await;
    let type_id = type_id.unwrap();
    let put = pb::PutArtifactsRequest {
        artifacts: vec![Artifact::new(type_id, "forest")],
        ..Default::default()
    };
    let put = with_authorization(put, &[&bearer]);
    let id = client
        .put_artifacts(put)
        .await
        .unwrap()
        .into_inner()
        .artifact_ids[0];
    let create = CreateVersionRequest {
        model: "Reg".to_owned(),
        artifact_id: id,
        ..Default::default()
    };
    let create = with_authorization(create, &[&bearer]);
    let created = registry.create_version(create).await.unwrap().into_inner();
    assert_eq!(created.version.unwrap().author, "token:release");
    let set = SetAliasRequest {
        model: "Reg".to_owned(),
        alias: "production".to_owned(),
        version: "1".to_owned(),
        expected_version: None,
    };
    registry
        .set_alias(with_authorization(set, &[&bearer]))
        .await
        .unwrap();
    let get = with_authorization(production(), &[&bearer]);
    let found = registry.get_alias(get).await.unwrap().into_inner();
    assert_eq!(found.r#move.unwrap().principal, "token:release");
}

/// A version of a model that a run trained on data that a job of Spark wrote.
async fn trained(store: &Store) {
    let mut end = openlineage::of_run("COMPLETE", "spark", 1);
    end["inputs"] = json!([openlineage::dataset("s3://bucket", "raw/images")]);
    end["outputs"] = json!([openlineage::dataset("s3://bucket", "data/images")]);
    openlineage::tell(store, &end).await;
    store.tick();
    let number = experiment(store, "e").await;
    let run_id = run(store, &number, "train", 5).await;
    let source = "{\"uri\": \"s3://bucket/data/images\"}";
    let dataset = json!({"name": "d", "digest": "1", "source": source});
    let body = json!({"run_id": run_id, "datasets": [{"dataset": dataset}]});
    tell(store, "/runs/log-inputs", body).await;
    tell(store, "/registered-models/create", json!({"name": "Reg"})).await;
    for path in ["first", "second"] {
        let source = format!("runs:/{run_id}/{path}");
        let body = json!({"name": "Reg", "source": source, "run_id": run_id});
        tell(store, "/model-versions/create", body).await;
    }
}

async fn commands_say_what_is_in_production(store: Store) {
    trained(&store).await;
    let models = async |arguments: &[&str]| {
        let arguments = [&["models"], arguments].concat();
        let ended = cli::ask(store.port(), &arguments, "").await;
        (ended.status.success(), ended.stdout, ended.stderr)
    };
    for (arguments, expected) in [
        (
            &["promote", "Reg", "1"][..],
            "production went from none to 1\n",
        ),
        (&["promote", "Reg", "1"], "production named 1 already\n"),
        (
            &["promote", "Reg", "2", "--expected", "1"],
            "production went from 1 to 2\n",
        ),
        (&["rollback", "Reg"], "production went from 2 to 1\n"),
        (
            &["promote", "Reg", "2", "--alias", "next"],
            "next went from none to 2\n",
        ),
        (&["ls"], "Reg  next=2  production=1\n"),
    ] {
        let (is_done, printed, errors) = models(arguments).await;
        assert!(is_done, "{arguments:?}: {errors}");
        assert_eq!(printed, expected, "{arguments:?}");
    }
    let (is_done, _, errors) = models(&["promote", "Reg", "2", "--expected", "7"]).await;
    assert!(!is_done && errors.contains("names 1, not 7"), "{errors}");
    let (_, listed, _) = models(&["versions", "Reg"]).await;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(
        lines[0].starts_with("2  ") && lines[0].ends_with("  next"),
        "{listed}"
    );
    assert!(
        lines[1].starts_with("1  ") && lines[1].ends_with("  production"),
        "{listed}"
    );
    let (_, listed, _) = models(&["versions", "Reg", "--format", "json"]).await;
    let first: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(first["version"], "2");
    let (is_done, found, errors) = models(&["where", "Reg", "--history"]).await;
    assert!(is_done, "{errors}");
    for expected in [
        "production is version 1 of Reg\n",
        "since ",
        "\nrun ",
        "raw/images",
        "went from 2 to 1\n",
        "went from none to 1\n",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    for arguments in [
        &["where", "Reg", "--alias", "no"][..],
        &["where", "Reg", "--alias", "no", "--history"],
    ] {
        let (is_done, _, errors) = models(arguments).await;
        assert!(!is_done && errors.contains("names no version"), "{errors}");
    }
    let (is_done, _, errors) = models(&["promote", "Reg", ""]).await;
    assert!(is_done, "{errors}");
    let (is_done, found, errors) = models(&["where", "Reg", "--history"]).await;
    assert!(is_done, "{errors}");
    assert!(
        found.starts_with("production names no version\n"),
        "{found}"
    );
    assert!(found.contains("went from 1 to none\n"), "{found}");
    let (_, moved, _) = models(&["rollback", "Reg"]).await;
    assert_eq!(moved, "production went from none to 1\n");
    let artifact = [
        "register",
        "Made",
        "--artifact",
        "1",
        "--description",
        "the first",
    ];
    let (is_done, registered, errors) = models(&artifact).await;
    assert!(is_done, "{errors}");
    assert!(
        registered.starts_with("1  ") && registered.contains("artifact 1"),
        "{registered}"
    );
    let (is_done, _, errors) = models(&["register", "Made", "--artifact", "999"]).await;
    assert!(!is_done && errors.contains("NOT_FOUND"), "{errors}");
}

async fn an_empty_text_names_nothing(store: Store) {
    trained(&store).await;
    // An artifact with neither a URI nor a name.
    let of_model = store.put_type::<Artifact>("system.Model", &[]).await;
    let unnamed = Artifact {
        type_id: Some(of_model),
        ..Artifact::default()
    };
    store.put(unnamed).await;
    let missing = "there is no artifact";
    let empty = "it is empty";
    for (arguments, words) in [
        (&["models", "register", "Reg", "--artifact", ""][..], empty),
        (&["models", "register", "Reg", "--artifact", " "], empty),
        (&["models", "register", "", "--artifact", "1"], empty),
        (&["models", "register", "\t", "--artifact", "1"], empty),
        (&["models", "versions", ""], empty),
        (&["models", "promote", " ", "1"], empty),
        (&["models", "promote", "Reg", "1", "--alias", ""], empty),
        (&["models", "promote", "Reg", "", "--alias", " "], empty),
        (&["models", "rollback", "Reg", "--alias", ""], empty),
        (&["models", "where", "Reg", "--alias", " "], empty),
        (&["reproduce", ""], empty),
        (&["reproduce", " "], empty),
        (&["report", ""], empty),
        (&["export-provenance", ""], empty),
        (&["reproduce", "system.Model/"], missing),
        (&["report", "system.Model/ "], missing),
        (&["export-provenance", "/", "--format", "slsa"], missing),
        (&["models", "register", "Reg", "--artifact", " / "], missing),
    ] {
        let ended = cli::ask(store.port(), arguments, "").await;
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        let errors = &ended.stderr;
        assert!(errors.contains(words), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{arguments:?}: {errors}");
    }
    let listed = cli::ask(store.port(), &["models", "ls"], "").await;
    assert_eq!(listed.stdout, "Reg\n");
    let listed = cli::ask(store.port(), &["models", "versions", "Reg"], "").await;
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:?}");
}
