//! `pedigree report`: a page and JSON, what is missing, and data that training and tests share.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Project;
use super::exports::{COPY, Case, check, record_toy};
use crate::binary;

blocking_once!(a_report_has_every_fact_with_its_source_and_what_is_missing);

/// The facts of a report: section, name, status and value.
fn facts(report: &Value) -> Vec<(String, String, String, String)> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut facts = Vec::new();
    for section in list(&report["sections"]) {
        for entry in list(&section["entries"]) {
            for fact in list(&entry["facts"]) {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                facts.push((
                    text(&section["id"]),
                    text(&fact["name"]),
                    text(&fact["status"]),
                    text(&fact["value"]),
                ));
            }
        }
    }
    facts
}

/// The sections and names of facts with a status.
fn names(report: &Value, wanted: &str) -> Vec<String> {
    let facts = facts(report).into_iter();
    let wanted = facts.filter(|(_, _, status, _)| status == wanted);
    wanted
        .map(|(section, name, ..)| format!("{section}/{name}"))
        .collect()
}

fn report(project: &Project) -> Value {
    let printed = project.succeed(&["report", "out/model", "--format", "json"]);
    serde_json::from_str(&printed).unwrap()
}

/// Checks a page with the rules of HTML.
fn validate_page(page: &PathBuf) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/provenance");
    let validator = root.join("node_modules/html-validate/bin/html-validate.mjs");
    assert!(
        validator.exists(),
        "there is no {}: run tests/setup",
        validator.display()
    );
    let mut command = Command::new("node");
    command.arg(validator).arg("--config");
    command.arg(root.join("htmlvalidate.json")).arg(page);
    let ended = binary::run(command);
    assert!(ended.status.success(), "{ended:?}");
    let page = fs::read_to_string(page).unwrap();
    let broken = page.replace("<tbody>", "<tbody><p>");
    let place = root.join("../../target/tmp/broken-report.html");
    fs::write(&place, broken).unwrap();
    let mut command = Command::new("node");
    command.arg(root.join("node_modules/html-validate/bin/html-validate.mjs"));
    command.arg("--config").arg(root.join("htmlvalidate.json"));
    command.arg(&place).stdout(Stdio::null());
    assert!(!binary::run(command).status.success());
}

fn a_report_has_every_fact_with_its_source_and_what_is_missing() {
    let project = Project::new(&[COPY]);
    record_toy(&project);
    let bare = report(&project);
    assert_eq!(bare["level"], 3, "{bare}");
    assert_eq!(bare["findings"], 0);
    let missing = [
        "identity/version",
        "purpose/purpose, limits, owner",
        "data/data.license",
        "data/data.origin",
        "evaluation/metrics",
        "deployment/deployment",
        "reproduction/verdict of a rerun",
    ];
    assert_eq!(names(&bare, "missing"), missing);

    // A version, an alias, and an evaluation on the data of the training.
    let plan = project.plan("out/model");
    let model = plan["artifactId"].as_str().unwrap();
    let data = plan["steps"][1]["inputs"][0]["artifactId"]
        .as_str()
        .unwrap();
    project.succeed(&["models", "register", "churn <b>", "--artifact", "out/model"]);
    project.succeed(&["models", "promote", "churn <b>", "1"]);
    let run = json!({
        "eventType": "COMPLETE",
        "typePolicy": "CREATE",
        "type": "Evaluate",
        "name": "test",
        "inputs": [{ "id": model }, { "id": data }],
        "customProperties": { "metric.accuracy": { "doubleValue": 0.75 } },
    });
    project.write(
        "data/test.jsonl",
        &format!("{}\n", json!({ "id": "test", "run": run })),
    );
    project.succeed(&["record", "data/test.jsonl"]);
    let full = report(&project);
    let known = facts(&full);
    for (section, name, value) in [
        ("identity", "version", "1"),
        ("identity", "alias production", "1"),
        ("training", "param.seed", "7"),
        ("training", "environment.python", ""),
        ("evaluation", "metric.accuracy", "0.75"),
        ("deployment", "", "from none to 1"),
    ] {
        let is = |fact: &&(String, String, String, String)| {
            fact.0 == section && fact.1.contains(name) && fact.3.contains(value)
        };
        assert!(
            known.iter().find(is).is_some_and(|fact| fact.2 == "found"),
            "{section}: {full}"
        );
    }
    assert_eq!(names(&full, "finding"), ["evaluation/overlap"], "{full}");
    let missing = [
        "purpose/description",
        "purpose/card.intended_use",
        "purpose/card.limitations",
        "data/data.license",
    ];
    let still = names(&full, "missing");
    assert!(
        missing.iter().all(|it| still.contains(&(*it).to_owned())),
        "{still:?}"
    );

    // The formats.
    let page = project.path("out/report.html");
    fs::write(&page, project.succeed(&["report", "out/model"])).unwrap();
    validate_page(&page);
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
    let mut broken = full.clone();
    broken["sections"][0]["entries"][0]["facts"][0]["source"] = json!({});
    let mut cases = Vec::new();
    for (name, report, is_accepted) in [
        ("bare", &bare, true),
        ("full", &full, true),
        ("broken", &broken, false),
    ] {
        let file = project.path(&format!("out/{name}.json"));
        fs::write(&file, report.to_string()).unwrap();
        cases.push(Case {
            format: "schema",
            file,
            key: Some(schema.clone()),
            is_accepted,
        });
    }
    check(&cases);
    let mapping = "notice = 'Ours.'\n[[framework]]\nname = 'House rules'\n[framework.sections]\n\
                   data = '7 <i>'\n";
    project.write("data/mapping.toml", mapping);
    let page = project.succeed(&["report", "out/model", "--mapping", "data/mapping.toml"]);
    assert!(
        page.contains("House rules: 7 &#60;i&#62;") && !page.contains("EU AI Act"),
        "{page}"
    );
    project.write("data/mapping.toml", "notice = 1");
    let arguments = ["report", "out/model", "--mapping", "data/mapping.toml"];
    project.fail(1, "data/mapping.toml: ", &arguments);
}
