//! Clients in other languages against the program: `tests/clients/README.md` says what each does.
//!
//! Each language's own tools make the stubs from `proto/` and build the clients, once for all
//! tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::binary::Server;
use crate::examples::PYTHON;
use crate::python::sized;
use crate::support::{Backend, TestDatabase};

blocking_once! {
    the_client_over_grpc_web_reads_frames_to_the_last_byte,
    a_fast_client_of_record_sends_many_small_messages,
    the_parts_of_kubeflow_pipelines_get_the_answers_they_rely_on,
}

blocking_on_every_database!(
    a_go_client_writes_and_reads_a_run,
    a_node_client_writes_and_reads_a_run,
    a_java_client_writes_and_reads_a_run,
);

fn a_go_client_writes_and_reads_a_run(backend: Backend) {
    against_new_server(backend, |address| {
        GO.run("bin/onerun", &[address]);
    });
}

fn a_node_client_writes_and_reads_a_run(backend: Backend) {
    against_new_server(backend, |address| {
        NODE.run("node", &["onerun.js", address]);
    });
}

fn a_java_client_writes_and_reads_a_run(backend: Backend) {
    against_new_server(backend, |address| {
        JAVA.run("java", &["-jar", "target/onerun.jar", address]);
    });
}

/// On the databases of its installations, see `process::kubeflow`.
fn the_parts_of_kubeflow_pipelines_get_the_answers_they_rely_on() {
    against_new_server(Backend::SqliteFile, |address| {
        kubeflow_pipelines(address, None);
    });
}

/// Makes the calls of the driver and the launcher of Kubeflow Pipelines, which write a run.
pub fn kubeflow_run(address: &str) {
    GO.run("bin/kfp.test", &["-address", address, ONE_RUN]);
}

/// Makes the calls of a run, and those of a second one whose training step is cached.
pub fn kubeflow_cached_run(address: &str) {
    let cached = "-test.run=^TestCachedStep$";
    GO.run("bin/kfp.test", &["-address", address, cached]);
}

/// Makes the calls of a run of the pipeline in `tests/data/kfp`.
pub fn kubeflow_collected_run(address: &str) {
    let collected = "-test.run=^TestCollectedRun$";
    GO.run("bin/kfp.test", &["-address", address, collected]);
}

const ONE_RUN: &str = "-test.run=^TestPipelineRun$";

/// Makes the calls of Kubeflow Pipelines to a new store, with TLS where there is a file with the
/// authorities to trust.
pub fn kubeflow_pipelines(address: &str, ca: Option<&Path>) {
    let trust = ["CA_CERT_PATH", "NODE_EXTRA_CA_CERTS"].map(|name| Some((name, ca?)));
    let trust: Vec<_> = trust.into_iter().flatten().collect();
    GO.run_with(&trust, "bin/kfp.test", &["-address", address, ONE_RUN]);
    let python = ["metadata_writer.py", address];
    Clients::of("tests/clients/python").run_with(&trust, "python", &python);
    NODE.run_with(&trust, "node", &["kfp.js", address]);
}

/// Each small message is a frame of HTTP/2, and the server reads them ahead of its commits.
fn a_fast_client_of_record_sends_many_small_messages() {
    let count = sized(20_000, 100_000).to_string();
    let expected = format!("{count} messages answered\n");
    against_new_server(Backend::SqliteFile, |address| {
        let answered = GO.run("bin/fastrecord", &[address, &count]);
        assert_eq!(answered, expected, "Go");
        let stubs = [("PYTHONPATH", Path::new("."))];
        let client = "../../tests/clients/python/fast_record.py";
        let answered = PYTHON.run_with(&stubs, ".venv/bin/python", &[client, address, &count]);
        assert_eq!(answered, expected, "Python");
    });
}

fn the_client_over_grpc_web_reads_frames_to_the_last_byte() {
    NODE.run("npm", &["test"]);
}

static GO: LazyLock<Clients> = LazyLock::new(|| {
    let clients = Clients::of("tests/clients/go");
    clients.run("go", &["generate", "./..."]);
    clients.run("go", &["build", "-o", "bin/", "./..."]);
    clients.run("go", &["test", "-c", "-o", "bin/kfp.test", "./kfp"]);
    clients
});

static NODE: LazyLock<Clients> = LazyLock::new(|| {
    let clients = Clients::of("tests/clients/node");
    clients.run("npm", &["run", "generate"]);
    clients
});

pub static JAVA: LazyLock<Clients> = LazyLock::new(|| {
    let clients = Clients::of("tests/clients/java");
    clients.run(
        "mvn",
        &["--batch-mode", "--no-transfer-progress", "package"],
    );
    clients
});

/// Does something with the address of a server on a new database.
fn against_new_server(backend: Backend, act: impl FnOnce(&str)) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    act(&format!("127.0.0.1:{}", server.port));
    server.stop();
}

/// The clients in one language.
pub struct Clients {
    dir: PathBuf,
}

impl Clients {
    /// Those in a folder of the repository.
    pub fn of(dir: &str) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
        Self { dir }
    }

    /// Runs a program to its end, which must be a good one, and gives what it printed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        self.run_with(&[], program, arguments)
    }

    /// [`Self::run`] with more in the environment. What `tests/run` has installed is found before
    /// what the system has.
    fn run_with(&self, environment: &[(&str, &Path)], program: &str, arguments: &[&str]) -> String {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin");
        let theirs = std::env::var_os("PATH").unwrap_or_default();
        let path = [ours].into_iter().chain(std::env::split_paths(&theirs));
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.dir)
            .env("PATH", std::env::join_paths(path).unwrap())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| {
                panic!("{program}: {error}; tests/run installs what is missing")
            });
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
