//! `pedigree run`: what it records, and how it fails.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use super::{Project, fact};
use crate::binary::{self, Process, Server, wait_for};
use crate::support::{Backend, TestDatabase};

blocking_once! {
    facts_are_recorded,
    the_difference_to_the_commit_has_no_inputs_and_outputs,
    what_is_staged_is_part_of_the_difference,
    an_exit_code_is_passed_on_and_recorded,
    a_signal_reaches_the_command,
    what_cannot_be_run_has_an_end,
    an_input_that_changes_fails_the_run,
    what_is_wrong_is_refused_before_anything_is_recorded,
    a_command_outlives_its_server,
    an_end_that_cannot_be_recorded_is_kept,
    outside_git_no_code_is_recorded,
}

const COPY: (&str, &str) = (
    "copy.py",
    "import shutil, sys\nshutil.copyfile(sys.argv[1], sys.argv[2])\n",
);

fn state(node: &Value) -> &str {
    node["lastKnownState"].as_str().unwrap()
}

fn facts_are_recorded() {
    let project = Project::new(&[COPY]);
    project.write("data/a", "text");
    let mut command = project.command(&[
        "run",
        "--type",
        "Copy",
        "--name",
        "first",
        "--context",
        "Pipeline=nightly",
        "--in",
        "from=Text:data/a",
        "--out",
        "to=out/b",
        "--param",
        "seed=7",
        "--",
        "env/bin/python",
        "copy.py",
        "{in:from}",
        "{out:to}",
    ]);
    command
        .env("PYTHONHASHSEED", "0")
        .env("SECRET_TOKEN", "hunter2");
    let ended = binary::run(command);
    assert!(ended.status.success(), "{ended:?}");
    let executions = project.executions();
    let node = &executions[0];
    assert_eq!((executions.len(), state(node)), (1, "COMPLETE"));
    assert_eq!(node["name"], "first");
    let command = r#"["python","copy.py","{in:from}","{out:to}"]"#;
    let commit = project.shell("git rev-parse HEAD");
    let repository = format!(
        "file://{}",
        project.path("").canonicalize().unwrap().display()
    );
    for (name, value) in [
        ("command", command),
        ("param.seed", "7"),
        ("input.from", "data/a"),
        ("output.to", "out/b"),
        ("code.commit", commit.trim()),
        ("code.repository", repository.trim_end_matches('/')),
        ("code.path", ""),
        ("code.diff", ""),
        ("environment.variables", r#"{"PYTHONHASHSEED":"0"}"#),
    ] {
        assert_eq!(fact(node, name), value, "{name}");
    }
    for name in [
        "environment.python",
        "environment.lock",
        "environment.platform",
        "producer",
    ] {
        assert_ne!(fact(node, name), "", "{name}");
    }
    assert!(!node.to_string().contains("hunter2"));
    let plan = project.plan("out/b");
    assert_eq!(plan["level"], "PRESENT", "{plan}");
    let digest = "sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1";
    let artifacts = plan["artifacts"].as_array().unwrap();
    assert!(
        artifacts
            .iter()
            .all(|artifact| artifact["digest"] == digest)
    );
    assert_eq!(artifacts[0]["type"], "Text");
}

fn the_difference_to_the_commit_has_no_inputs_and_outputs() {
    let project = Project::new(&[COPY, ("sub/keep", "")]);
    project.write("copy.py", &format!("{}# changed\n", COPY.1));
    project.write("new.py", "# untracked\n");
    project.write("sub/a", "an input");
    let clean = ["run", "--clean", "--", "true"];
    project.fail(1, "differs from its commit: copy.py, new.py, sub/a", &clean);
    assert!(project.executions_or_none().is_empty());
    let before = project.shell("git status --porcelain; git count-objects");
    let mut command = project.command(&[
        "run",
        "--in",
        "a=a",
        "--out",
        "b=b",
        "--",
        "../env/bin/python",
        "../copy.py",
        "{in:a}",
        "{out:b}",
    ]);
    command.current_dir(project.path("sub"));
    let ended = binary::run(command);
    assert!(ended.status.success(), "{ended:?}");
    fs::remove_file(project.path("sub/b")).unwrap();
    assert_eq!(
        project.shell("git status --porcelain; git count-objects"),
        before
    );
    let node = &project.executions()[0];
    assert_eq!(fact(node, "code.path"), "sub");
    let digest = fact(node, "code.diff").trim_start_matches("sha256:");
    let blobs = project
        .around()
        .join("home/.local/share/pedigree/blobs/sha256");
    let diff = fs::read_to_string(blobs.join(&digest[..2]).join(digest)).unwrap();
    assert!(
        diff.contains("+# changed") && diff.contains("+# untracked"),
        "{diff}"
    );
    assert!(!diff.contains("an input"), "{diff}");
}

/// Writes the names, modes and bytes of the files of a work tree, but for those that git ignores.
const LIST: (&str, &str) = (
    "list.py",
    "import os, sys\n\
     lines = []\n\
     for folder, folders, files in os.walk('.'):\n\
     \x20   folders[:] = [it for it in folders if it not in ('.git', 'env', 'data', 'out')]\n\
     \x20   for name in files:\n\
     \x20       path = os.path.join(folder, name)\n\
     \x20       if path not in ('./.git', './secret'):\n\
     \x20           lines.append((path, os.stat(path).st_mode & 0o111, open(path, 'rb').read()))\n\
     open(sys.argv[1], 'w').write('\\n'.join(map(str, sorted(lines))))\n",
);

fn what_is_staged_is_part_of_the_difference() {
    for (script, changed, has_diff) in [
        ("git mv f f2", "f, f2", true),
        ("git rm -q g", "g", true),
        ("git rm -q g; rm f", "f, g", true),
        ("git mv f f2; echo more >> f2", "f, f2", true),
        ("git mv f f2; rm f2", "f, f2", true),
        ("git mv f f2; echo new > f", "f, f2", true),
        (
            "git mv sub new; echo u > u; chmod +x g; rm f",
            "f, g, new/h, sub/h, u",
            true,
        ),
        (
            "echo s >> f; git add f; echo u >> f; git rm -q sub/h",
            "f, sub/h",
            true,
        ),
        ("echo n > n; git add n; rm n; git mv g '*'", "*, g, n", true),
        ("git rm -q g; mkdir g; echo in > g/in", "g, g/in", true),
        ("git rm -q --cached g; echo other > g", "g", true),
        // An ignored file is no code.
        (
            "git mv g secret; git rm -q --cached secret; echo secret >> .gitignore",
            ".gitignore, g",
            true,
        ),
        // What is staged is undone in the work tree.
        ("git rm -q --cached g", "g", false),
        ("echo s >> f; git add f; git show HEAD:f > f", "f", false),
        ("git mv f f2; mv f2 f", "f, f2", false),
    ] {
        let files = [LIST, ("f", "f\n"), ("g", "g\n"), ("sub/h", "h\n")];
        let project = Project::new(&files);
        project.shell(script);
        let words = format!("differs from its commit: {changed}; commit it");
        project.fail(1, &words, &["run", "--clean", "--", "true"]);
        let before = project.shell("git status --porcelain; git count-objects");
        let out = ["--out", "list=out/list", "--", "env/bin/python", "list.py"];
        project.succeed(&[&["run"], &out[..], &["{out:list}"]].concat());
        let after = project.shell("git status --porcelain; git count-objects");
        assert_eq!(after, before, "{script}");
        let node = &project.executions()[0];
        assert_eq!(!fact(node, "code.diff").is_empty(), has_diff, "{script}");
        let again = [
            "reproduce",
            "out/list",
            "--run",
            "--yes",
            "--to",
            "out/again",
        ];
        let ran = project.succeed(&again);
        assert!(ran.contains(": identical (execution"), "{script}: {ran}");
    }
}

fn an_exit_code_is_passed_on_and_recorded() {
    let project = Project::new(&[COPY]);
    project.fail(
        3,
        "the command failed",
        &["run", "--out", "x=out/x", "--", "sh", "-c", "exit 3"],
    );
    let node = &project.executions()[0];
    assert_eq!(state(node), "FAILED");
    assert_eq!(node["customProperties"]["exit_code"]["intValue"], "3");
    assert!(fact(node, "error").contains("exit status: 3"));
}

fn a_signal_reaches_the_command() {
    let project = Project::new(&[COPY]);
    let script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut process = Process::start(project.command(&["run", "--", "sh", "-c", script]));
    wait_for("the command", || {
        process.output().contains("ready").then_some(())
    });
    process.signal(Signal::TERM);
    assert_eq!(process.end().code(), Some(9));
    assert!(process.output().contains("caught"));
    let killed = project.pedigree(&["run", "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(killed.status.code(), Some(137), "{killed:?}");
    let executions = project.executions();
    assert!(executions.iter().all(|node| state(node) == "FAILED"));
}

fn what_cannot_be_run_has_an_end() {
    let project = Project::new(&[COPY]);
    project.fail(
        127,
        "cannot start no-such-program",
        &["run", "--", "no-such-program"],
    );
    project.fail(126, "cannot start ./copy.py", &["run", "--", "./copy.py"]);
    project.fail(
        1,
        "did not write the output x",
        &["run", "--out", "x=out/x", "--", "true"],
    );
    project.write("out/x", "old");
    project.fail(
        1,
        "did not write the output x",
        &["run", "--out", "x=out/x", "--", "true"],
    );
    let executions = project.executions();
    let states: Vec<&str> = executions.iter().map(state).collect();
    assert_eq!(states, ["FAILED"; 4]);
}

fn an_input_that_changes_fails_the_run() {
    let project = Project::new(&[COPY]);
    project.write("data/a", "one");
    let script = "echo two > data/a";
    let arguments = ["run", "--in", "a=data/a", "--", "sh", "-c", script];
    project.fail(
        1,
        "the input a (data/a) changed while the command ran",
        &arguments,
    );
    assert_eq!(state(&project.executions()[0]), "FAILED");
}

fn what_is_wrong_is_refused_before_anything_is_recorded() {
    let project = Project::new(&[COPY]);
    for (words, arguments) in [
        (
            "data/none: No such file",
            &["run", "--in", "a=data/none", "--", "true"][..],
        ),
        (
            "the command has {in:b}",
            &["run", "--in", "a=copy.py", "--", "cat", "{in:b}"],
        ),
        (
            "`a` is given twice",
            &["run", "--in", "a=copy.py", "--out", "a=b", "--", "true"],
        ),
        (
            "no file has this role",
            &["run", "--as", "a=s3://b/c", "--", "true"],
        ),
        (
            "the URI has a password",
            &[
                "run",
                "--in",
                "a=copy.py",
                "--as",
                "a=https://b:c@d/e",
                "--",
                "true",
            ],
        ),
        ("there is no `=`", &["run", "--param", "seed", "--", "true"]),
        (
            "/dev/null: neither a file nor a folder",
            &["run", "--in", "a=/dev/null", "--", "true"],
        ),
        (
            "--check has {out:a}",
            &["run", "--check", "cmp {out:a} {new}", "--", "true"],
        ),
        (
            "--check has no {new}",
            &["run", "--check", "cmp {old}", "--", "true"],
        ),
        ("required", &["run"]),
    ] {
        project.fail(1, words, arguments);
    }
    assert!(project.executions_or_none().is_empty());
    // A name belongs to one execution, even if it failed.
    project.fail(
        3,
        "exit status: 3",
        &["run", "--name", "a", "--", "sh", "-c", "exit 3"],
    );
    let words = "an execution of type pedigree.Run has the name `a`: give another --name, or none";
    project.fail(1, words, &["run", "--name", "a", "--", "touch", "ran"]);
    assert!(!project.path("ran").exists());
}

/// The first run on another server has ended well.
fn assert_is_complete(project: &Project, server: &str) {
    let traced = project.succeed(&[
        "trace",
        "--server",
        server,
        "--execution",
        "1",
        "--format",
        "json",
    ]);
    assert!(
        traced.contains("\"lastKnownState\":\"COMPLETE\""),
        "{traced}"
    );
}

fn a_command_outlives_its_server() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let project = Project::new(&[COPY]);
    let port = server.port.to_string();
    let mut command = project.command(&[
        "run",
        "--",
        "sh",
        "-c",
        "echo ready; while [ ! -e out/go ]; do sleep 0.05; done",
    ]);
    command.env("PEDIGREE_SERVER", format!("http://127.0.0.1:{port}"));
    let mut process = Process::start(command);
    wait_for("the command", || {
        process.output().contains("ready").then_some(())
    });
    server.kill();
    project.write("out/go", "");
    process.wait_for_log("; trying again");
    let server = Server::on(&database, &["--grpc-port", &port]);
    assert!(process.end().success(), "{}", process.log());
    let url = format!("http://127.0.0.1:{port}");
    assert_is_complete(&project, &url);
    server.stop();
}

fn an_end_that_cannot_be_recorded_is_kept() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let project = Project::new(&[COPY]);
    let port = server.port.to_string();
    let url = format!("http://127.0.0.1:{port}");
    let mut command = project.command(&[
        "run",
        "--server",
        &url,
        "--retry",
        "1ms",
        "--",
        "sh",
        "-c",
        "echo ready; while [ ! -e out/go ]; do sleep 0.05; done",
    ]);
    command.env("PEDIGREE_SERVER", &url);
    let mut process = Process::start(command);
    wait_for("the command", || {
        process.output().contains("ready").then_some(())
    });
    server.kill();
    project.write("out/go", "");
    assert_eq!(process.end().code(), Some(1));
    let log = process.log();
    let file = log
        .split('`')
        .nth(1)
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let server = Server::on(&database, &["--grpc-port", &port]);
    project.succeed(&["record", "--server", &url, &file]);
    assert_is_complete(&project, &url);
    server.stop();
}

fn outside_git_no_code_is_recorded() {
    let project = Project::new(&[COPY]);
    let outside = project.around().join("outside");
    fs::create_dir(&outside).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.current_dir(&outside);
        binary::run(command)
    };
    let ended = run(&["run", "--", "true"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.stderr.contains("no code is recorded: git: "),
        "{ended:?}"
    );
    let refused = run(&["run", "--clean", "--", "true"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(project.executions().len(), 1);
    let mut command = project.command(&["run", "--", "/bin/true"]);
    command.env("PATH", "/nowhere");
    let ended = binary::run(command);
    assert!(ended.stderr.contains("cannot start git"), "{ended:?}");
}
