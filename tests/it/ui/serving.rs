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
    pages_that_are_known_are_not_sent_again,
    pages_are_compressed,
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
    assert_eq!(assets.len(), 4, "{assets:?}");
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

async fn pages_that_are_known_are_not_sent_again() {
    let store = store().await;
    let port = store.port();
    let ask = |tag: String| {
        let head = format!("GET /artifacts HTTP/1.1\r\nAccept: text/html\r\nIf-None-Match: {tag}");
        async move { http(port, &head, b"").await }
    };
    let first = visit(store.port(), "/artifacts").await;
    let tag = first.header("etag").unwrap().to_owned();
    let same = ask(format!("\"other\", {tag}")).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert!(same.header("content-security-policy").is_some());
    assert_eq!(ask("\"other\"".to_owned()).await.status, 200);
    // Another page, or the same one after a change.
    let other = visit(store.port(), "/executions").await;
    assert_ne!(other.header("etag"), Some(tag.as_str()));
    let type_id = store.put_type::<Artifact>("New", &[]).await;
    store.put_named::<Artifact>(type_id, &["new"]).await;
    assert_eq!(ask(tag).await.status, 200);
}

async fn pages_are_compressed() {
    let store = store().await;
    let home = visit(store.port(), "/").await;
    assert_eq!(home.header("content-encoding"), None);
    let assets = links(&home.text())
        .into_iter()
        .filter(|link| link.starts_with("/assets/"));
    for path in assets.chain(["/".to_owned(), "/lineage/artifacts/3.svg".to_owned()]) {
        let plain = get(store.port(), &path).await;
        let head = format!("GET {path} HTTP/1.1\r\nAccept-Encoding: gzip");
        let packed = http(store.port(), &head, b"").await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert!(
            packed.header("vary").unwrap().contains("accept-encoding"),
            "{path}"
        );
        let mut text = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(packed.body.as_slice());
        std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
        assert_eq!(text, plain.body, "{path}");
    }
    // An error is a page, which is not compressed.
    let head = "GET /artifacts/999 HTTP/1.1\r\nAccept: text/html\r\nAccept-Encoding: gzip";
    let missing = http(store.port(), head, b"").await;
    assert_eq!(missing.header("content-encoding"), None);
    assert!(missing.text().starts_with("<!doctype html>"));
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
