//! `pedigree report --as-of`: the report of then, whatever has changed since.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Project;
use super::exports::{COPY, record_toy};
use crate::sql::run_now;
use crate::support::Backend;

blocking_on_every_database!(a_report_as_of_a_time_is_that_of_then);

/// What is printed about the model of an id or a path, as of a time.
fn report_as_of(project: &Project, model: &str, time: &str) -> String {
    project.succeed(&["report", model, "--format", "json", "--as-of", time])
}

fn record(project: &Project, id: &str, run: &Value) {
    let line = json!({ "id": id, "run": run }).to_string();
    project.write("data/events.jsonl", &format!("{line}\n"));
    project.succeed(&["record", "data/events.jsonl"]);
}

/// A time between what came before and what comes after.
fn between() -> String {
    sleep(Duration::from_millis(5));
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    sleep(Duration::from_millis(5));
    now
}

/// Trains again, moves the alias, changes nodes of the lineage, and records a reproduction.
fn change(project: &Project, model: &str) {
    project.write(
        "copy.py",
        &format!("{}\nopen(sys.argv[2], 'a').write('2')\n", COPY.1),
    );
    let again = "pedigree run --type Train --in clean=data/clean.csv --out model=Model:out/model \
                 -- env/bin/python copy.py '{in:clean}' '{out:model}'";
    project.shell(again);
    project.succeed(&["models", "register", "churn", "--artifact", "out/model"]);
    project.succeed(&["models", "promote", "churn", "2"]);
    let train = json!({
        "eventType": "OTHER",
        "typePolicy": "EXTEND",
        "type": "Train",
        "name": "train é 7",
        "outputs": [{ "id": model, "customProperties": { "metric.f1": { "doubleValue": 0.5 } } }],
        "customProperties": { "param.seed": { "stringValue": "8" } },
    });
    record(project, "late", &train);
    let evaluate = json!({
        "eventType": "OTHER",
        "type": "Evaluate",
        "name": "test",
        "customProperties": { "metric.accuracy": { "doubleValue": 0.25 } },
    });
    record(project, "corrected", &evaluate);
    let serve = json!({
        "eventType": "START",
        "typePolicy": "CREATE",
        "type": "kf.ServeModel",
        "name": "serve",
        "inputs": [{ "id": model }],
    });
    record(project, "served", &serve);
    project.succeed(&["reproduce", model, "--run", "--yes", "--to", "out/again"]);
}

fn a_report_as_of_a_time_is_that_of_then(backend: Backend) {
    let project = Project::on(backend, &[COPY]);
    record_toy(&project);
    let before = between();
    project.succeed(&["models", "register", "churn", "--artifact", "out/model"]);
    project.succeed(&["models", "promote", "churn", "1"]);
    let plan = project.plan("out/model");
    let model = plan["artifactId"].as_str().unwrap();
    let run = json!({
        "eventType": "COMPLETE",
        "typePolicy": "CREATE",
        "type": "Evaluate",
        "name": "test",
        "inputs": [{ "id": model }],
        "customProperties": { "metric.accuracy": { "doubleValue": 0.75 } },
    });
    record(&project, "evaluated", &run);
    let first = project.succeed(&["report", "out/model", "--format", "json"]);
    let then = between();
    change(&project, model);

    let today = project.succeed(&["report", model, "--format", "json"]);
    for news in ["identical", "0.25", "kf.ServeModel", "from 1 to 2"] {
        assert!(
            !first.contains(news) && today.contains(news),
            "{news}: {today}"
        );
    }
    // The path means the model of then, which the second training has replaced.
    for asked in [model, "out/model"] {
        let found = report_as_of(&project, asked, &then);
        let (dates, others): (Vec<&str>, Vec<&str>) =
            found.lines().partition(|line| line.contains("\"as_of\""));
        assert_eq!(dates, [format!("  \"as_of\": \"{then}\",")]);
        assert_eq!(others, first.lines().collect::<Vec<_>>(), "{asked}");
    }
    let earlier = report_as_of(&project, model, &before);
    assert!(
        earlier.contains("no version of a registered model"),
        "{earlier}"
    );
    let page = project.succeed(&["report", model, "--as-of", &then]);
    assert!(page.contains(&format!("As of {then}.")), "{page}");
    let too_early = ["report", model, "--as-of", "1970-01-02"];
    let words = format!("artifact {model} was created after 1970-01-02T00:00:00.000Z");
    project.fail(1, &words, &too_early);
    project.fail(
        1,
        "there is no artifact",
        &["report", "out/model", "--as-of", "1970-01-02"],
    );
    project.fail(
        1,
        "must be a date or a time",
        &["report", model, "--as-of", "yesterday"],
    );

    // Without the history, the report says that it shows states of today.
    run_now(
        project.database_url(),
        "DELETE FROM PedigreeChange".to_owned(),
    );
    let found = report_as_of(&project, model, &then);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["findings"], 1, "{found}");
    let facts = found["sections"][0]["entries"][0]["facts"]
        .as_array()
        .unwrap();
    let states = facts.iter().find(|fact| fact["name"] == "states").unwrap();
    assert_eq!(states["status"], "finding", "{found}");
    let page = project.succeed(&["report", model, "--as-of", &then]);
    assert!(
        page.contains("the history lacks the state of then"),
        "{page}"
    );
}
