//! Targets over TLS that want a token, and what is kept secret.

use std::fs;

use tempfile::TempDir;

use super::{TargetsFile, has_lineage, lines};
use crate::binary::{pedigree, run};
use crate::security::{MadeToken, write_file};
use crate::serving::{Authority, serve_tls};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    a_target_over_tls_gets_the_token,
}
blocking_once! {
    a_wrong_file_is_refused_at_the_start,
    targets_need_a_history,
}

async fn a_target_over_tls_gets_the_token() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    authority.write_to(folder.path());
    let token = MadeToken::new(folder.path(), "sender");
    let security = write_file(folder.path(), &[&token.entry]);
    let database = TestDatabase::new(Backend::SqliteFile);
    let security = ["--security", security.to_str().unwrap()];
    let second = serve_tls(&database, &folder, &security);
    let (ca, secret) = (folder.path().join("ca.pem"), folder.path().join("secret"));
    fs::write(&ca, &authority.pem).unwrap();
    fs::write(&secret, &token.text).unwrap();
    let entry = format!(
        "[[target]]\nname = 'second'\nurl = 'https://localhost:{}'\n\
         ca_file = '{}'\ntoken_file = '{}'\n",
        second.port,
        ca.display(),
        secret.display()
    );
    let file = TargetsFile::new(&[entry]);
    let first = file.serve(Backend::SqliteFile).await;
    let train = first.put_type::<Execution>("Train", &[]).await;
    first.put(Execution::new(train, "own")).await;
    // The server of the target checks tokens; another one on its database shows what it stored.
    let shown = Store::on(database, |_| {}).await;
    has_lineage(&shown, &lines(&["run\tpedigree/Train\tNONE\t1"])).await;
}

fn a_wrong_file_is_refused_at_the_start() {
    let file = TargetsFile::new(&["[[target]]\nname = 'A b'\nurl = 'http://h'\n".to_owned()]);
    let path = file.path();
    let arguments = ["serve", "--openlineage-targets", path.to_str().unwrap()];
    let ended = run(pedigree(file.folder(), &arguments));
    assert!(!ended.status.success());
    let expected = "targets.toml, line 1: the name of a target has lower-case letters";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}

fn targets_need_a_history() {
    let file = TargetsFile::new(&[]);
    let path = file.path();
    let path = path.to_str().unwrap();
    let arguments = [
        "serve",
        "--openlineage-targets",
        path,
        "--change-retention",
        "0",
    ];
    let ended = run(pedigree(file.folder(), &arguments));
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("needs a history"), "{ended:?}");
    let arguments = ["serve", "--openlineage-targets", path, "--print-config"];
    let printed = run(pedigree(file.folder(), &arguments));
    let line = format!("openlineage_targets = \"{path}\"");
    assert!(printed.stdout.contains(&line), "{printed:?}");
}
