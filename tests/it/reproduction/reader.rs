//! A rerun by another person than the one who recorded the steps: another home, another working
//! directory, and another user where the tests are root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::Project;
use super::rerun::{APPEND, append};
use crate::binary::{self, Ended};
use crate::container::Image;

blocking_once!(a_reader_with_another_user_gets_the_same_bytes);

/// A user who owns nothing.
const READER: u32 = 65_534;

/// Where Python is on systems on which other users have it too.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "/usr/local/bin/python3"];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs the program as the reader.
fn read(project: &Project, program: &Path, home: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments);
    project.prepare(&mut command);
    command.env("HOME", home).current_dir(home);
    if is_root() {
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.uid(READER).gid(READER);
    }
    binary::run(command)
}

fn a_reader_with_another_user_gets_the_same_bytes() {
    let project = Project::new(&[APPEND]);
    if is_root() {
        let mut pythons = PYTHONS.iter().filter(|python| Path::new(python).exists());
        let python = pythons.next();
        let python = python.unwrap_or_else(|| panic!("there is none of {PYTHONS:?}"));
        project.shell(&format!("rm -r env && {python} -m venv --without-pip env"));
    }
    project.write("data/raw.txt", "raw");
    append(&project, "data/raw.txt", "out/a.txt", "1");
    append(&project, "out/a.txt", "out/b.txt", "2");
    fs::remove_file(project.path("out/a.txt")).unwrap();
    fs::remove_file(project.path("out/b.txt")).unwrap();
    // What is recorded is shared: the folder of blobs is private otherwise.
    let around = project.around();
    fs::set_permissions(around, Permissions::from_mode(0o755)).unwrap();
    project.shell("chmod -R a+rX \"$HOME\"");

    let home = TempDir::new().unwrap();
    if is_root() {
        chown(home.path(), Some(READER), Some(READER)).unwrap();
    }
    let image = Image::new();
    let program = image.path().join("pedigree");
    let model = project.path("out/b.txt");
    let arguments = ["reproduce", model.to_str().unwrap(), "--run", "--yes"];
    let read = |arguments: &[&str]| read(&project, &program, home.path(), arguments);
    if is_root() {
        // Git does not open repositories of other users unless it may.
        let ended = read(&[&arguments[..], &["--to", "refused"]].concat());
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("safe.directory"), "{ended:?}");
        let repository = around.join("toy").display().to_string();
        let config = format!("[safe]\ndirectory = {repository}\ndirectory = {repository}/.git\n");
        fs::write(home.path().join(".gitconfig"), config).unwrap();
    }
    let ended = read(&[&arguments[..], &["--to", "made/here"]].concat());
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout.matches(": identical (execution").count(), 2);
    let made = home.path().join("made/here/steps/2/tree/out/b.txt");
    assert_eq!(fs::read_to_string(made).unwrap(), "raw12");
    assert_eq!(project.plan("out/b.txt")["level"], "REPRODUCED");
}
