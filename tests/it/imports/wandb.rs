//! `pedigree import wandb`, from lines that a script writes with the library of Weights & Biases.

use std::fs;
use std::path::Path;

use pedigree::proto::ml_metadata::event::Type;
use pedigree::proto::ml_metadata::{GetEventsByExecutionIDsRequest, value};
use serde_json::{Value, json};

use super::{Imported, by_key, import};
use crate::support::{Backend, TestDatabase};

blocking_on_every_database! {
    an_export_is_imported_once,
    what_is_wrong_is_named_and_comes_with_the_next_import,
}

blocking_once! {
    a_file_that_is_not_there_is_named,
}

fn on_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

/// The first line of a run.
fn run(id: &str, state: &str) -> Value {
    json!({
        "kind": "run", "entity": "team", "project": "churn", "id": id, "name": format!("n-{id}"),
        "state": state, "created_at": "2025-01-02T03:04:05", "user": "ada",
        "heartbeat_at": "2025-01-02T04:04:05Z", "group": null, "job_type": "train",
        "tags": ["red", "try"], "notes": "what it is", "commit": "0123abcd",
        "config": {"lr": 0.1, "model": {"depth": 3}, "layers": [1, 2], "none": null},
        "summary": {"loss": 0.1, "best": 0.05, "label": "x", "_runtime": 9},
    })
}

fn artifact(kind: &str, run: &str, name: &str, entries: &Value) -> Value {
    json!({
        "kind": kind, "run": run, "name": format!("team/churn/{name}"), "type": "model",
        "aliases": ["latest"], "digest": "0a1b", "size": 7, "file_count": 1,
        "description": null, "metadata": {"k": 1}, "created_at": "2025-01-02T03:04:05",
        "entries": entries,
    })
}

fn end(run: &str) -> Value {
    json!({"kind": "end", "run": run})
}

fn row(run: &str, row: &Value) -> Value {
    json!({"kind": "history", "run": run, "row": row})
}

fn write(folder: &Path, name: &str, lines: &[String]) {
    fs::write(folder.join(name), lines.join("\n") + "\n").unwrap();
}

fn texts(lines: &[Value]) -> Vec<String> {
    lines.iter().map(Value::to_string).collect()
}

/// An export of two runs: one makes the model that the other uses.
fn lines() -> Vec<String> {
    let data = json!([{"path": "a", "digest": "x", "size": 1, "ref": "s3://lake/raw"}]);
    let model = json!([{"path": "model.pt", "digest": "y", "size": 7, "ref": null}]);
    let mut lines = texts(&[
        run("r1", "finished"),
        row(
            "r1",
            &json!({"_step": 0, "_timestamp": 1.5, "loss": 0.5, "val": {"acc": 1}}),
        ),
    ]);
    // As Python writes it.
    lines.push(
        r#"{"kind": "history", "run": "r1", "row": {"_step": 1, "_timestamp": 2, "loss": NaN}}"#
            .to_owned(),
    );
    lines.extend(texts(&[
        row(
            "r1",
            &json!({"_step": 2, "_timestamp": 3.25, "loss": 0.1, "text": "x"}),
        ),
        artifact("used", "r1", "data:v1", &data),
        artifact("logged", "r1", "net:v3", &model),
        end("r1"),
        run("r2", "crashed"),
        artifact("used", "r2", "net:v3", &model),
        end("r2"),
    ]));
    lines
}

fn an_export_is_imported_once(backend: Backend) {
    on_runtime(import_twice(backend));
}

async fn import_twice(backend: Backend) {
    let database = TestDatabase::new(backend);
    let lines = lines();
    write(database.dir(), "a.jsonl", &lines[..7]);
    write(database.dir(), "b.jsonl", &lines[7..]);
    write(database.dir(), "other.txt", &["no export".to_owned()]);
    let first = import(&database, &["wandb", "."]);
    assert!(first.status.success(), "{first:?}");
    let expected = "imported 1 experiments, 2 runs with 7 points of metrics, 0 models, 0 versions, \
                    2 artifacts and 0 files; 0 runs were there already";
    assert!(first.stdout.contains(expected), "{first:?}");
    let second = import(&database, &["wandb", "b.jsonl"]);
    assert!(second.status.success(), "{second:?}");
    assert!(second.stdout.contains("0 runs with 0 points"), "{second:?}");
    assert!(
        second
            .stdout
            .contains(" 0 artifacts and 0 files; 1 runs were there already"),
        "{second:?}"
    );

    let server = Imported::open(&database);
    let runs = server.runs("team/churn").await;
    let [one, two] = &runs[..] else {
        panic!("{runs:?}");
    };
    let (start, ended) = (1_735_787_045_000_i64, 1_735_790_645_000_i64);
    for (run, status) in [(one, "FINISHED"), (two, "FAILED")] {
        let info = &run["info"];
        assert_eq!(info["status"], status);
        assert_eq!(
            (&info["start_time"], &info["end_time"]),
            (&json!(start), &json!(ended))
        );
        assert_eq!(info["user_id"], "ada");
        let params = by_key(&run["data"]["params"]);
        let expected = json!({"lr": "0.1", "model.depth": "3", "layers": "[1,2]"});
        assert_eq!(json!(params), expected);
        let tags = by_key(&run["data"]["tags"]);
        assert_eq!(tags["mlflow.note.content"], "what it is");
        assert_eq!(tags["mlflow.source.git.commit"], "0123abcd");
        assert_eq!(tags["wandb.tags"], "[\"red\",\"try\"]");
        assert_eq!(tags["wandb.summary.label"], "x");
        assert!(!tags.contains_key("wandb.group"), "{tags:?}");
    }
    assert_eq!(one["info"]["run_name"], "n-r1");
    assert_eq!(by_key(&one["data"]["tags"])["wandb.run"], "team/churn/r1");
    let loss = server.history(one, "loss").await;
    let expected = [
        (0, 1500, json!(0.5)),
        (1, 2000, json!("NaN")),
        (2, 3250, json!(0.1)),
    ];
    assert_eq!(loss, expected);
    assert_eq!(
        server.history(one, "val.acc").await,
        [(0, 1500, json!(1.0))]
    );
    assert_eq!(server.history(one, "best").await, [(2, ended, json!(0.05))]);

    let id = |run: &Value| run["info"]["run_id"].as_str().unwrap().to_owned();
    let filter = |run| format!("name = '{}'", id(run));
    let executions = [
        server.executions(&filter(one)).await[0],
        server.executions(&filter(two)).await[0],
    ];
    let model = "external_id = 'wandb:artifact:team/churn/net:v3'";
    let model = server.artifacts(model).await.pop().unwrap();
    let fact = |name: &str| match &model.custom_properties[name].value {
        Some(value::Value::StringValue(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(
        (model.uri(), &*fact("digest")),
        ("wandb-artifact://team/churn/net", "wandb:0a1b")
    );
    assert_eq!((&*fact("version"), &*fact("wandb.type")), ("v3", "model"));
    assert_eq!(fact("wandb.aliases"), "[\"latest\"]");
    assert!(fact("wandb.entries").contains("model.pt"));
    let bytes = model.custom_properties["bytes"].value.as_ref();
    assert_eq!(bytes, Some(&value::Value::IntValue(7)));
    let data = "external_id = 'wandb:artifact:team/churn/data:v1'";
    let data = server.artifacts(data).await.pop().unwrap();
    assert_eq!(data.uri(), "s3://lake/raw");
    let request = GetEventsByExecutionIDsRequest {
        execution_ids: executions.to_vec(),
        ..GetEventsByExecutionIDsRequest::default()
    };
    let mut client = server.0.client().await;
    let events = client.get_events_by_execution_i_ds(request).await.unwrap();
    let events = events.into_inner().events.into_iter();
    let events = events.map(|it| (it.execution_id(), it.artifact_id(), it.r#type()));
    let mut events: Vec<_> = events.collect();
    events.sort_unstable();
    let mut expected = [
        (executions[0], data.id(), Type::Input),
        (executions[0], model.id(), Type::Output),
        (executions[1], model.id(), Type::Input),
    ];
    expected.sort_unstable();
    assert_eq!(events, expected);
}

fn what_is_wrong_is_named_and_comes_with_the_next_import(backend: Backend) {
    on_runtime(import_wrong(backend));
}

async fn import_wrong(backend: Backend) {
    let database = TestDatabase::new(backend);
    let whole = |id: &str| {
        texts(&[
            run(id, "finished"),
            row(id, &json!({"_step": 0, "_timestamp": 1, "loss": 0.5})),
            row(id, &json!({"_step": 1, "_timestamp": 2, "loss": 0.4})),
            artifact("logged", id, "net:v1", &json!([])),
            end(id),
        ])
    };
    let right = [whole("r1"), whole("r2"), whole("r3"), whole("r4")].concat();
    let mut wrong = right.clone();
    "{\"kind\": \"history\", \"run\": \"r1\", ".clone_into(&mut wrong[1]);
    wrong[5] = run("r2", "finished")
        .to_string()
        .replace("2025-01-02T03", "yesterday");
    wrong[11] = row("r3", &json!({"_step": "x", "loss": 0.5})).to_string();
    wrong[13] = artifact("logged", "r3", "net", &json!([])).to_string();
    // The export was cut off.
    wrong.pop();
    write(database.dir(), "e.jsonl", &wrong);
    let first = import(&database, &["wandb", "e.jsonl"]);
    assert!(!first.status.success(), "{first:?}");
    let places = first
        .stderr
        .lines()
        .filter_map(|line| line.split_once(": "));
    let places: Vec<&str> = places.map(|(place, _)| place).collect();
    let expected = [
        "e.jsonl:2",
        "e.jsonl:6",
        "e.jsonl:12",
        "e.jsonl:14",
        "e.jsonl",
    ];
    assert_eq!(places[..5], expected, "{first:?}");
    assert!(first.stderr.contains("3 runs with"), "{first:?}");
    let server = Imported::open(&database);
    let runs = server.runs("team/churn").await;
    let names: Vec<_> = runs.iter().map(|it| &it["info"]["run_name"]).collect();
    assert_eq!(names, ["n-r1", "n-r3", "n-r4"]);
    assert!(
        runs.iter().all(|it| it["info"]["status"] == "RUNNING"),
        "{runs:?}"
    );
    // Nothing is left of a line that is wrong.
    assert_eq!(server.history(&runs[0], "loss").await.len(), 1);
    server.0.stop();

    write(database.dir(), "e.jsonl", &right);
    let second = import(&database, &["wandb", "e.jsonl"]);
    assert!(second.status.success(), "{second:?}");
    assert!(second.stdout.contains(" 1 runs with"), "{second:?}");
    let server = Imported::open(&database);
    let runs = server.runs("team/churn").await;
    assert_eq!(runs.len(), 4);
    for run in &runs {
        assert_eq!(run["info"]["status"], "FINISHED", "{run}");
        assert_eq!(server.history(run, "loss").await.len(), 2);
    }
}

fn a_file_that_is_not_there_is_named() {
    let database = TestDatabase::new(Backend::SqliteFile);
    for (path, expected) in [("gone.jsonl", "gone.jsonl"), (".", "has no file *.jsonl")] {
        let refused = import(&database, &["wandb", path]);
        assert!(!refused.status.success(), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
}
