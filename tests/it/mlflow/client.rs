//! The released client of `MLflow`, which `tests/setup` installs.

use std::path::Path;
use std::process::Command;

use crate::cli;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    the_released_client_is_served,
    automatic_logging_is_served,
}

once! {
    the_example_prints_where_a_model_came_from,
}

/// Runs a script against a server, in a folder, and returns what it printed.
pub async fn print(store: &Store, script: &'static str, folder: &Path) -> String {
    let (port, folder) = (store.port(), folder.to_owned());
    let printed = tokio::task::spawn_blocking(move || run_script(port, script, &folder, None));
    printed.await.unwrap()
}

/// Runs a script, and returns its last line.
async fn run(store: &Store, script: &'static str, folder: &Path) -> String {
    last_line(&print(store, script, folder).await)
}

pub fn last_line(printed: &str) -> String {
    printed.lines().last().unwrap().to_owned()
}

/// Runs a script against a server, in a folder, with a token if the server needs one, and returns
/// what it printed.
pub fn run_script(port: u16, script: &str, folder: &Path, token: Option<&str>) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/mlflow/bin/python");
    assert!(
        python.exists(),
        "there is no target/mlflow: run tests/setup"
    );
    let output = Command::new(python)
        .arg(root.join(script))
        .arg(format!("http://localhost:{port}"))
        .arg(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        // Otherwise the client loads each model in a process of its own, to see what it needs.
        .env("MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT", "1")
        .envs(token.map(|token| ("MLFLOW_TRACKING_TOKEN", token)))
        .current_dir(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

async fn the_released_client_is_served(store: Store) {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&store, "tests/clients/mlflow/track.py", folder.path()).await;
    let filter = format!("name = '{run}' AND custom_properties.`metric.acc`.double_value = 0.9");
    assert_eq!(store.find::<Execution>(&filter).await.len(), 1);
}

async fn automatic_logging_is_served(store: Store) {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(&store, "tests/clients/mlflow/autolog.py", folder.path()).await;
    let [run, model] = printed.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{printed}");
    };
    let filter = format!("name = '{model}'");
    let ended = cli::ask(store.port(), &["trace", "--artifacts", &filter], "").await;
    let found = ended.stdout;
    for expected in [&format!("mlflow.Run {run}"), "mlflow.Dataset", "[train]"] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

async fn the_example_prints_where_a_model_came_from() {
    let store = Store::open(Backend::SqliteFile).await;
    let folder = tempfile::tempdir().unwrap();
    run(&store, "examples/mlflow/train.py", folder.path()).await;
    let found = cli::ask(store.port(), &["models", "where", "churn"], "").await;
    let file = folder.path().canonicalize().unwrap().join("customers.csv");
    for expected in ["production is version 1 of churn", &*file.to_string_lossy()] {
        assert!(found.stdout.contains(expected), "{expected}: {found:?}");
    }
}
