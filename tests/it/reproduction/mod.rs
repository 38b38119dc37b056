//! `pedigree run`, `pedigree reproduce`, the plans of `ReproductionService`, and exports of them.

mod collect;
mod doors;
mod dvc;
mod exports;
mod kubeflow;
mod plan;
mod reader;
mod reports;
mod reports_as_of;
mod rerun;
mod run;
mod toy;
mod tutorial;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{self, Ended, Server};
use crate::support::{Backend, TestDatabase};

/// A folder with a work tree, an environment of Python, and a server.
pub struct Project {
    folder: TempDir,
    server: Server,
    database: TestDatabase,
}

impl Project {
    /// A project with these files in its first commit.
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self::on(Backend::SqliteFile, files)
    }

    /// [`Project::new`] on a back end.
    pub fn on(backend: Backend, files: &[(&str, &str)]) -> Self {
        let project = Self::empty(backend);
        fs::create_dir(project.path("")).unwrap();
        for (name, text) in files {
            project.write(name, text);
        }
        project.write(".gitignore", "/env\n/data\n/out\n__pycache__\n");
        let script = "git init -q . && git add . && git commit -qm first && mkdir data out && \
                      python3 -m venv --without-pip env";
        project.shell(script);
        project
    }

    /// A server and an empty folder, in which the project may be made.
    pub fn empty(backend: Backend) -> Self {
        let database = TestDatabase::new(backend);
        Self {
            folder: TempDir::new().unwrap(),
            server: Server::on(&database, &[]),
            database,
        }
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// The folder around the project.
    pub fn around(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("toy").join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Gives a command what it may see: this server, a home of its own, git and Python.
    pub fn prepare(&self, command: &mut Command) {
        let program = Path::new(env!("CARGO_BIN_EXE_pedigree")).parent().unwrap();
        let path = env::var("PATH").unwrap();
        // Python may be a script that finds itself below the home folder.
        let pyenv = env::var("HOME").map(|home| format!("{home}/.pyenv"));
        let pyenv = env::var("PYENV_ROOT").or(pyenv).unwrap_or_default();
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", program.display()))
            .env("HOME", self.around().join("home"))
            .env(
                "PEDIGREE_SERVER",
                format!("http://127.0.0.1:{}", self.port()),
            )
            .env("PYENV_ROOT", pyenv);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "test");
            command.env(format!("GIT_{role}_EMAIL"), "test@localhost");
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary::pedigree(&self.path(""), arguments);
        self.prepare(&mut command);
        command
    }

    /// Runs the program in the project.
    pub fn pedigree(&self, arguments: &[&str]) -> Ended {
        binary::run(self.command(arguments))
    }

    /// Runs the program, which must succeed, and returns what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let ended = self.pedigree(arguments);
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        ended.stdout
    }

    /// Runs the program, which must fail with this exit code and these words.
    pub fn fail(&self, code: i32, words: &str, arguments: &[&str]) {
        let ended = self.pedigree(arguments);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {ended:?}");
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(text.contains(words), "no {words}: {text}");
    }

    /// Runs a script in the project, which must succeed.
    pub fn shell(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-euc", script]).current_dir(self.path(""));
        self.prepare(&mut command);
        let ended = binary::run(command);
        assert!(ended.status.success(), "{script}: {ended:?}");
        ended.stdout
    }

    /// The plan of an artifact.
    pub fn plan(&self, model: &str) -> Value {
        let ended = self.pedigree(&["reproduce", model, "--format", "json"]);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    /// No executions where there are none, which is an error of `trace`.
    pub fn executions_or_none(&self) -> Vec<Value> {
        let trace = self.pedigree(&["trace", "--executions", "id > 0"]);
        if trace.stderr.contains("no node to start from") {
            return Vec::new();
        }
        self.executions()
    }

    /// The executions of the graph, ascending by id, as messages of ML Metadata.
    pub fn executions(&self) -> Vec<Value> {
        let printed = self.succeed(&["trace", "--executions", "id > 0", "--format", "json"]);
        let lines = printed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let nodes =
            lines.flat_map(|line| line["executions"].as_array().cloned().unwrap_or_default());
        let mut nodes: Vec<Value> = nodes.collect();
        nodes.sort_by_key(|node| node["id"].as_str().unwrap().parse::<i64>().unwrap());
        nodes
    }
}

/// A text among the custom properties of a node.
pub fn fact<'a>(node: &'a Value, name: &str) -> &'a str {
    let value = &node["customProperties"][name]["stringValue"];
    value.as_str().unwrap_or_default()
}

/// The ids of the gaps of a plan.
pub fn gap_ids(plan: &Value) -> Vec<&str> {
    let gaps = plan["gaps"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    gaps.iter().map(|gap| gap["id"].as_str().unwrap()).collect()
}
