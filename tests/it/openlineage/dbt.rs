//! The example of dbt: `dbt-ol` with `DuckDB`, and a script with the released client of
//! `OpenLineage`.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::producer::{run, without_ids};
use crate::binary::{Server, pedigree};
use crate::support::{Backend, TestDatabase};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dbt");

blocking_on_every_database!(a_model_leads_to_what_dbt_has_read);

fn a_model_leads_to_what_dbt_has_read(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let url = format!("http://127.0.0.1:{}", server.port);
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
    let train = |url: &str| {
        run(producer(folder.path(), "dbt-ol", url).arg("run"));
        run(producer(folder.path(), "python", url).arg("train.py"));
    };
    train(&url);
    let trace = || {
        let trace = [
            "trace",
            "--server",
            &url,
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
    assert_eq!(trace(), expected);

    // Another training is another version of everything but the files.
    train(&url);
    assert_eq!(trace(), expected.repeat(2));
    server.stop();
}

/// A program of the environment that `tests/setup` makes for the example.
fn producer(folder: &Path, program: &str, url: &str) -> Command {
    let programs = Path::new(EXAMPLE).join(".venv/bin");
    let mut command = Command::new(programs.join(program));
    command
        .current_dir(folder)
        .env("PATH", programs)
        .env("OPENLINEAGE_URL", url)
        .env("OPENLINEAGE_NAMESPACE", "churn")
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
    command
}
