//! The tools in `tests/wheel/`, run by the Python that `tests/run` installs.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a tool to its end, which must be a good one.
pub fn python(tool: &str, arguments: &[&str]) -> Output {
    script(&format!("tests/wheel/{tool}"), arguments)
}

/// [`python`] for a file elsewhere in the repository.
pub fn script(tool: &str, arguments: &[&str]) -> Output {
    let interpreter = PathBuf::from(HERE).join("target/venv/bin/python");
    assert!(
        interpreter.exists(),
        "there is no target/venv: run tests/run once, it installs the ml-metadata wheel there"
    );
    let output = Command::new(interpreter)
        .arg(PathBuf::from(HERE).join(tool))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// The size of the randomised tests: `full` when `PEDIGREE_TEST_FULL` is 1, as `tests/run`
/// explains, and `short` otherwise.
pub fn sized<T>(short: T, full: T) -> T {
    if std::env::var("PEDIGREE_TEST_FULL").is_ok_and(|value| value == "1") {
        full
    } else {
        short
    }
}
