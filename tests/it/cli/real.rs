//! The commands with a real server, which is killed under them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::ops::Range;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::command;
use crate::binary::{self, Ended, Process, Server, wait_for};
use crate::python::sized;
use crate::support::{Backend, TestDatabase};

blocking_once! {
    lines_that_are_refused_can_be_mended,
    what_a_line_says_is_watched_and_traced,
}

blocking_on_every_database!(what_is_recorded_is_watched_once_whoever_is_killed);

/// Runs a command to its end, with these lines on its input.
fn run(database: &TestDatabase, port: u16, arguments: &[&str], input: &str) -> Ended {
    let path = database.dir().join("input");
    fs::write(&path, input).unwrap();
    let mut command = command(database.dir(), port, arguments);
    command.stdin(fs::File::open(path).unwrap());
    binary::run(command)
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The start or the end of some run, a line each, from the start of the first.
fn said(events: Range<usize>) -> String {
    let line = |event: usize| {
        let run = event / 2;
        let (event_type, artifacts) = match event % 2 {
            0 => ("START", "inputs"),
            _ => ("COMPLETE", "outputs"),
        };
        let line = json!({
            "id": format!("m{event}"),
            "eventTime": 1_700_000_000_000_usize + event,
            "run": {
                "eventType": event_type,
                "typePolicy": "CREATE",
                "type": "Train",
                "name": format!("run {run}"),
                artifacts: [{"type": "Data", "name": format!("{artifacts} of {run}")}],
            },
        });
        format!("{line}\n")
    };
    events.map(line).collect()
}

/// What a watcher has printed so far.
fn seen(watcher: &Process) -> Vec<Value> {
    let output = watcher.output();
    // The last line may be half written.
    let whole = output.rfind('\n').map_or("", |end| &output[..end]);
    let lines = whole.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn wait_for_runs(watcher: &Process, count: usize) {
    wait_for("runs", || (seen(watcher).len() >= count).then_some(()));
}

fn what_is_recorded_is_watched_once_whoever_is_killed(backend: Backend) {
    let events = sized(1000, 5000);
    let tenth = events / 10;
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let port = server.port;
    let watch = |since: &str| {
        let line =
            format!("watch --since {since} --subject execution --operation created --format json");
        Process::start(command(database.dir(), port, &words(&line)))
    };
    let watcher = watch("beginning");
    let (input, mut lines) = std::io::pipe().unwrap();
    let mut record = command(database.dir(), port, &["record", "--window", "16"]);
    record.stdin(input);
    let mut recorder = Process::start(record);

    lines.write_all(said(0..tenth * 4).as_bytes()).unwrap();
    wait_for_runs(&watcher, tenth / 2);
    server.kill();
    let server = Server::on(&database, &["--grpc-port", &port.to_string()]);
    lines
        .write_all(said(tenth * 4..tenth * 6).as_bytes())
        .unwrap();
    wait_for_runs(&watcher, tenth * 3);
    for process in [&recorder, &watcher] {
        assert!(
            process.log().contains("; trying again"),
            "{}",
            process.log()
        );
    }
    lines.write_all(said(tenth * 6..events).as_bytes()).unwrap();
    wait_for_runs(&watcher, tenth * 3 + tenth / 2);
    recorder.signal(Signal::KILL);
    recorder.end();

    let all = said(0..events);
    let again = run(&database, port, &["record"], &all);
    assert!(again.status.success(), "{again:?}");
    let told = format!("{events} stored, of them ");
    assert!(again.stderr.starts_with(&told), "{again:?}");
    let last = run(&database, port, &["record"], &all);
    assert_eq!(
        last.stderr,
        format!("{events} stored, of them {events} before; 0 refused\n")
    );

    let runs = events / 2;
    wait_for_runs(&watcher, runs);
    let changes = seen(&watcher);
    let name = |line: &Value| {
        line["change"]["execution"]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let names: BTreeSet<String> = changes.iter().map(name).collect();
    assert_eq!((changes.len(), names.len()), (runs, runs));
    // Behind any cursor come the changes that came behind it before.
    let place = changes[..runs / 2]
        .iter()
        .rposition(|line| line["cursor"].is_string());
    let place = place.unwrap();
    let later = watch(changes[place]["cursor"].as_str().unwrap());
    let expected: Vec<&Value> = changes[place + 1..]
        .iter()
        .map(|line| &line["change"])
        .collect();
    wait_for_runs(&later, expected.len());
    let later = seen(&later);
    assert_eq!(
        later.iter().map(|line| &line["change"]).collect::<Vec<_>>(),
        expected
    );
    server.stop();
}

fn lines_that_are_refused_can_be_mended() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let lines = r#"{"id": "1", "run": {"eventType": "START", "type": "Train", "name": "a"}}

{"id": "2", "run": {"eventType": "START", "type": "Train", "name": "b", "typePolicy": "CREATE"}}
{"id": "3", "run": {"eventType": "ENDED", "type": "Train", "name": "b"}}
{"id": "4", "run": {"eventType": "OTHER", "type": "Train", "name": "c"}}"#;
    let ended = run(&database, server.port, &["record", "-"], lines);
    assert!(!ended.status.success());
    for told in [
        "line 1: NOT_FOUND: No execution type `Train` exists, and the type_policy of the event does not create it\n",
        "line 4: ",
        "line 5: NOT_FOUND: No execution with the name \"c\" is known",
        "1 stored, of them 0 before; 3 refused\npedigree: 3 messages were refused\n",
    ] {
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
    let mended = lines.replace("ENDED", "COMPLETE").replace("OTHER", "START");
    let ended = run(&database, server.port, &["record", "-"], &mended);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stderr, "4 stored, of them 1 before; 0 refused\n");
    server.stop();
}

/// What the README shows.
fn what_a_line_says_is_watched_and_traced() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let line = r#"{"id": "1", "run": {"eventType": "COMPLETE", "typePolicy": "CREATE", "type": "Train", "name": "run 7",
        "inputs": [{"type": "Dataset", "content": {"uri": "s3://data/images", "digest": "sha256:9f86d081"},
          "path": {"steps": [{"key": "training"}]}}],
        "outputs": [{"type": "Model", "name": "model 7", "uri": "s3://models/7"}]}}"#;
    let ask = |arguments: &[&str]| run(&database, server.port, arguments, "").stdout;
    let recorded = run(&database, server.port, &["record"], &line.replace('\n', ""));
    assert!(recorded.status.success(), "{recorded:?}");
    assert_eq!(
        ask(&["trace", "--artifacts", "name = 'model 7'"]),
        "artifact 2 Model model 7\n\
         └─ execution 1 Train run 7\n\
         \x20  └─ artifact 1 Dataset s3://data/images [training]\n"
    );
    assert_eq!(
        ask(&words("trace --artifact 1 --direction impact --format dot")),
        "digraph lineage {\n  rankdir=LR;\n\
         \x20 a1 [shape=ellipse, label=\"artifact 1 Dataset s3://data/images\", style=bold];\n\
         \x20 a2 [shape=ellipse, label=\"artifact 2 Model model 7\"];\n\
         \x20 e1 [shape=box, label=\"execution 1 Train run 7\"];\n\
         \x20 a1 -> e1 [label=\"[training]\"];\n\
         \x20 e1 -> a2 [label=\"\"];\n}\n"
    );
    let found = ask(&words("trace --execution 1 --direction both --format json"));
    let found: Vec<Value> = found
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let hops: Vec<_> = found
        .iter()
        .map(|part| part["hop"].as_str().unwrap_or("0"))
        .collect();
    assert_eq!(hops, ["0", "1", "1"]);
    assert_eq!(found[1]["artifacts"][1]["customProperties"], Value::Null);
    assert_eq!(
        found[1]["artifacts"][0]["customProperties"]["digest"]["stringValue"],
        "sha256:9f86d081"
    );
    assert_eq!(found[2]["end"]["nodes"], "3");

    let watcher = words("watch --since beginning --subject artifact --subject event");
    let watcher = Process::start(command(database.dir(), server.port, &watcher));
    let sentences = wait_for("four lines", || {
        let output = watcher.output();
        (output.matches('\n').count() >= 4).then_some(output)
    });
    let sentences: Vec<&str> = sentences
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        sentences,
        [
            "created artifact id=1 type=Dataset \
             externalId=content:80a1b46bcbea321be1f4f53b6676c85474a51d7ed1c2e22cbae8845a0799338c uri=s3://data/images state=LIVE",
            "created artifact id=2 type=Model name=model 7 uri=s3://models/7 state=LIVE",
            "created event type=INPUT artifactId=1 executionId=1",
            "created event type=OUTPUT artifactId=2 executionId=1",
        ]
    );
    let refused = run(&database, server.port, &words("watch --since noise"), "");
    assert!(!refused.status.success());
    assert!(
        refused.stderr.starts_with("pedigree: INVALID_ARGUMENT: "),
        "{refused:?}"
    );
    server.stop();
}
