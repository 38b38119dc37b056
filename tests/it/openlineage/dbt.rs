//! The example of dbt: `dbt-ol` with `DuckDB`, and a script with the released client of
//! `OpenLineage`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::producer::{run, without_ids};
use crate::binary::{Server, pedigree};
use crate::support::{Backend, TestDatabase};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dbt");

blocking_once!(a_model_leads_to_what_dbt_has_read);

/// Each run takes long to start, so its events go to a server on each database.
fn a_model_leads_to_what_dbt_has_read() {
    let backends = [Backend::SqliteFile, Backend::Postgres, Backend::MySql];
    let databases = backends.map(TestDatabase::new);
    let servers = databases
        .each_ref()
        .map(|database| Server::on(database, &[]));
    let urls = servers
        .each_ref()
        .map(|server| format!("http://127.0.0.1:{}", server.port));
    let folder = TempDir::new().unwrap();
    let files = [
        "data",
        "models",
        "dbt_project.yml",
        "profiles.yml",
        "train.py",
    ];
    let files = files.map(|name| format!("{EXAMPLE}/{name}"));
    run(Command::new("cp").arg("-r").args(files).arg(folder.path()));
    let targets = urls
        .each_ref()
        .map(|url| json!({"type": "http", "url": url}));
    let transport = json!({
        "type": "composite",
        "continue_on_failure": false,
        "transports": targets,
    });
    let configuration = json!({"transport": transport}).to_string();
    fs::write(folder.path().join("openlineage.yml"), configuration).unwrap();
    let train = || {
        run(producer(folder.path(), "dbt-ol").arg("run"));
        run(producer(folder.path(), "python").arg("train.py"));
    };
    let trace = |url: &str| {
        let trace = [
            "trace",
            "--server",
            url,
            "--artifacts",
            "uri = 'churn:model'",
        ];
        without_ids(&run(&mut pedigree(folder.path(), &trace)))
    };
    let expected = "\
artifact churn:model
└─ execution churn/train
   └─ artifact duckdb://churn.duckdb/churn.main.features
      └─ execution churn/churn.main.churn.features
         ├─ artifact duckdb://churn.duckdb/churn.main.customers
         │  └─ execution churn/churn.main.churn.customers
         │     └─ artifact duckdb://churn.duckdb/churn.raw.customers
         └─ artifact duckdb://churn.duckdb/churn.main.visits
            └─ execution churn/churn.main.churn.visits
               └─ artifact duckdb://churn.duckdb/churn.raw.visits
";
    // Another training is another version of everything but the files.
    for count in 1..=2 {
        train();
        for url in &urls {
            assert_eq!(trace(url), expected.repeat(count), "{url}, {count}");
        }
    }
    servers.into_iter().for_each(Server::stop);
}

/// A program of the environment that `tests/setup` makes for the example.
fn producer(folder: &Path, program: &str) -> Command {
    let programs = Path::new(EXAMPLE).join(".venv/bin");
    let mut command = Command::new(programs.join(program));
    command
        .current_dir(folder)
        .env("PATH", programs)
        .env("OPENLINEAGE_NAMESPACE", "churn")
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
    command
}
