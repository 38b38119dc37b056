//! The Helm chart: the tests in `tests/chart/`, which render it with the helm that `tests/run`
//! builds.

mod pod;
mod serving;

use std::path::PathBuf;
use std::process::{Command, Stdio};

blocking_once! {
    the_chart_renders_what_clusters_take_and_what_serves,
}

fn the_chart_renders_what_clusters_take_and_what_serves() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let interpreter = here.join("target/venv/bin/python");
    assert!(
        interpreter.exists(),
        "there is no target/venv: run tests/run once, it installs what the tests of the chart need"
    );
    let output = Command::new(interpreter)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .arg(here.join("tests/chart"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PEDIGREE_BINARY", env!("CARGO_BIN_EXE_pedigree"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
