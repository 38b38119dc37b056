//! The environment of a run: Python with its packages, platform, hardware, variables.

use std::collections::BTreeMap;
use std::env;
use std::env::consts::{ARCH, OS};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::code::without_login;
use crate::cli::digests::file_name;
use crate::reproduce::RECORDED_VARIABLES;

/// The variable by which a container says from which image it is, with its digest.
const IMAGE_VARIABLE: &str = "PEDIGREE_IMAGE";

/// What Python is asked: its version, and where it looks for packages.
const PYTHON_QUESTION: &str =
    "import sys; print(sys.version.split()[0]); print('\\n'.join(p for p in sys.path if p))";

/// How much of a script is read to find its interpreter, in bytes.
const SCRIPT_START_BYTES: u64 = 256;

/// The environment of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EnvironmentFacts {
    pub platform: String,
    /// Empty where it is not known.
    pub hardware: String,
    pub image: Option<String>,
    /// The recorded variables that are set, as a JSON object.
    pub variables: Option<String>,
    /// The Python that runs the command, if it is run by one.
    pub python: Option<PythonFacts>,
}

/// A Python interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PythonFacts {
    pub version: String,
    /// Its packages, a requirement of pip in each line.
    pub lock: String,
}

/// The environment that a program will have.
pub(super) fn environment_facts(program: &str) -> EnvironmentFacts {
    let set = RECORDED_VARIABLES.iter().filter_map(|name| {
        let value = env::var(name).ok()?;
        Some((*name, value))
    });
    let set: BTreeMap<_, _> = set.collect();
    let variables = serde_json::to_string(&set).ok();
    EnvironmentFacts {
        platform: format!("{OS} {ARCH}"),
        hardware: hardware(),
        image: env::var(IMAGE_VARIABLE).ok().and_then(image_name),
        variables: variables.filter(|_| !set.is_empty()),
        python: interpreter(program).and_then(|python| python_facts(&python)),
    }
}

/// The name of an image, which may be written as a URL with a login.
fn image_name(image: String) -> Option<String> {
    let is_url = image.contains("://");
    let image = if is_url { without_login(&image) } else { image };
    Some(image).filter(|image| !image.is_empty())
}

/// Whether a program is a Python interpreter, by its name.
pub(super) fn is_python(program: &Path) -> bool {
    file_name(program, "").starts_with("python")
}

/// The Python that runs a program: itself, that of a script, or that of the active environment.
fn interpreter(program: &str) -> Option<PathBuf> {
    let found = on_path(Path::new(program));
    if let Some(found) = &found {
        if is_python(found) {
            return Some(found.clone());
        }
        if let Some(python) = script_interpreter(found) {
            return on_path(&python);
        }
    }
    let active = PathBuf::from(env::var_os("VIRTUAL_ENV")?);
    Some(active.join("bin").join("python"))
}

/// The Python that the first line of a script names.
fn script_interpreter(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    let file = File::open(script).ok()?;
    file.take(SCRIPT_START_BYTES).read_to_end(&mut start).ok()?;
    let start = String::from_utf8_lossy(&start);
    let line = start.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace().map(PathBuf::from);
    words.find(|word| is_python(word))
}

/// The file of a program, which is looked for as a shell does.
fn on_path(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}

fn python_facts(python: &Path) -> Option<PythonFacts> {
    let mut command = Command::new(python);
    let output = command.args(["-c", PYTHON_QUESTION]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    let version = lines.next().filter(|_| output.status.success())?.to_owned();
    let folders: Vec<PathBuf> = lines.map(PathBuf::from).collect();
    Some(PythonFacts {
        version,
        lock: lock(&folders),
    })
}

/// The packages in some folders, the first of each name, sorted. What was not installed from a
/// registry is a comment: a package of its name there could be another one.
fn lock(folders: &[PathBuf]) -> String {
    let mut packages: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Some(named) = file_name(&path, "").strip_suffix(".dist-info") else {
                continue;
            };
            let Some((name, version)) = named.rsplit_once('-') else {
                continue;
            };
            if !is_plain(name) || !is_plain(version) {
                continue;
            }
            let line = if path.join("direct_url.json").exists() {
                format!("# not from a registry: {name}=={version}\n")
            } else {
                format!("{name}=={version}\n")
            };
            packages.entry(name.to_lowercase()).or_insert(line);
        }
    }
    packages.into_values().collect()
}

/// Whether a text has no characters that mean something in a file of requirements.
fn is_plain(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._+!".contains(c);
    !text.is_empty() && text.chars().all(is_allowed)
}

/// Processors, memory and graphics processors, as Linux lists them.
fn hardware() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let values = |name: &str| -> Vec<String> {
        let lines = processors.lines().filter(|line| line.starts_with(name));
        let value = |line: &str| Some(line.split_once(':')?.1.trim().to_owned());
        lines.filter_map(value).collect()
    };
    let count = values("processor").len();
    let mut parts = Vec::new();
    if count > 0 {
        let model = values("model name").into_iter().next();
        let model = model.unwrap_or_else(|| "processors".to_owned());
        parts.push(format!("{count} x {model}"));
    }
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    if let Some(size) = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
    {
        parts.push(format!("{} memory", size.trim()));
    }
    let cards = fs::read_dir("/proc/driver/nvidia/gpus")
        .into_iter()
        .flatten();
    for card in cards.flatten() {
        let text = fs::read_to_string(card.path().join("information")).unwrap_or_default();
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"));
        parts.extend(model.map(|model| model.trim().to_owned()));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_lock_has_the_packages_of_a_registry_each_once() {
        let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for (folder, name) in [
            (&first, "numpy-2.1.0.dist-info"),
            (&second, "numpy-1.0.dist-info"),
            (&second, "Zlib_ng-0.5+local.dist-info"),
            (&second, "mine-0.1.dist-info"),
            (&second, "bad name-1.dist-info"),
            (&second, "--index-url=x-1.dist-info"),
            (&second, "numpy"),
        ] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let direct = second.path().join("mine-0.1.dist-info/direct_url.json");
        fs::write(direct, "{}").unwrap();
        let folders = [first.path().to_owned(), second.path().to_owned()];
        let expected = "# not from a registry: mine==0.1\nnumpy==2.1.0\nZlib_ng==0.5+local\n";
        assert_eq!(lock(&folders), expected);
    }

    #[test]
    fn the_interpreter_of_a_script_is_that_of_its_first_line() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("step");
        for (text, python) in [
            ("#!/usr/bin/env python3\n", Some("python3")),
            ("#!/usr/bin/env -S python3 -u\n", Some("python3")),
            ("#!/opt/bin/python3.11\n", Some("/opt/bin/python3.11")),
            ("#!/bin/sh\npython3\n", None),
            ("", None),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(
                script_interpreter(&path),
                python.map(PathBuf::from),
                "{text}"
            );
        }
    }
}
