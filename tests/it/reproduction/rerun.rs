//! `pedigree reproduce`: gaps, recipes, reruns and verdicts.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use serde_json::{Value, json};

use super::{Project, fact, gap_ids};
use crate::binary;

blocking_once! {
    each_step_has_its_own_difference_and_folders_are_compared,
    a_difference_is_named_where_it_begins,
    a_check_can_accept_what_differs,
    what_is_missing_is_named_and_nothing_runs,
    packages_that_are_gone_end_a_rerun_before_its_steps,
    recipes_for_shell_and_make_give_the_same_bytes,
    a_step_of_an_image_runs_in_a_container,
    hostile_facts_run_nothing,
    links_of_the_repository_lead_nowhere_else,
}

/// Copies a file or a folder and adds a word to each file.
pub const APPEND: (&str, &str) = (
    "append.py",
    "import pathlib, sys\n\
     source, target, word = map(str, sys.argv[1:])\n\
     source, target = pathlib.Path(source), pathlib.Path(target)\n\
     for path in [source] if source.is_file() else source.rglob('*.txt'):\n\
     \x20   place = target / path.relative_to(source) if source.is_dir() else target\n\
     \x20   place.parent.mkdir(parents=True, exist_ok=True)\n\
     \x20   place.write_text(path.read_text() + word)\n",
);

/// Runs a step of a script that reads one file or folder and writes another.
pub fn append(project: &Project, from: &str, to: &str, word: &str) {
    let (from, to) = (format!("from={from}"), format!("to={to}"));
    project.succeed(&[
        "run",
        "--type",
        "Append",
        "--in",
        &from,
        "--out",
        &to,
        "--",
        "env/bin/python",
        "append.py",
        "{in:from}",
        "{out:to}",
        word,
    ]);
}

fn each_step_has_its_own_difference_and_folders_are_compared() {
    let project = Project::new(&[APPEND]);
    project.write("data/raw/a.txt", "a");
    project.write("data/raw/sub/b.txt", "b");
    append(&project, "data/raw", "out/first", "1");
    // The same commit with other differences.
    project.write(
        "append.py",
        &format!("{}place.touch()\nprint('x')\n", APPEND.1),
    );
    append(&project, "out/first", "out/second", "2");
    project.write("helper.py", "WORD = '!'\n");
    let text = APPEND.1.replace("+ word", "+ word + helper.WORD");
    project.write("append.py", &format!("import helper\n{text}"));
    append(&project, "out/second/a.txt", "out/third.txt", "3");
    append(&project, "out/second", "out/fourth", "4");
    assert_eq!(project.read("out/third.txt"), "a123!");
    // The file of a folder is an artifact of its own, which no run made.
    let plan = project.plan("out/third.txt");
    assert_eq!(plan["steps"].as_array().unwrap().len(), 1, "{plan}");
    let plan = project.plan("out/fourth");
    assert_eq!(plan["steps"].as_array().unwrap().len(), 3, "{plan}");
    assert_eq!(plan["level"], "PRESENT", "{plan}");
    fs::remove_dir_all(project.path("out/first")).unwrap();
    fs::remove_dir_all(project.path("out/second")).unwrap();
    let ran = project.succeed(&[
        "reproduce",
        "out/fourth",
        "--run",
        "--yes",
        "--to",
        "out/again",
    ]);
    assert_eq!(ran.matches(": identical (execution").count(), 3, "{ran}");
    assert_eq!(
        project.read("out/again/steps/3/tree/out/fourth/sub/b.txt"),
        "b124!"
    );
    assert_eq!(project.plan("out/fourth")["level"], "REPRODUCED");
    let reproductions = project.executions();
    let of_reproductions = reproductions
        .iter()
        .filter(|node| fact(node, "verdict") == "identical");
    assert_eq!(of_reproductions.count(), 3);
}

fn a_difference_is_named_where_it_begins() {
    let random = (
        "random.sh",
        "cat \"$1\" /proc/sys/kernel/random/uuid > \"$2\"\n",
    );
    let project = Project::new(&[APPEND, random]);
    project.write("data/raw.txt", "raw");
    append(&project, "data/raw.txt", "out/a.txt", "1");
    project.succeed(&[
        "run",
        "--type",
        "Noise",
        "--in",
        "a=out/a.txt",
        "--out",
        "b=out/b.txt",
        "--",
        "env/bin/python",
        "-c",
        "import random, sys; open(sys.argv[2], 'w').write(str(random.random()))",
        "{in:a}",
        "{out:b}",
    ]);
    append(&project, "out/b.txt", "out/c.txt", "2");
    let arguments = [
        "reproduce",
        "out/c.txt",
        "--run",
        "--yes",
        "--to",
        "out/again",
    ];
    let ended = project.pedigree(&arguments);
    assert_eq!(ended.status.code(), Some(5), "{ended:?}");
    assert_eq!(
        ended.stdout.matches(": identical (execution").count(),
        1,
        "{ended:?}"
    );
    assert_eq!(
        ended.stdout.matches(": differs (execution").count(),
        1,
        "{ended:?}"
    );
    assert!(!project.path("out/again/steps/3").exists());
    let plan = project.plan("out/c.txt");
    let levels: Vec<_> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["level"])
        .collect();
    assert_eq!(levels, ["REPRODUCED", "PRESENT", "PRESENT"], "{plan}");
    project.fail(1, "is not empty", &arguments);
    project.fail(
        1,
        "give --yes",
        &["reproduce", "out/c.txt", "--run", "--to", "out/other"],
    );
    assert!(!project.path("out/other").exists());
}

fn a_check_can_accept_what_differs() {
    let noise = "import random, sys\nopen(sys.argv[1], 'w').write('%s %s' % (sys.argv[2], random.random()))\n";
    let check = "import sys\nold, new = (open(path).read().split()[0] for path in sys.argv[1:])\nsys.exit(old != new)\n";
    let project = Project::new(&[("noise.py", noise), ("check.py", check)]);
    let run = |word: &str, path: &str| {
        let out = format!("out=Noise:{path}");
        project.succeed(&[
            "run",
            "--out",
            &out,
            "--check",
            "python check.py {old} {new}",
            "--",
            "env/bin/python",
            "noise.py",
            "{out:out}",
            word,
        ]);
    };
    run("same", "out/a");
    let ran = project.succeed(&["reproduce", "out/a", "--run", "--yes", "--to", "out/again"]);
    assert!(ran.contains(": passes its check (execution"), "{ran}");
    assert_eq!(project.plan("out/a")["level"], "REPRODUCED");
    // The old output is not what it was, so nothing can be compared with it.
    run("same", "out/b");
    project.write("out/b", "other 1");
    project.fail(
        5,
        ": differs (execution",
        &["reproduce", "out/b", "--run", "--yes", "--to", "out/c"],
    );
}

fn what_is_missing_is_named_and_nothing_runs() {
    let project = Project::new(&[APPEND]);
    project.write("data/raw.txt", "raw");
    append(&project, "data/raw.txt", "out/a.txt", "1");
    let run = [
        "reproduce",
        "out/a.txt",
        "--run",
        "--yes",
        "--to",
        "out/again",
    ];
    let mut seen = Vec::new();
    for (lost, moved) in [
        ("toy/data/raw.txt", "raw.txt"),
        ("toy/.git", "git"),
        ("home/.local", "local"),
    ] {
        let (lost, moved) = (project.around().join(lost), project.around().join(moved));
        fs::rename(&lost, &moved).unwrap();
        let plan = project.plan("out/a.txt");
        seen.push(gap_ids(&plan).join(" "));
        assert_eq!(project.pedigree(&run).status.code(), Some(4));
        fs::rename(&moved, &lost).unwrap();
    }
    assert_eq!(seen, ["source-missing", "commit-missing", "no-blob"]);
    project.fail(4, "gap: ", &["reproduce", "data/raw.txt", "--recipe", "sh"]);
    project.fail(
        1,
        "there is no artifact out/none",
        &["reproduce", "out/none"],
    );
    project.fail(1, "NOT_FOUND", &["reproduce", "77"]);
    assert!(!project.path("out/again").exists());
    // A command outside of any environment, in another repository without a commit.
    project.shell("mkdir out/bare && cd out/bare && git init -q .");
    let mut command = project.command(&["run", "--out", "x=/tmp/../tmp/none/x", "--", "true"]);
    command.current_dir(project.path("out/bare"));
    assert_eq!(binary::run(command).status.code(), Some(1));
    let mut command = project.command(&["run", "--out", "x=../x", "--", "sh", "-c", "echo > ../x"]);
    command.current_dir(project.path("out/bare"));
    let ended = binary::run(command);
    assert!(ended.status.success(), "{ended:?}");
    let plan = project.plan("out/x");
    assert_eq!(
        gap_ids(&plan),
        ["no-code", "no-path", "no-environment"],
        "{plan}"
    );
    // The lowest level, which JSON leaves out.
    assert!(plan["level"].is_null(), "{plan}");
}

/// A package of the environment has gone from its index.
fn packages_that_are_gone_end_a_rerun_before_its_steps() {
    let project = Project::new(&[APPEND]);
    project.write("data/raw.txt", "raw");
    project.shell(
        "cd env/lib/python3*/site-packages && mkdir gone-1.0.dist-info && cd gone-1.0.dist-info \
         && printf 'Metadata-Version: 2.1\\nName: gone\\nVersion: 1.0\\n' > METADATA",
    );
    append(&project, "data/raw.txt", "out/a.txt", "1");
    let again = ["--run", "--yes", "--to", "out/again"];
    let mut command = project.command(&[&["reproduce", "out/a.txt"][..], &again].concat());
    command.env("PIP_NO_INDEX", "1");
    let ended = binary::run(command);
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    let expected = ": the packages of environment.lock cannot be installed";
    assert!(ended.stderr.contains(expected), "{ended:?}");
    assert!(project.path("out/again/environments").exists());
    assert!(!project.path("out/again/steps").exists());
    // No verdict is recorded: there is only the run itself.
    assert_eq!(project.executions().len(), 1);
}

/// What takes the place of an engine of containers: it runs the command on this machine.
pub const ENGINE: &str = "#!/bin/sh
set -eu
[ \"$1 $2\" = 'run --rm' ] && shift 2
while :; do
  case $1 in
    --workdir) cd \"$2\" ;;
    --env) export \"${2?}\" ;;
    --user | --volume) ;;
    *) break ;;
  esac
  shift 2
done
printf 'image %s, TZ %s\\n' \"$1\" \"${TZ:-}\"
shift
exec \"$@\"
";

fn a_step_of_an_image_runs_in_a_container() {
    let project = Project::new(&[APPEND]);
    project.write("data/raw", "raw");
    project.write("data/new", "raw'!");
    project.write("data/engine.sh", ENGINE);
    let digest = |name: &str| {
        let printed = project.shell(&format!("sha256sum < {name}"));
        format!("sha256:{}", printed.split_whitespace().next().unwrap())
    };
    let file = |role: &str, name: &str| {
        json!({
            "type": "Data",
            "content": {
                "uri": format!("file://{}", project.path(name).display()), "digest": digest(name),
            },
            "path": { "steps": [{ "key": role }] },
        })
    };
    let text = |text: &str| json!({ "stringValue": text });
    let command = r#"["python3", "append.py", "{in:from}", "{out:to}", "'!"]"#;
    let mut run = json!({
        "eventType": "COMPLETE", "typePolicy": "CREATE", "type": "Append", "name": "in an image",
        "inputs": [file("from", "data/raw")], "outputs": [file("to", "data/new")],
        "customProperties": {
            "command": text(command),
            "code.repository": text(&format!("file://{}", project.path("").display())),
            "code.commit": text(project.shell("git rev-parse HEAD").trim()),
            "environment.image": text("host/python@sha256:00"),
            "environment.variables": text(r#"{"TZ": "UTC"}"#),
        },
    });
    project.write(
        "data/run.jsonl",
        &json!({ "id": "1", "run": run }).to_string(),
    );
    project.succeed(&["record", "data/run.jsonl"]);
    let recipe = project.succeed(&["reproduce", "data/new", "--recipe", "sh"]);
    project.write("out/again/recipe.sh", &recipe);
    let engine = "CONTAINER_ENGINE=\"$PWD/data/engine.sh\"; export CONTAINER_ENGINE";
    project.shell("chmod +x data/engine.sh");
    let told = project.shell(&format!("{engine}; cd out/again && sh recipe.sh"));
    assert!(
        told.contains("image host/python@sha256:00, TZ UTC"),
        "{told}"
    );
    assert_eq!(told.matches("identical").count(), 1, "{told}");
    // What begins as an option is no image.
    run["name"] = json!("with an option");
    run["customProperties"]["environment.image"] = text("--privileged@sha256:00");
    project.write(
        "data/run.jsonl",
        &json!({ "id": "2", "run": run }).to_string(),
    );
    project.succeed(&["record", "data/run.jsonl"]);
    assert_eq!(gap_ids(&project.plan("data/new")), ["no-environment"]);
}

/// A project in which two steps make the folder `out/c`, with paths and words that shells, make and
/// DVC have to quote. The last step adds a word.
pub fn quoted_project(word: &str) -> Project {
    let project = Project::new(&[APPEND]);
    project.write("data/it's $HOME/raw.txt", "raw");
    append(
        &project,
        "data/it's $HOME",
        "out/a b",
        "$(line)\n'two' # \\",
    );
    append(&project, "out/a b", "out/c", word);
    project
}

fn recipes_for_shell_and_make_give_the_same_bytes() {
    let project = quoted_project("%");
    let mut made = Vec::new();
    for (format, file, run) in [
        ("sh", "recipe.sh", "sh recipe.sh"),
        ("make", "Makefile", "make -s"),
    ] {
        let recipe = project.succeed(&["reproduce", "out/c", "--recipe", format]);
        project.write(&format!("out/{format}/{file}"), &recipe);
        let told = project.shell(&format!("cd out/{format} && {run}"));
        assert_eq!(told.matches("identical").count(), 2, "{told}");
        made.push(project.read(&format!("out/{format}/steps/2/tree/out/c/raw.txt")));
    }
    // DVC fills its own placeholders in, and runs each line of a command by itself.
    let recipe = project.succeed(&["reproduce", "out/c", "--recipe", "dvc"]);
    let recipe: Value = serde_json::from_str(&recipe).unwrap();
    project.write("out/dvc/empty", "");
    for stage in [
        "sources",
        "repositories",
        "environments",
        "step-1",
        "step-2",
    ] {
        let command = recipe["stages"][stage]["cmd"].as_str().unwrap();
        assert_eq!(command.lines().count(), 1, "{command}");
        let command = command.replace("\\${", "${");
        project.shell(&format!("cd out/dvc && ({command})"));
    }
    made.push(project.read("out/dvc/steps/2/tree/out/c/raw.txt"));
    assert_eq!(made, ["raw$(line)\n'two' # \\%"; 3]);
}

/// Everything in the graph is data: a recipe with such names fails or runs the recorded command,
/// and nothing else.
fn hostile_facts_run_nothing() {
    let project = Project::new(&[APPEND]);
    let text = |text: &str| json!({ "stringValue": text });
    let hack = "$(touch \"$root/hacked\" hacked)`touch hacked`'; touch hacked; '\n touch hacked\n";
    project.write("data/raw.txt", "raw");
    let digest = format!("sha256:{}", "a".repeat(64));
    let lock = project.around().join("lock");
    fs::write(&lock, "").unwrap();
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let blob = json!({
        "type": "pedigree.Blob",
        "content": {"uri": format!("file://{}", lock.display()), "digest": empty},
        "path": {"steps": [{"key": "environment.lock"}]},
    });
    let commit = project.shell("git rev-parse HEAD");
    let python = project.shell("env/bin/python -c 'import sys; print(sys.version.split()[0])'");
    for (number, repository) in [
        project.path("").to_string_lossy().into_owned(),
        "ext::sh -c 'touch hacked'".to_owned(),
        "--upload-pack=touch hacked".to_owned(),
        hack.to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let out = format!("hostile {number}");
        let line = json!({
            "id": out,
            "run": {
                "eventType": "COMPLETE", "typePolicy": "CREATE", "type": hack, "name": out,
                "inputs": [blob],
                "outputs": [{
                    "type": hack,
                    "content": {"uri": format!("file:///none/{out}/{hack}"), "digest": digest},
                    "path": {"steps": [{"key": format!("../{hack}")}]},
                }],
                "customProperties": {
                    "command": text(&json!(["touch", "ran", hack, "{param:x}", ";", "touch"]).to_string()),
                    "check": text(&json!(["false", hack, "{new}{old}"]).to_string()),
                    "param.x": text(hack),
                    (format!("output.../{hack}")): text(&format!("out/{hack}")),
                    "code.repository": text(repository),
                    "code.commit": text(commit.trim()),
                    "code.path": text("../../.."),
                    "environment.lock": text(empty),
                    "environment.python": text(python.trim()),
                    "environment.variables": text(&json!({
                        "LD_PRELOAD": "/none", "PYTHONHASHSEED": hack, hack: hack,
                    }).to_string()),
                },
            },
        });
        project.write("out/line", &format!("{line}\n"));
        project.succeed(&["record", "out/line"]);
        let traced = project.succeed(&[
            "trace",
            "--executions",
            &format!("name = '{out}'"),
            "--direction",
            "impact",
            "--format",
            "json",
        ]);
        let id = traced
            .split("\"artifactId\":\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned();
        for (format, file, run) in [
            ("sh", "recipe.sh", "sh recipe.sh"),
            ("make", "Makefile", "make -s"),
        ] {
            let recipe = project.succeed(&["reproduce", &id, "--recipe", format]);
            assert!(!recipe.contains("LD_PRELOAD"), "{recipe}");
            let folder = format!("out/{number}{format}");
            project.write(&format!("{folder}/{file}"), &recipe);
            let mut command = Command::new("sh");
            command.args(["-c", run]).current_dir(project.path(&folder));
            project.prepare(&mut command);
            let ended = binary::run(command);
            assert!(!ended.status.success(), "{ended:?}");
            let found = project.shell("find . -name hacked");
            assert_eq!(found, "", "{ended:?}");
            let is_run = project.path(&format!("{folder}/steps/1/tree/ran")).exists();
            assert_eq!(is_run, number == 0, "{ended:?}");
        }
        let printed = project.pedigree(&["reproduce", &id]).stdout;
        assert!(!printed.contains("\n touch"), "{printed}");
    }
}

fn links_of_the_repository_lead_nowhere_else() {
    let project = Project::new(&[APPEND]);
    let outside = project.around().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("raw.txt"), "raw").unwrap();
    symlink(&outside, project.path("link")).unwrap();
    project.shell("git add link && git commit -qm link");
    append(&project, "link/raw.txt", "out/a.txt", "1");
    append(&project, "out/a.txt", "link/made.txt", "2");
    let files = || ["raw.txt", "made.txt"].map(|name| fs::metadata(outside.join(name)).unwrap());
    let inodes = || files().map(|file| file.ino());
    let before = inodes();
    for (model, to) in [("out/a.txt", "out/one"), ("link/made.txt", "out/two")] {
        let run = ["reproduce", model, "--run", "--yes", "--to", to];
        project.fail(1, "a link leads out of the folder of the recipe", &run);
    }
    assert_eq!(inodes(), before);
    assert_eq!(
        fs::read_to_string(outside.join("made.txt")).unwrap(),
        "raw12"
    );
}
