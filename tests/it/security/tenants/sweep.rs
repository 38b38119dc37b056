//! `pedigree artifacts sweep` for the files of tenants.

use pedigree::blobs::BlobDirectory;

use super::{FILE, Tenants};
use crate::binary::{Ended, pedigree, run};
use crate::mlflow::artifacts::{ask, stored_files};
use crate::support::Backend;

on_every_database! {
    a_sweep_is_of_one_tenant_or_of_all,
}

async fn a_sweep_is_of_one_tenant_or_of_all(backend: Backend) {
    let tenants = Tenants::open(backend, &["one", "two", "unused"], "").await;
    let folder = tenants.store.artifact_folder();
    let sweep = |arguments: &[&str]| -> Ended {
        let file = tenants.folder.path().join(FILE);
        let mut command = pedigree(tenants.folder.path(), &["artifacts", "sweep"]);
        command.args(["--older-than", "0s", "--security", file.to_str().unwrap()]);
        command.args(arguments);
        command.env("PEDIGREE_DATABASE_URL", tenants.store.url());
        command.env("PEDIGREE_ARTIFACT_STORE", &folder);
        run(command)
    };
    let all = tenants.token.bearer();
    for name in ["default", "one", "two"] {
        let lines = format!("\r\nAuthorization: {all}\r\nX-MLflow-Workspace: {name}");
        for (method, path, body) in [
            ("PUT", "r/kept", "kept"),
            ("PUT", "r/deleted", "deleted"),
            ("DELETE", "r/deleted", ""),
        ] {
            let answer = ask(tenants.store.port(), method, path, &lines, body.as_bytes()).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        }
    }
    let count = || stored_files(&folder).len();
    assert_eq!(count(), 6);
    let removed = "1 blobs and 0 unfinished uploads, 7 bytes, were removed\n";
    let one = sweep(&["--tenant", "one"]);
    assert_eq!(one.stdout, format!("tenant: one\n{removed}"), "{one:?}");
    assert_eq!(count(), 5);
    let rest = sweep(&["--all-tenants"]);
    let none = "0 blobs and 0 unfinished uploads, 0 bytes, were removed\n";
    let expected = format!(
        "tenant: default\n{removed}tenant: one\n{none}tenant: two\n{removed}tenant: unused\n{none}"
    );
    assert_eq!(rest.stdout, expected, "{rest:?}");
    assert!(rest.status.success(), "{rest:?}");
    assert_eq!(count(), 3);

    // A folder with the blobs of another database, and a tenant that does not exist.
    let foreign = BlobDirectory::new(&folder.join("tenants/unused"));
    foreign.put(b"foreign").unwrap();
    let refused = sweep(&["--all-tenants"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    for text in [
        "the database names no file",
        "1 of 4 databases could not be swept",
    ] {
        assert!(refused.stderr.contains(text), "{refused:?}");
    }
    assert_eq!(count(), 4);
    let missing = sweep(&["--tenant", "four"]);
    let text = "the security file has no such tenant";
    assert!(missing.stderr.contains(text), "{missing:?}");
}
