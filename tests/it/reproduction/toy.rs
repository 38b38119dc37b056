//! The toy of `tests/data/toy/`: rows are shuffled, a forest is trained, and evaluated.
//!
//! Its steps are recorded through each door. Then everything but the sources is deleted, and made
//! again from the graph alone.
//!
//! A forest of scikit-learn takes some seconds of each case. So on the database servers, which
//! differ in the graph alone, a model that needs no package takes its place, unless at full size.
//!
//! Environments are not installed, which takes minutes: `pip` finds the packages of their lists in
//! `target/mlflow`, and containers are that environment. At full size, those of lists are
//! installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::rerun::ENGINE;
use super::{Project, fact};
use crate::binary::{self, Ended};
use crate::python::{python, sized};
use crate::support::Backend;

blocking_on_every_database! {
    what_pedigree_run_records_is_made_again,
    what_a_client_of_ml_metadata_records_is_made_again,
    what_a_producer_of_openlineage_reports_is_made_again,
    what_a_client_of_mlflow_logs_is_made_again,
}

const SHUFFLE: &str = include_str!("../../data/toy/shuffle.py");
const TRACKED: &str = include_str!("../../data/toy/tracked.py");

/// What trains and what evaluates: a forest, and the model that needs no package.
const FOREST: [&str; 2] = [
    include_str!("../../data/toy/train.py"),
    include_str!("../../data/toy/evaluate.py"),
];
const PLAIN: [&str; 2] = [
    include_str!("../../data/toy/plain_train.py"),
    include_str!("../../data/toy/plain_evaluate.py"),
];

/// Whether the model is a forest.
fn has_forest(backend: Backend) -> bool {
    sized(backend == Backend::SqliteFile, true)
}

/// What the steps make, each in one file.
const MADE: [&str; 3] = ["data/shuffled.csv", "out/model.pkl", "out/metrics.json"];

/// The image that containers are said to have.
const IMAGE: &str =
    "host/toy@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The scripts of the toy, and data.
fn toy(backend: Backend) -> Project {
    let [train, evaluate] = if has_forest(backend) { FOREST } else { PLAIN };
    let files = [
        ("shuffle.py", SHUFFLE),
        ("train.py", train),
        ("evaluate.py", evaluate),
        ("tracked.py", TRACKED),
    ];
    let project = Project::on(backend, &files);
    let rows = (0..80).map(|row| format!("{},{},{}\n", row * 37 % 80, row * 53 % 71, row / 5 % 2));
    project.write("data/raw.csv", &rows.collect::<String>());
    project
}

/// The Python that has the packages of the steps.
fn forest_python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/mlflow/bin/python");
    assert!(
        python.exists(),
        "there is no target/mlflow: run tests/setup"
    );
    python
}

/// A command with what the client of `MLflow` needs.
fn with_mlflow(project: &Project, command: &mut Command) {
    let server = format!("http://127.0.0.1:{}", project.port());
    command
        .env("MLFLOW_TRACKING_URI", server)
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        // Otherwise the client loads each model in a process of its own, to see what it needs.
        .env("MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
}

/// Runs a rerun of an artifact, in an empty folder.
fn rerun(project: &Project, model: &str) -> Ended {
    let again = project.around().join("again");
    let arguments = ["reproduce", model, "--run", "--yes", "--to"];
    let mut command = project.command(&[&arguments[..], &[again.to_str().unwrap()]].concat());
    // At full size a rerun of a run of MLflow is another one.
    if sized(false, true) {
        with_mlflow(project, &mut command);
    }
    let python = forest_python();
    let engine = project.around().join("engine.sh");
    let path = std::env::var("PATH").unwrap();
    let script = ENGINE.replace(
        "set -eu\n",
        &format!(
            "set -eu\nPATH='{}':\"$PATH\"\n",
            python.parent().unwrap().display()
        ),
    );
    fs::write(&engine, script).unwrap();
    project.shell(&format!("chmod +x '{}'", engine.display()));
    command
        .env("PATH", path)
        .env("CONTAINER_ENGINE", engine)
        .env("PYTHON", &python);
    if sized(true, false) {
        let question = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let packages = Command::new(&python).args(["-c", question]).output();
        let packages = String::from_utf8(packages.unwrap().stdout).unwrap();
        command
            .env("PYTHONPATH", packages.trim())
            .env("PIP_NO_INDEX", "1");
    }
    binary::run(command)
}

/// Deletes everything but the sources, and makes an artifact again that takes all steps. The
/// outputs have so many verdicts: two artifacts can be one file.
fn make_again(project: &Project, model: &str, verdicts: usize) {
    let before = MADE.map(|name| fs::read(project.path(name)).unwrap());
    for folder in ["out", "env"] {
        fs::remove_dir_all(project.path(folder)).unwrap();
    }
    fs::remove_file(project.path("data/shuffled.csv")).unwrap();
    let plan = project.plan(model);
    assert!(plan["gaps"].is_null(), "{plan}");
    assert_eq!(plan["steps"].as_array().unwrap().len(), 3, "{plan}");
    let ended = rerun(project, model);
    assert!(ended.status.success(), "{ended:?}");
    let identical = ended.stdout.matches(": identical (execution").count();
    assert_eq!(identical, verdicts, "{ended:?}");
    let after = (1..).zip(MADE).map(|(step, name)| {
        let made = format!("again/steps/{step}/tree/{name}");
        fs::read(project.around().join(made)).unwrap()
    });
    assert!(before == *after.collect::<Vec<_>>());
    let plan = project.plan(model);
    assert_eq!(plan["level"], "REPRODUCED", "{plan}");
    let executions = project.executions();
    let recorded = executions.iter();
    let recorded = recorded.filter(|it| fact(it, "verdict") == "identical");
    assert_eq!(recorded.count(), verdicts);
}

fn what_pedigree_run_records_is_made_again(backend: Backend) {
    let project = toy(backend);
    let python = if has_forest(backend) {
        forest_python()
    } else {
        project.path("env/bin/python")
    };
    let run = |options: &[&str], command: &[&str]| {
        let words = [python.to_str().unwrap()];
        project.succeed(&[&["run"], options, &["--"], &words, command].concat());
    };
    run(
        &[
            "--in=raw=data/raw.csv",
            "--out=shuffled=data/shuffled.csv",
            "--param=seed=7",
        ],
        &["shuffle.py", "{in:raw}", "{out:shuffled}", "{param:seed}"],
    );
    run(
        &[
            "--in=shuffled=data/shuffled.csv",
            "--out=model=out/model.pkl",
            "--param=trees=20",
            "--param=seed=7",
        ],
        &[
            "train.py",
            "{in:shuffled}",
            "{out:model}",
            "{param:trees}",
            "{param:seed}",
        ],
    );
    run(
        &[
            "--in=shuffled=data/shuffled.csv",
            "--in=model=out/model.pkl",
            "--out=metrics=out/metrics.json",
        ],
        &[
            "evaluate.py",
            "{in:shuffled}",
            "{in:model}",
            "{out:metrics}",
        ],
    );
    make_again(&project, "out/metrics.json", 3);
}

/// Runs the steps by a tool of `tests/wheel` that records them.
fn record(project: &Project, tool: &str) {
    let port = project.port().to_string();
    let folder = project.path("").canonicalize().unwrap();
    python(
        tool,
        &[
            "--port",
            &port,
            "--folder",
            folder.to_str().unwrap(),
            "--python",
            forest_python().to_str().unwrap(),
            "--image",
            IMAGE,
        ],
    );
}

fn what_a_client_of_ml_metadata_records_is_made_again(backend: Backend) {
    let project = toy(backend);
    record(&project, "toy_mlmd.py");
    make_again(&project, "out/metrics.json", 3);
}

fn what_a_producer_of_openlineage_reports_is_made_again(backend: Backend) {
    let project = toy(backend);
    record(&project, "toy_openlineage.py");
    make_again(&project, "out/metrics.json", 3);
}

/// Runs a step as a run of `MLflow`, and says where its files are.
fn track(project: &Project, image: Option<&str>, words: &[&str]) -> String {
    let mut command = Command::new(forest_python());
    command
        .arg("tracked.py")
        .args(words)
        .current_dir(project.path(""));
    project.prepare(&mut command);
    with_mlflow(project, &mut command);
    command.envs(image.map(|image| ("TOY_IMAGE", image)));
    let ended = binary::run(command);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout.lines().last().unwrap().to_owned()
}

fn what_a_client_of_mlflow_logs_is_made_again(backend: Backend) {
    let project = toy(backend);
    let [shuffled, model, metrics] = MADE;
    // Otherwise the run has a list of packages.
    let image = Some(IMAGE).filter(|_| !has_forest(backend));
    let track = |words: &[&str]| track(&project, image, words);
    let first = track(&["shuffle", "", "data/raw.csv", shuffled, "7"]);
    let rows = format!("shuffled={first}/shuffled.csv");
    let second = track(&["train", &rows, shuffled, model, "20", "7"]);
    let both = format!("{rows},model={second}/model.pkl");
    let third = track(&["evaluate", &both, shuffled, model, metrics]);
    // The files of a run that a later one reads are datasets of that too.
    make_again(&project, &format!("{third}/metrics.json"), 5);
}
