//! `pedigree artifacts sweep`: what the database names stays, whatever else is old goes.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::artifacts::{ask, put, stored_files};
use crate::binary::{Ended, pedigree, run};
use crate::support::prelude::*;

on_every_database! {
    a_sweep_removes_what_nobody_needs,
}

/// Dates all files below a directory back.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let old = SystemTime::now() - Duration::from_hours(48);
            File::open(path).unwrap().set_modified(old).unwrap();
        }
    }
}

fn sweep(store: &Store, url: &str, more: &[&str]) -> Ended {
    let folder = store.artifact_folder();
    let mut command = pedigree(folder.parent().unwrap(), &["artifacts", "sweep"]);
    command.args(more);
    command.env("PEDIGREE_DATABASE_URL", url);
    command.env("PEDIGREE_ARTIFACT_STORE", &folder);
    run(command)
}

async fn a_sweep_removes_what_nobody_needs(store: Store) {
    let folder = store.artifact_folder();
    put(&store, "r/kept", b"kept").await;
    put(&store, "r/replaced", b"old").await;
    put(&store, "r/replaced", b"new").await;
    put(&store, "r/deleted", b"deleted").await;
    assert_eq!(
        ask(store.port(), "DELETE", "r/deleted", "", b"")
            .await
            .status,
        200
    );
    // What `pedigree run` stores is an artifact.
    let blobs = pedigree::blobs::BlobDirectory::new(&folder);
    let lock = blobs.put(b"lock").unwrap();
    let types = store.ask(Artifact::put_type("pedigree.Blob", &[])).await;
    let mut blob = Artifact::new(types, "lock");
    let digest = format!("sha256:{lock}");
    blob.custom_properties
        .insert("digest".to_owned(), text(digest));
    store.ask(Artifact::put(vec![blob])).await;
    fs::write(folder.join("uploads/cut"), "half").unwrap();
    let young = sweep(&store, store.url(), &[]);
    assert!(
        young.stdout.contains("0 blobs and 0 unfinished"),
        "{young:?}"
    );
    age(&folder);
    put(&store, "r/young", b"young").await;
    assert_eq!(
        ask(store.port(), "DELETE", "r/young", "", b"").await.status,
        200
    );
    let before = stored_files(&folder).len();
    let dry = sweep(&store, store.url(), &["--dry-run"]);
    let counted = "2 blobs and 1 unfinished uploads, 14 bytes";
    assert!(
        dry.stdout.contains(&format!("{counted}, would be removed")),
        "{dry:?}"
    );
    assert_eq!(stored_files(&folder).len(), before);
    let done = sweep(&store, store.url(), &[]);
    assert!(
        done.stdout.contains(&format!("{counted}, were removed")),
        "{done:?}"
    );
    assert_eq!(stored_files(&folder).len(), before - 3);
    assert!(blobs.path_of(&lock).exists());
    for (path, bytes) in [("r/kept", "kept"), ("r/replaced", "new")] {
        assert_eq!(ask(store.port(), "GET", path, "", b"").await.text(), bytes);
    }
    // Another database than that of the store names nothing.
    let wrong = sweep(&store, "sqlite::memory:", &["--older-than", "0s"]);
    assert!(
        wrong.stderr.contains("the database names no file"),
        "{wrong:?}"
    );
    assert_eq!(stored_files(&folder).len(), before - 3);
}
