//! The clients of `examples/` against the program, all of them on one store: each prints the same.
//!
//! Each language's own tools make the stubs from `proto/` and build the client, once for all tests.

use std::sync::LazyLock;

use crate::binary::Server;
use crate::clients::{Clients, JAVA as JAVA_CLIENTS};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

blocking_on_every_database!(examples_in_all_languages_print_one_provenance);

fn examples_in_all_languages_print_one_provenance(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let address = format!("127.0.0.1:{}", server.port);
    let expected = include_str!("../../examples/expected.txt");

    let python = |more: &[&str]| {
        PYTHON.run(
            ".venv/bin/python",
            &[&["train.py", &address], more].concat(),
        )
    };
    assert_eq!(python(&[]), expected, "Python");
    assert_eq!(python(&[]), expected, "what is known already");
    assert_eq!(python(&["-2"]), expected, "another training");
    let go = GO.run("bin/train", &[&address, "-go"]);
    assert_eq!(go, expected, "Go");
    let typescript = TYPESCRIPT.run("node", &["dist/train.js", &address, "-ts"]);
    assert_eq!(typescript, expected, "TypeScript");
    let java = JAVA.run("java", &["-jar", "target/train.jar", &address, "-java"]);
    assert_eq!(java, expected, "Java");

    // Five trainings have been three runs each, and have made three artifacts each from the same
    // two datasets.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let counts = runtime.block_on(async {
        let client = server.client().await;
        let artifacts = Artifact::list(None).ask(client.clone()).await.unwrap();
        let executions = Execution::list(None).ask(client.clone()).await.unwrap();
        let contexts = Context::list(None).ask(client).await.unwrap();
        (
            artifacts.nodes.len(),
            executions.nodes.len(),
            contexts.nodes.len(),
        )
    });
    assert_eq!(counts, (17, 15, 6), "artifacts, executions and contexts");
    server.stop();
}

/// The example in Python, and the stubs beside it.
pub static PYTHON: LazyLock<Clients> = LazyLock::new(|| {
    let example = Clients::of("examples/python");
    let generate = ["-m", "grpc_tools.protoc", "@protoc.args"];
    example.run(".venv/bin/python", &generate);
    example
});

static GO: LazyLock<Clients> = LazyLock::new(|| {
    let example = Clients::of("examples/go");
    example.run("go", &["generate", "./..."]);
    example.run("go", &["build", "-o", "bin/train", "."]);
    example
});

static TYPESCRIPT: LazyLock<Clients> = LazyLock::new(|| {
    let example = Clients::of("examples/typescript");
    example.run("npm", &["run", "build"]);
    example
});

static JAVA: LazyLock<Clients> = LazyLock::new(|| {
    // One Maven at a time: two would fetch the same files.
    LazyLock::force(&JAVA_CLIENTS);
    let example = Clients::of("examples/java");
    example.run(
        "mvn",
        &["--batch-mode", "--no-transfer-progress", "package"],
    );
    example
});
