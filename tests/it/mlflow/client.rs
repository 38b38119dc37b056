//! The released client of `MLflow`, which `tests/setup` installs.

use std::path::Path;
use std::process::Command;

use crate::support::prelude::*;

on_every_database! {
    the_released_client_is_served,
}

/// Runs `track.py` against a server, and returns its last line.
fn track(port: u16) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/mlflow/bin/python");
    assert!(
        python.exists(),
        "there is no target/mlflow: run tests/setup"
    );
    let output = Command::new(python)
        .arg(root.join("tests/clients/mlflow/track.py"))
        .arg(format!("http://localhost:{port}"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().last().unwrap().to_owned()
}

async fn the_released_client_is_served(store: Store) {
    let port = store.port();
    let run = tokio::task::spawn_blocking(move || track(port))
        .await
        .unwrap();
    let filter = format!("name = '{run}' AND custom_properties.`metric.acc`.double_value = 0.9");
    assert_eq!(store.find::<Execution>(&filter).await.len(), 1);
}
