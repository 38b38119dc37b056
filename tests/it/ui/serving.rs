//! Headers, assets, the prefix, and pages that are off.

use std::collections::BTreeSet;

use super::{links, put_tour, visit};
use crate::serving::{get, http};
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    every_link_works_below_a_prefix,
}
once! {
    pages_have_strict_headers,
    nothing_in_a_page_is_inline,
    assets_are_kept_for_ever,
    pages_can_be_off,
    other_doors_answer_as_before,
}

async fn store() -> Store {
    let store = Store::open(Backend::SqliteFile).await;
    put_tour(&store).await;
    store
}

async fn pages_have_strict_headers() {
    let store = store().await;
    for path in [
        "/",
        "/artifacts",
        "/artifacts/1",
        "/artifacts/999",
        "/nothing",
        "/artifacts/x",
    ] {
        let answer = visit(store.port(), path).await;
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "private, no-cache"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
}

async fn nothing_in_a_page_is_inline() {
    let store = store().await;
    for path in [
        "/",
        "/artifacts/3",
        "/lineage/artifacts/3",
        "/lineage/artifacts/3?view=list",
    ] {
        let text = visit(store.port(), path).await.text();
        for inline in [" style=", "<style", "<script>", " onclick="] {
            assert!(!text.contains(inline), "{path}: {inline}: {text}");
        }
    }
}

async fn assets_are_kept_for_ever() {
    let store = store().await;
    let home = visit(store.port(), "/").await.text();
    let assets: Vec<String> = links(&home)
        .into_iter()
        .filter(|link| link.starts_with("/assets/"))
        .collect();
    assert_eq!(assets.len(), 3, "{assets:?}");
    for path in assets {
        let answer = get(store.port(), &path).await;
        assert_eq!(answer.status, 200, "{path}");
        let kept = answer.header("cache-control").unwrap();
        assert!(kept.contains("immutable"), "{path}: {kept}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert!(!answer.body.is_empty(), "{path}");
    }
}

/// Follows every link from the home page, each path once with each of its names in the query.
async fn every_link_works_below_a_prefix(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        "/a/b".clone_into(&mut config.serving.ui.as_mut().unwrap().prefix);
    })
    .await;
    put_tour(&store).await;
    let mut pending = vec!["/a/b/".to_owned()];
    let mut seen = BTreeSet::new();
    let mut visited = 0;
    while let Some(path) = pending.pop() {
        let answer = visit(store.port(), &path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        visited += 1;
        // A proxy may take the prefix away.
        let stripped = path.strip_prefix("/a/b").unwrap();
        if visited < 20 {
            assert_eq!(
                visit(store.port(), stripped).await.status,
                200,
                "{stripped}"
            );
        }
        if !answer
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
        {
            continue;
        }
        for link in links(&answer.text()) {
            let link = link.split('#').next().unwrap();
            if link.is_empty() {
                continue;
            }
            assert!(link.starts_with("/a/b/"), "{path}: {link}");
            let (path, query) = link.split_once('?').unwrap_or((link, ""));
            let names = query
                .split('&')
                .map(|pair| pair.split('=').next().unwrap_or_default());
            let names: BTreeSet<&str> = names.collect();
            if seen.len() < 150 && seen.insert(format!("{path} {names:?}")) {
                pending.push(link.to_owned());
            }
        }
    }
    assert!(visited > 60, "visited only {visited} pages");
    assert_eq!(visit(store.port(), "/a/bc").await.status, 404);
}

async fn pages_can_be_off() {
    let store = Store::open_with(Backend::SqliteFile, |config| config.serving.ui = None).await;
    for path in [
        "/",
        "/artifacts",
        "/lineage/artifacts/1",
        "/assets/app.css",
        "/search",
    ] {
        let answer = visit(store.port(), path).await;
        assert_eq!(answer.status, 404, "{path}");
        let content_type = answer.header("content-type");
        assert_eq!(content_type, Some("application/problem+json"), "{path}");
    }
    let version = get(store.port(), "/api/pedigree/v1/version").await;
    assert_eq!(version.status, 200);
}

async fn other_doors_answer_as_before() {
    let store = store().await;
    let unknown = get(store.port(), "/no/such/path").await;
    assert_eq!(
        unknown.header("content-type"),
        Some("application/problem+json")
    );
    let posted = http(store.port(), "POST / HTTP/1.1", b"").await;
    assert_eq!(posted.status, 405);
    assert_eq!(get(store.port(), "/api/v1/namespaces").await.status, 200);
    assert_eq!(get(store.port(), "/health").await.status, 200);
}
