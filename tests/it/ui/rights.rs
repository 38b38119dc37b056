//! Pages show what the caller may see.

use tempfile::TempDir;

use super::{put_tour, visit};
use crate::security::{MadeToken, write_policy};
use crate::serving::{Http, http};
use crate::support::prelude::*;
use crate::support::{Backend, Replica};

on_every_database! {
    a_caller_without_rights_gets_a_page_that_says_so,
}

const PATHS: [&str; 14] = [
    "/",
    "/artifacts",
    "/artifacts/1",
    "/contexts/1",
    "/types",
    "/search?q=x",
    "/compare?artifacts=1,2",
    "/experiments",
    "/models",
    "/lineage/artifacts/1",
    "/lineage/artifacts/1.csv",
    "/lineage/artifacts/1/panel",
    "/lineage/artifacts/1?path=a1.a3",
    "/activity",
];

/// A browser's request behind a proxy that adds a token.
async fn visit_as(port: u16, path: &str, bearer: &str) -> Http {
    let head = format!("GET {path} HTTP/1.1\r\nAccept: text/html\r\nAuthorization: {bearer}");
    http(port, &head, b"").await
}

async fn a_caller_without_rights_gets_a_page_that_says_so(backend: Backend) {
    let store = Store::open(backend).await;
    put_tour(&store).await;
    let folder = TempDir::new().unwrap();
    let [reader, none, types] =
        ["reader", "none", "types"].map(|name| MadeToken::new(folder.path(), name));
    let grants = "[[grant]]\nsubjects = [\"token:reader\"]\nrole = \"reader\"\n\
                  [[grant]]\nsubjects = [\"token:types\"]\nrole = \"type-admin\"\n";
    let entries = [grants, &reader.entry, &none.entry, &types.entry];
    let file = write_policy(folder.path(), &entries);
    let configure = |config: &mut pedigree::config::Config| config.serving.security = Some(file);
    let guarded = Replica::with(store.url(), configure).await;
    let port = guarded.port;
    let ask = |path, bearer: String| async move { visit_as(port, path, &bearer).await };
    for path in PATHS {
        let shown = ask(path, reader.bearer()).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text());
        for bearer in [none.bearer(), "Bearer wrong".to_owned()] {
            let refused = ask(path, bearer.clone()).await;
            let expected = if bearer == "Bearer wrong" { 401 } else { 403 };
            assert_eq!(refused.status, expected, "{path}");
            let text = refused.text();
            assert!(text.starts_with("<!doctype html>"), "{path}: {text}");
            assert!(!text.contains("churn"), "{path}: {text}");
        }
    }
    let home = ask("/", reader.bearer()).await.text();
    assert!(home.contains("token:reader"), "{home}");
    assert_eq!(ask("/types", types.bearer()).await.status, 200);
    assert_eq!(ask("/artifacts", types.bearer()).await.status, 403);
    let stream = ask("/activity/stream", none.bearer()).await;
    assert_eq!(stream.status, 403);
    // Without a security file everybody may read.
    assert_eq!(visit(store.port(), "/artifacts").await.status, 200);
}
