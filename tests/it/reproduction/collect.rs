//! `pedigree collect kfp`: a run that the calls of Kubeflow Pipelines wrote, and what its API and
//! that of Kubernetes know about it.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use pedigree::blobs::BlobDigest;
use pedigree::proto::pedigree::reproduction::v1::{Level, PlanResponse, PlannedStep};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;
use url::Url;

use super::doors::{plan, text};
use crate::binary::{self, Ended};
use crate::clients;
use crate::support::prelude::*;

on_every_database!(
    a_run_gets_the_facts_of_its_cluster,
    what_the_graph_says_otherwise_stays,
    a_run_that_cannot_be_read_changes_nothing,
    pods_that_cannot_be_read_cost_the_digests_of_images_only,
    a_step_in_python_is_made_again,
);

/// The run that the client in Go writes.
const RUN: &str = "2f1c6a0e-6c1d-4a52-9f52-4d0b3a7c1e11";

const RUN_PATH: &str = "/apis/v2beta1/runs/2f1c6a0e-6c1d-4a52-9f52-4d0b3a7c1e11";
const VERSION_PATH: &str = "/apis/v2beta1/pipelines/5b1f0f0c-9d0f-4e5b-8f0a-3c1b2a4d5e6f/versions/\
                            0a9b8c7d-6e5f-4a3b-9c1d-2e3f4a5b6c7d";
const PODS_PATH: &str = "/api/v1/namespaces/kubeflow/pods/";

/// The token that the APIs want.
const TOKEN: &str = "cluster-token";

fn pipeline() -> Json {
    serde_json::from_str(include_str!("../../data/kfp/pipeline.json")).unwrap()
}

/// In place of an engine of containers and of the executor in Python, of which it reads the input.
const ENGINE: &str = r#"
import json, sys

given = json.loads(sys.argv[sys.argv.index("--executor_input") + 1])
values = given["inputs"]["parameterValues"]
images, model = (
    given[side]["artifacts"][role]["artifacts"][0]["uri"]
    for side, role in (("inputs", "images"), ("outputs", "model"))
)
with open(images) as rows, open(model, "w") as file:
    file.write(f"{values['epochs']} {values['layers']} {rows.read()}")
"#;

/// An answer: status and body.
type Answer = (u16, String);

/// The APIs of Kubeflow Pipelines and Kubernetes, at one address.
struct Cluster {
    port: u16,
    /// The paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
    /// The home of the command, with its blobs and the file of the token.
    home: TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the APIs know. Of pods, the one of the training is there.
fn known(run: &Json, path: &str) -> Answer {
    let pod = include_str!("../../data/kfp/pod.json");
    match path {
        RUN_PATH => (200, run.to_string()),
        VERSION_PATH => {
            let spec = json!({ "pipeline_spec": pipeline(), "platform_spec": {} });
            (200, json!({ "pipeline_spec": spec }).to_string())
        }
        path if path.starts_with(&format!("{PODS_PATH}training-train-")) => (200, pod.to_owned()),
        _ => (
            404,
            json!({ "code": 5, "message": "it is not here" }).to_string(),
        ),
    }
}

impl Cluster {
    /// A cluster that has this run.
    async fn with(run: Json) -> Self {
        Self::answering(move |path| known(&run, path)).await
    }

    async fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (notes, answer) = (asked.clone(), Arc::new(answer));
        let handler = move |request: Request| {
            let path = request.uri().path().to_owned();
            let token = request.headers().get("authorization").cloned();
            let is_known = token.is_some_and(|it| it == format!("Bearer {TOKEN}").as_str());
            notes.lock().unwrap().push(path.clone());
            let answer = answer.clone();
            async move {
                let refused = json!({ "message": "who are you?" }).to_string();
                let answered = if is_known {
                    answer(&path)
                } else {
                    (401, refused)
                };
                let (status, body) = answered;
                if status == 0 {
                    sleep(Duration::from_mins(1)).await;
                }
                let response = Response::builder().status(status.max(200));
                let response = response.header("location", "https://login.example/?state=secret");
                response.body(Body::from(body)).unwrap()
            }
        };
        let router = Router::new().fallback(handler);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let home = TempDir::new().unwrap();
        fs::write(home.path().join("token"), TOKEN).unwrap();
        Self {
            port,
            asked,
            serving,
            home,
        }
    }

    /// Runs the program with these arguments.
    async fn pedigree(&self, store: &Store, arguments: &[&str]) -> Ended {
        let mut command = binary::pedigree(self.home.path(), arguments);
        let server = format!("http://127.0.0.1:{}", store.port());
        command
            .env("HOME", self.home.path())
            .env("PATH", std::env::var("PATH").unwrap())
            .env("CONTAINER_ENGINE", self.home.path().join("engine.sh"))
            .env("PEDIGREE_SERVER", server);
        spawn_blocking(|| binary::run(command)).await.unwrap()
    }

    /// Runs the command with the token, and these arguments.
    async fn collect(&self, store: &Store, arguments: &[&str]) -> Ended {
        let url = format!("http://127.0.0.1:{}", self.port);
        let given = ["collect", "kfp", "--api", &url, "--api-token-file", "token"];
        self.pedigree(store, &[&given, arguments].concat()).await
    }

    /// [`Self::collect`] of the run with its pods, which must succeed.
    async fn collect_run(&self, store: &Store) -> String {
        let url = format!("http://127.0.0.1:{}/", self.port);
        let pods = [
            "--kubernetes-api",
            &url,
            "--kubernetes-token-file",
            "token",
            RUN,
        ];
        let ended = self.collect(store, &pods).await;
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// The run as the API has it. It names the execution of its last step, and the version of its
/// pipeline.
async fn recorded_run(store: &Store) -> Json {
    let published =
        store.find::<Execution>("custom_properties.display_name.string_value = 'unknown'");
    let published = published.await;
    let text = include_str!("../../data/kfp/run.json");
    let mut run: Json = serde_json::from_str(text).unwrap();
    let task = &mut run["run_details"]["task_details"][1];
    assert_eq!(task["display_name"], "publish");
    task["execution_id"] = json!(published[0].to_string());
    run
}

/// Writes the run, and digests of its artifacts, which no call of Kubeflow Pipelines has.
async fn write_run(store: &Store) {
    let address = format!("127.0.0.1:{}", store.port());
    let calls = spawn_blocking(move || clients::kubeflow_collected_run(&address));
    calls.await.unwrap();
    for id in store.find::<Artifact>("uri LIKE 'minio:%'").await {
        let artifact = store.get::<Artifact>(id).await;
        let digest = format!("sha256:{id:064x}");
        store
            .put(artifact.with_custom("digest", text(&digest)))
            .await;
    }
}

/// The step of a plan that wrote a role.
fn step<'p>(plan: &'p PlanResponse, output: &str) -> &'p PlannedStep {
    let mut steps = plan.steps.iter();
    let found = steps.find(|step| step.outputs.iter().any(|it| it.role == output));
    found.unwrap_or_else(|| panic!("no {output}: {plan:?}"))
}

/// The ids of the gaps of an execution.
fn gaps(plan: &PlanResponse, step: &PlannedStep) -> Vec<String> {
    use pedigree::proto::pedigree::reproduction::v1::gap::Subject;
    let subject = Some(Subject::ExecutionId(step.execution_id));
    let gaps = plan.gaps.iter().filter(|gap| gap.subject == subject);
    gaps.map(|gap| gap.id.clone()).collect()
}

async fn a_run_gets_the_facts_of_its_cluster(store: Store) {
    write_run(&store).await;
    let report = "uri LIKE '%/report'";
    let before = plan(&store, report).await;
    assert_eq!(step(&before, "model").level(), Level::Traced, "{before:?}");
    let cluster = Cluster::with(recorded_run(&store).await).await;

    let printed = cluster.collect_run(&store).await;
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 6, "{printed}");
    let facts = "added code.spec, command, environment.image, environment.variables, param.layers, \
                 param.note, param.rate";
    assert!(
        lines[0].ends_with(&format!(" fit/train: {facts}")),
        "{printed}"
    );
    let metadata = "{{$.inputs.artifacts['model'].metadata['rows']}} has no other word";
    let evaluated = format!(
        " for-loop-2/evaluate: added code.spec, command, environment.image; \
                             missing command: {metadata}"
    );
    assert!(lines[1].ends_with(&evaluated), "{printed}");
    assert!(lines[2].ends_with(&evaluated), "{printed}");
    let published = " publish: added code.spec, command; missing environment.image: the pod \
                     kubeflow/training-publish-";
    assert!(lines[3].contains(published), "{printed}");
    assert!(lines[3].ends_with(" is gone"), "{printed}");
    assert!(
        lines[4].ends_with(": it was skipped, and execution 1 has the facts"),
        "{printed}"
    );
    let end = "executions: 5; facts: 15 added, 0 known, 0 kept although they differ, 3 missing";
    assert_eq!(lines[5], end);
    // Images with digests need no pod.
    let asked = cluster.asked();
    let pods = asked.iter().filter(|path| path.starts_with(PODS_PATH));
    assert_eq!(pods.count(), 2, "{asked:?}");
    assert_eq!(asked[..2], [RUN_PATH, VERSION_PATH]);

    let made = plan(&store, report).await;
    let trained = step(&made, "model");
    assert_eq!(trained.level(), Level::Runnable, "{made:?}");
    assert!(gaps(&made, trained).is_empty(), "{made:?}");
    let image = &trained.environment.as_ref().unwrap().image;
    let digest = "1".repeat(64);
    assert_eq!(*image, format!("docker.io/library/python@sha256:{digest}"));
    assert_eq!(trained.parameters["epochs"], "3");
    assert_eq!(trained.parameters["layers"], "[64,10]");
    assert!(!format!("{made:?}").contains("hunter2"));
    let input: Json = serde_json::from_str(&trained.command[8]).unwrap();
    let artifact = &input["outputs"]["artifacts"]["model"]["artifacts"][0];
    assert_eq!(artifact["uri"], "{out:model}");
    assert_eq!(
        input["inputs"]["parameterValues"]["epochs"].to_string(),
        "3"
    );
    let spec = trained.code.as_ref().unwrap().spec.as_ref().unwrap();
    assert!(spec.artifact_id.is_some());
    let path = Url::parse(&spec.uri).unwrap().to_file_path().unwrap();
    assert!(path.starts_with(cluster.home.path()));
    let stored: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(stored["pipeline_spec"], pipeline());

    // A part of the command of the loop is not known, and no image of the last step.
    let evaluated = step(&made, "report");
    assert_eq!(evaluated.level(), Level::Pinned, "{made:?}");
    assert_eq!(gaps(&made, evaluated), ["no-command"]);
    assert_eq!(evaluated.command[3], "--shard={param:shard}");
    let published = plan(&store, "uri LIKE '%/receipt'").await;
    let last = step(&published, "receipt");
    assert_eq!(last.level(), Level::Pinned, "{published:?}");
    assert_eq!(gaps(&published, last), ["no-environment"]);
    assert_eq!(last.command, ["publish", "{in:model}", "{out:receipt}"]);

    let again = cluster.collect_run(&store).await;
    let end = "executions: 5; facts: 0 added, 15 known, 0 kept although they differ, 3 missing";
    assert_eq!(again.lines().last(), Some(end), "{again}");
    assert_eq!(plan(&store, report).await, made);

    // A launcher may undo what was added, but for the input.
    let id = trained.execution_id;
    let mut undone = store.get::<Execution>(id).await;
    undone.custom_properties.remove("code.spec").unwrap();
    undone.custom_properties.remove("command").unwrap();
    store.put(undone).await;
    let again = cluster.collect_run(&store).await;
    assert!(
        again.contains(" fit/train: added code.spec, command; known "),
        "{again}"
    );
    assert_eq!(plan(&store, report).await, made);
    let request = pb::GetEventsByExecutionIDsRequest {
        execution_ids: vec![id],
        ..Default::default()
    };
    assert_eq!(store.ask(request).await.events.len(), 3);

    let model = plan(&store, "uri LIKE '%/model'").await;
    assert_eq!(model.level(), Level::Runnable, "{model:?}");
    assert!(model.gaps.is_empty(), "{model:?}");
}

async fn what_the_graph_says_otherwise_stays(store: Store) {
    write_run(&store).await;
    let trained =
        "custom_properties.task_name.string_value = 'train' AND last_known_state = COMPLETE";
    let found = store.find::<Execution>(trained).await;
    let execution = store.get::<Execution>(found[0]).await;
    let number = Value {
        value: Some(pb::value::Value::IntValue(5)),
    };
    let command = r#"["train"]"#;
    let execution = execution.with_custom("command", text(command));
    store
        .put(execution.with_custom("param.rate", number.clone()))
        .await;
    // The run has its specification itself.
    let mut run = recorded_run(&store).await;
    run["pipeline_spec"] = pipeline();
    // Without what it says of executions, a task has the names of the graph only.
    run["run_details"] = json!(null);
    let cluster = Cluster::with(run).await;

    let printed = cluster.collect_run(&store).await;
    let unknown = ": its task `unknown` is not in the specification";
    assert_eq!(printed.matches(unknown).count(), 1, "{printed}");
    let line = printed.lines().next().unwrap();
    let facts = "added code.spec, environment.image, environment.variables, param.layers, \
                 param.note; kept although it differs command, param.rate";
    assert!(line.ends_with(facts), "{printed}");
    assert!(!cluster.asked().contains(&VERSION_PATH.to_owned()));
    let after = store.get::<Execution>(found[0]).await;
    assert_eq!(after.custom_properties["command"], text(command));
    assert_eq!(after.custom_properties["param.rate"], number);
    assert_eq!(after.last_known_state(), pb::execution::State::Complete);
    assert_eq!(after.custom_properties["pod_uid"], text("uid-of-train"));
}

async fn a_run_that_cannot_be_read_changes_nothing(store: Store) {
    write_run(&store).await;
    let run = recorded_run(&store).await;
    let answers: [(Answer, &str); 7] = [
        (
            (302, String::new()),
            "302 Found: it leads elsewhere, maybe to a login",
        ),
        (
            (500, json!({ "message": "try\nlater" }).to_string()),
            "500 Internal Server Error try\\nlater",
        ),
        ((200, "<html>".to_owned()), "the answer is no JSON"),
        (
            (200, " ".repeat((16 << 20) + 1)),
            "cannot read the answer: length limit exceeded",
        ),
        ((0, String::new()), "no answer came in time"),
        (
            (200, "{}".to_owned()),
            "the API has no specification of the run",
        ),
        (
            (200, json!({ "pipeline_spec": { "spec": {} } }).to_string()),
            "it is no specification of Kubeflow Pipelines 2",
        ),
    ];
    let before = store.find::<Artifact>("id > 0").await;
    let fails = async |ended: Ended, words: &str| {
        assert_eq!(ended.status.code(), Some(1), "{words}: {ended:?}");
        assert!(ended.stderr.contains(words), "no {words}: {ended:?}");
        assert!(!ended.stderr.contains("secret"), "{ended:?}");
        assert_eq!(store.find::<Artifact>("id > 0").await, before, "{words}");
    };
    for (answer, words) in answers {
        let cluster = Cluster::answering(move |_| answer.clone()).await;
        let ended = cluster.collect(&store, &["--api-timeout", "2s", RUN]).await;
        fails(ended, words).await;
    }
    let cluster = Cluster::with(run.clone()).await;
    let ended = cluster.collect(&store, &["unknown"]).await;
    fails(ended, "the API has no run unknown").await;
    let ended = cluster.collect(&store, &[".."]).await;
    fails(ended, "apis/v2beta1/runs/.. is no path of an API").await;
    fs::write(cluster.home.path().join("token"), "another").unwrap();
    let ended = cluster.collect(&store, &[RUN]).await;
    fails(ended, "401 Unauthorized who are you?").await;

    let elsewhere = Cluster::answering(move |path| match path {
        "/apis/v2beta1/runs/elsewhere" => known(&run, RUN_PATH),
        path => known(&run, path),
    });
    let ended = elsewhere.await.collect(&store, &["elsewhere"]).await;
    fails(ended, "the graph has no run elsewhere").await;
}

async fn pods_that_cannot_be_read_cost_the_digests_of_images_only(store: Store) {
    write_run(&store).await;
    let run = recorded_run(&store).await;
    let cluster = Cluster::with(run).await;
    let ended = cluster.collect(&store, &[RUN]).await;
    assert!(ended.status.success(), "{ended:?}");
    let missing = "missing environment.image: no --kubernetes-api is given";
    assert!(ended.stdout.contains(missing), "{ended:?}");

    // With a token that Kubernetes does not know.
    let url = format!("http://127.0.0.1:{}", cluster.port);
    let arguments = ["--kubernetes-api", &url, RUN];
    cluster.asked();
    let ended = cluster.collect(&store, &arguments).await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("401 Unauthorized"), "{ended:?}");
    assert!(ended.stdout.contains(" cannot be read"), "{ended:?}");
    let asked = cluster.asked();
    let pods = asked.iter().filter(|path| path.starts_with(PODS_PATH));
    assert_eq!(pods.count(), 1, "{asked:?}");
    let known = "facts: 0 added, 14 known";
    assert!(ended.stdout.contains(known), "{ended:?}");
    cluster.collect_run(&store).await;
    let made = plan(&store, "uri LIKE '%/model'").await;
    assert_eq!(step(&made, "model").level(), Level::Runnable, "{made:?}");
}

/// Writes an artifact with this content, in the place of what a filter finds.
async fn replace(store: &Store, filter: &str, file: &Path, content: &str) {
    let found = store.find::<Artifact>(filter).await;
    assert_eq!(found.len(), 1, "{filter}");
    let mut artifact = store.get::<Artifact>(found[0]).await;
    fs::write(file, content).unwrap();
    artifact.uri = Some(Url::from_file_path(file).unwrap().into());
    let digest = format!("sha256:{}", BlobDigest::of(content.as_bytes()));
    store
        .put(artifact.with_custom("digest", text(&digest)))
        .await;
}

async fn a_step_in_python_is_made_again(store: Store) {
    write_run(&store).await;
    let cluster = Cluster::with(recorded_run(&store).await).await;
    let place = |name: &str| cluster.home.path().join(name);
    let images = "uri = 'minio://mlpipeline/images'";
    replace(&store, images, &place("images"), "1\n2\n").await;
    replace(
        &store,
        "uri LIKE '%/model'",
        &place("model"),
        "3 [64, 10] 1\n2\n",
    )
    .await;
    cluster.collect_run(&store).await;
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let engine = format!("#!/bin/sh\nexec '{}' \"$0.py\" \"$@\"\n", python.display());
    fs::write(place("engine.sh"), engine).unwrap();
    fs::write(place("engine.sh.py"), ENGINE).unwrap();
    fs::set_permissions(place("engine.sh"), Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(place("model")).unwrap();

    let model = place("model");
    let arguments = [
        "reproduce",
        model.to_str().unwrap(),
        "--run",
        "--yes",
        "--to",
        "again",
    ];
    let ended = cluster.pedigree(&store, &arguments).await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        ended.stdout.matches(": identical (execution").count(),
        1,
        "{ended:?}"
    );
    let made = plan(&store, "uri LIKE 'file:%/model'").await;
    assert_eq!(made.level(), Level::Reproduced, "{made:?}");

    for (arguments, expected, other) in [
        (["report", "--format", "json"], "code.spec", "code.commit"),
        (
            ["export-provenance", "--format", "slsa"],
            "code.spec",
            "git+",
        ),
    ] {
        let arguments = [&arguments[..], &[model.to_str().unwrap()]].concat();
        let ended = cluster.pedigree(&store, &arguments).await;
        assert!(ended.stdout.contains(expected), "{ended:?}");
        assert!(!ended.stdout.contains(other), "{ended:?}");
    }

    // The specification is needed as much as a commit is.
    fs::remove_dir_all(place(".local")).unwrap();
    let ended = cluster
        .pedigree(&store, &["reproduce", model.to_str().unwrap()])
        .await;
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert!(
        ended.stdout.contains("code.spec is not at file://"),
        "{ended:?}"
    );
}
