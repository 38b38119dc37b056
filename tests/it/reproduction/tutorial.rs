//! The tutorial of docs/reproduction.md, run as it is written.

use std::fs;
use std::process::Command;

use super::Project;
use crate::binary;
use crate::support::Backend;

blocking_on_every_database!(the_tutorial_ends_with_an_identical_digest);

fn the_tutorial_ends_with_an_identical_digest(backend: Backend) {
    let page = format!("{}/docs/reproduction.md", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").unwrap().0);
    let script: String = blocks.collect();
    assert!(script.contains("pedigree run"));
    let project = Project::empty(backend);
    let mut command = Command::new("sh");
    command
        .args(["-euc", &script])
        .current_dir(project.around());
    project.prepare(&mut command);
    let ended = binary::run(command);
    assert!(ended.status.success(), "{ended:?}");
    for told in [
        "score: 100 %",
        "out/model.json: OK",
        "level: 4 reproduced",
        "has another digest now: it was overwritten [source-changed]",
        "exit code 4",
    ] {
        assert!(ended.stdout.contains(told), "no {told}: {ended:?}");
    }
    assert_eq!(ended.stdout.matches(": identical (execution").count(), 2);
    assert!(!project.around().join("never").exists());
}
