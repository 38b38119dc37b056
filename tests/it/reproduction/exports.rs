//! `pedigree export-provenance`: the public validator of each format takes what is printed, and
//! refuses it once a field is broken.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Project;
use crate::{clients, openlineage};

blocking_once! {
    public_validators_take_every_export,
    public_validators_take_a_run_of_kubeflow_pipelines,
    exports_that_cannot_be_made_are_refused,
}

/// The key of RFC 8410, section 10.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
                          MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                          -----END PUBLIC KEY-----\n";

/// The formats of exports, and the options that ask for them.
const FORMATS: [(&str, &str); 5] = [
    ("slsa", "slsa"),
    ("cyclonedx", "cyclonedx"),
    ("cyclonedx", "cyclonedx-1.7"),
    ("prov", "prov"),
    ("ro-crate", "ro-crate"),
];

/// The steps of the large graph: with their artifacts, 1,001 nodes.
const CHAIN_STEPS: usize = 500;

/// Two steps by `pedigree run`, the second of which is a model's.
pub fn record_toy(project: &Project) {
    project.write("data/raw [1].csv", "1,2\n");
    project.succeed(&[
        "run",
        "--type",
        "Clean",
        "--in",
        "raw=data/raw [1].csv",
        "--out",
        "clean=data/clean.csv",
        "--",
        "env/bin/python",
        "copy.py",
        "{in:raw}",
        "{out:clean}",
    ]);
    project.write("copy.py", &format!("{}\nprint('x')\n", COPY.1));
    project.succeed(&[
        "run",
        "--type",
        "Train",
        "--name",
        "train é 7",
        "--in",
        "clean=data/clean.csv",
        "--out",
        "model=Model:out/model",
        "--param",
        "seed=7",
        "--",
        "env/bin/python",
        "copy.py",
        "{in:clean}",
        "{out:model}",
        "{param:seed}",
    ]);
}

pub const COPY: (&str, &str) = (
    "copy.py",
    "import pathlib, sys\npathlib.Path(sys.argv[2]).write_text(pathlib.Path(sys.argv[1]).read_text())\n",
);

/// A run of a job that reads a dataset of some version and writes another.
fn tell_openlineage(project: &Project) {
    let runtime = Runtime::new().unwrap();
    for (event_type, second) in [("START", 1), ("COMPLETE", 2)] {
        let mut event = openlineage::event(event_type, second);
        event["run"]["runId"] = json!("3f5e83fa-3480-44ff-99c5-ff943904e5e8");
        event["job"]["facets"] = json!({
            "sourceCodeLocation": {
                "_producer": "https://example.com", "_schemaURL": "https://example.com/x",
                "type": "git", "url": "https://git.example/team/train", "version": "a".repeat(40),
            },
        });
        let version = |version: &str| {
            json!({
                "version": {
                    "_producer": "https://example.com", "_schemaURL": "https://example.com/x",
                    "datasetVersion": version,
                },
            })
        };
        event["inputs"] =
            json!([{ "namespace": "s3://lake", "name": "raw", "facets": version("1") }]);
        event["outputs"] =
            json!([{ "namespace": "s3://lake", "name": "model", "facets": version("2") }]);
        let body = event.to_string();
        let posted = openlineage::post(project.port(), openlineage::PATH, body.as_bytes());
        assert_eq!(runtime.block_on(posted).status, 201);
    }
}

/// A chain of steps, with names that no format could have meant.
fn record_chain(project: &Project) {
    let artifact = |number: usize| {
        json!({
            "type": "Data <i> & \"co\"",
            "content": {
                "uri": format!("s3://bucket/a b|{{{number}}}#\"x\"<é>"),
                "digest": format!("sha256:{number:064x}"),
            },
            "path": { "steps": [{ "key": "data {x}" }] },
        })
    };
    let lines = (0..CHAIN_STEPS).map(|number| {
        let run = json!({
            "eventType": "COMPLETE",
            "typePolicy": "CREATE",
            "type": "Step <b>",
            "name": format!("run {number} \u{1f600} '\"\\"),
            "inputs": [artifact(number)],
            "outputs": [artifact(number + 1)],
            "customProperties": {
                "command": { "stringValue": "[\"sh\", \"-c\", \"echo '<&>'\"]" },
                "param.a b/é": { "stringValue": "<x> & \"y\"" },
            },
        });
        format!(
            "{}\n",
            json!({ "id": format!("chain {number}"), "run": run })
        )
    });
    project.write("data/chain.jsonl", &lines.collect::<String>());
    project.succeed(&["record", "data/chain.jsonl"]);
}

/// A file with an export, and what the validator must say of it.
pub struct Case {
    pub format: &'static str,
    pub file: PathBuf,
    pub key: Option<PathBuf>,
    pub is_accepted: bool,
}

/// Asks the validators about all cases at once, as they take long to start.
pub fn check(cases: &[Case]) {
    let lines = cases.iter().map(|case| {
        let line = json!({ "format": case.format, "file": case.file, "key": case.key });
        format!("{line}\n")
    });
    let folder = tempfile::TempDir::new().unwrap();
    let list = folder.path().join("cases.jsonl");
    fs::write(&list, lines.collect::<String>()).unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/provenance/bin/python");
    assert!(
        python.exists(),
        "there is no target/provenance: run tests/setup"
    );
    let output = Command::new(python)
        .arg(root.join("tests/provenance/validate.py"))
        .arg(&list)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), cases.len(), "{text}{errors}");
    for (case, answer) in cases.iter().zip(answers) {
        let file = case.file.display();
        assert_eq!(answer == "accepted", case.is_accepted, "{file}: {answer}");
    }
}

/// Breaks one field of an export.
fn broken(format: &str, text: &str) -> String {
    let mut value: Value = serde_json::from_str(text.lines().next().unwrap())
        .or_else(|_| serde_json::from_str(text))
        .unwrap();
    match format {
        "slsa" if value.get("payload").is_some() => {
            let payload = value["payload"].as_str().unwrap();
            let last = payload.trim_end_matches('=').len() - 2;
            let other = if &payload[last..=last] == "A" {
                "B"
            } else {
                "A"
            };
            value["payload"] = json!(format!(
                "{}{other}{}",
                &payload[..last],
                &payload[last + 1..]
            ));
        }
        "slsa" => value["subject"][0]["digest"] = json!({}),
        "cyclonedx" => value["metadata"]["component"]["type"] = json!("model"),
        "prov" => {
            let relation = value["used"].as_object_mut().unwrap();
            let used = relation.values_mut().next().unwrap();
            used["prov:entity"] = json!("pedigree:artifact-0");
        }
        "ro-crate" => {
            let graph = value["@graph"].as_array_mut().unwrap();
            let action = graph
                .iter_mut()
                .find(|it| it["@type"] == "CreateAction")
                .unwrap();
            action.as_object_mut().unwrap().remove("instrument");
        }
        _ => unreachable!(),
    }
    value.to_string()
}

fn public_validators_take_every_export() {
    let project = Project::new(&[COPY]);
    project.write("data/key.pem", KEY);
    project.write("data/public.pem", PUBLIC_KEY);
    record_toy(&project);
    tell_openlineage(&project);
    record_chain(&project);
    let last = format!("s3://bucket/a b|{{{CHAIN_STEPS}}}#\"x\"<é>");
    let mut cases = Vec::new();
    for (name, model) in [
        ("toy", "out/model"),
        ("openlineage", "s3://lake/model"),
        ("chain", &last),
    ] {
        for (format, option) in FORMATS {
            let mut arguments = vec!["export-provenance", model, "--format", option];
            let key = (format == "slsa").then(|| project.path("data/public.pem"));
            if key.is_some() && name == "toy" {
                arguments.extend(["--key", "data/key.pem"]);
            }
            let is_signed = arguments.contains(&"--key");
            let text = project.succeed(&arguments);
            // Versions of OpenLineage's datasets are no SHA-256, which a statement needs.
            if name == "openlineage" && format == "slsa" {
                assert_eq!(text, "");
                continue;
            }
            if name == "toy" && format == "cyclonedx" {
                assert!(text.contains("raw%20%5B1%5D.csv"), "{text}");
            }
            for (end, text, is_accepted) in [
                ("whole", text.clone(), true),
                ("broken", broken(format, &text), false),
            ] {
                // Once is enough to see that a field is looked at.
                if !is_accepted && name == "chain" {
                    continue;
                }
                let path = project.path(&format!("out/{name}-{option}-{end}.json"));
                fs::write(&path, text).unwrap();
                cases.push(Case {
                    format,
                    file: path,
                    key: key.clone().filter(|_| is_signed),
                    is_accepted,
                });
            }
        }
    }
    check(&cases);
}

/// A run as the driver and the launcher of Kubeflow Pipelines write it. They give no digests.
fn public_validators_take_a_run_of_kubeflow_pipelines() {
    let project = Project::new(&[COPY]);
    clients::kubeflow_run(&format!("127.0.0.1:{}", project.port()));
    let model = "minio://mlpipeline/training/4f1c9a52/model";
    let plan = project.plan(model);
    let steps = plan["steps"].as_array().unwrap();
    let types: Vec<_> = steps.iter().map(|step| &step["type"]).collect();
    assert_eq!(types, ["system.ContainerExecution"], "{plan}");
    let roles = |side: &str| &steps[0][side][0]["role"];
    assert_eq!(
        (roles("inputs"), roles("outputs")),
        (&json!("images"), &json!("model"))
    );
    let parameters = &steps[0]["parameters"];
    assert_eq!(parameters["epochs"], "3", "{plan}");
    assert_eq!(parameters["rate"], "0.125", "{plan}");
    // The lowest level, which JSON leaves out.
    assert!(plan["level"].is_null(), "{plan}");
    let mut cases = Vec::new();
    for (format, option) in FORMATS {
        let text = project.succeed(&["export-provenance", model, "--format", option]);
        if format == "slsa" {
            assert_eq!(text, "");
            continue;
        }
        assert!(
            text.contains("epochs") || format == "prov",
            "{option}: {text}"
        );
        for (end, text, is_accepted) in [
            ("whole", text.clone(), true),
            ("broken", broken(format, &text), false),
        ] {
            let file = project.path(&format!("out/kfp-{option}-{end}.json"));
            fs::write(&file, text).unwrap();
            cases.push(Case {
                format,
                file,
                key: None,
                is_accepted,
            });
        }
    }
    check(&cases);
    // A report has its facts too.
    let report = project.succeed(&["report", model, "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["level"], 0);
}

fn exports_that_cannot_be_made_are_refused() {
    let project = Project::new(&[COPY]);
    record_toy(&project);
    project.write("data/not.pem", "secret");
    for (words, arguments) in [
        (
            "there is no artifact none",
            &["none", "--format", "slsa"][..],
        ),
        (
            "signs --format slsa only",
            &["out/model", "--format", "prov", "--key", "data/not.pem"],
        ),
        (
            "no private key",
            &["out/model", "--format", "slsa", "--key", "data/not.pem"],
        ),
        ("invalid value 'spdx'", &["out/model", "--format", "spdx"]),
    ] {
        let arguments = [&["export-provenance"], arguments].concat();
        project.fail(1, words, &arguments);
    }
}
