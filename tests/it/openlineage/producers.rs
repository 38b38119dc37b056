//! Spark and Airflow as they are: `tests/setup producers` installs them, which takes a gigabyte, so
//! that these cases are of the long form of the suite only.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::lineage;
use super::producer::{run, without_ids};
use crate::binary::{Server, pedigree};
use crate::support::{Backend, Store, TestDatabase};

on_every_database!(spark_and_airflow_make_one_chain);

/// Where `tests/setup producers` installs them.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/producers");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/producers");

async fn spark_and_airflow_make_one_chain(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let url = format!("http://127.0.0.1:{}", server.port);
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let input = path.join("in");
    std::fs::create_dir(&input).unwrap();
    std::fs::write(
        input.join("customers.csv"),
        "customer_id,country\n1,ch\n2,it\n",
    )
    .unwrap();
    std::fs::write(
        input.join("orders.csv"),
        "customer_id,amount\n1,10\n2,20\n2,30\n",
    )
    .unwrap();
    let producers = {
        let (path, url) = (path.clone(), url.clone());
        move || {
            spark(&path, &url);
            airflow(&path, &url);
        }
    };
    tokio::task::spawn_blocking(producers).await.unwrap();

    let uri = |name: &str| format!("file://{}/{name}", path.display());
    let model = format!("uri = '{}' AND events_0.type = OUTPUT", uri("model"));
    let trace = ["trace", "--server", &url, "--artifacts", &model];
    let trace = run(&mut pedigree(&path, &trace));
    let expected = format!(
        "\
artifact {model}
└─ execution airflow/churn.train
   └─ artifact {features}
      └─ execution spark/features.adaptive_spark_plan.out_features
         ├─ artifact {customers}
         │  └─ execution spark/features.execute_insert_into_hadoop_fs_relation_command.out_customers
         │     └─ artifact {raw}
         └─ artifact {orders}
",
        model = uri("model"),
        features = uri("out/features"),
        orders = uri("in/orders.csv"),
        customers = uri("out/customers"),
        raw = uri("in/customers.csv"),
    );
    assert_eq!(without_ids(&trace), expected);
    server.stop();

    let store = Store::on(database, |_| {}).await;
    let lines = lineage::lines(&store).await;
    for expected in [
        "run\tairflow/churn\tFAILED\t1".to_owned(),
        "run\tairflow/churn.publish\tFAILED\t1".to_owned(),
        "run\tairflow/churn.train\tCOMPLETE\t1".to_owned(),
        "below\tairflow/churn.train\tairflow/churn\t1".to_owned(),
        "run\tspark/features\tCOMPLETE\t1".to_owned(),
        format!("abandons\tairflow/churn.publish\t{}\t1", uri("report")),
    ] {
        assert!(
            lines.contains(&expected),
            "{expected}\n{}",
            lines.join("\n")
        );
    }
}

fn spark(folder: &Path, url: &str) {
    let setting = |name: &str, value: &str| format!("spark.{name}={value}");
    let settings = [
        setting(
            "extraListeners",
            "io.openlineage.spark.agent.OpenLineageSparkListener",
        ),
        setting("openlineage.transport.type", "http"),
        setting("openlineage.transport.url", url),
        setting("openlineage.transport.compression", "gzip"),
        setting("openlineage.namespace", "spark"),
        setting("ui.enabled", "false"),
        setting("driver.host", "127.0.0.1"),
        setting("driver.bindAddress", "127.0.0.1"),
    ];
    let installed = Path::new(INSTALLED).join("spark");
    let mut command = Command::new(installed.join("bin/spark-submit"));
    command
        .current_dir(folder)
        .env("PYSPARK_PYTHON", installed.join("bin/python"))
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .args(["--master", "local[2]", "--jars"])
        .arg(installed.join("openlineage-spark.jar"));
    for setting in settings {
        command.args(["--conf", &setting]);
    }
    command.arg(Path::new(SCRIPTS).join("spark/features.py"));
    run(command.arg(folder));
}

fn airflow(folder: &Path, url: &str) {
    let home = folder.join("airflow");
    let transport =
        serde_json::json!({"type": "http", "url": url, "compression": "gzip"}).to_string();
    let airflow = |words: &[&str]| {
        let programs = Path::new(INSTALLED).join("airflow/bin");
        let mut command = Command::new(programs.join("airflow"));
        command
            .current_dir(folder)
            .args(words)
            .env("AIRFLOW_HOME", &home)
            .env(
                "AIRFLOW__CORE__DAGS_FOLDER",
                Path::new(SCRIPTS).join("airflow/dags"),
            )
            .env("AIRFLOW__CORE__LOAD_EXAMPLES", "false")
            .env("AIRFLOW__OPENLINEAGE__TRANSPORT", &transport)
            .env("AIRFLOW__OPENLINEAGE__NAMESPACE", "airflow")
            .env("CHURN_FOLDER", folder);
        command
    };
    run(&mut airflow(&["db", "migrate"]));
    // The DAG fails, as its last task does.
    let output = airflow(&["dags", "test", "churn"]).output().unwrap();
    assert!(folder.join("model").exists(), "{output:?}");
}
