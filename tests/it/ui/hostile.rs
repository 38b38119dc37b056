//! Names and values that are markup, marks of direction, formulas, or long.

use super::{links, page, visit};
use crate::serving::get;
use crate::support::prelude::*;

on_every_database! {
    hostile_texts_are_shown_as_texts,
    long_texts_do_not_break_pages,
    addresses_that_run_scripts_are_no_links,
}

const HOSTILE: &str =
    "=<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>\u{202e}x";

/// What must not be in an answer.
const MARKUP: [&str; 4] = ["<img", "<script>", "\u{202e}", "x onerror=alert(1)>"];

/// An artifact, an execution and a context with hostile texts wherever a text can be.
async fn put_hostile(store: &Store) -> [i64; 3] {
    let artifact_type = store.put_type::<Artifact>(HOSTILE, &[(HOSTILE, PropertyType::String)]);
    let artifact_type = artifact_type.await;
    let execution_type = store.put_type::<Execution>(HOSTILE, &[]).await;
    let context_type = store.put_type::<Context>(HOSTILE, &[]).await;
    let artifact = Artifact {
        uri: Some(HOSTILE.to_owned()),
        ..Artifact::new(artifact_type, HOSTILE)
    };
    let artifact = artifact
        .with_external_id(HOSTILE)
        .with(HOSTILE, text(HOSTILE));
    let artifact = store
        .put(artifact.with_custom(HOSTILE, text(HOSTILE)))
        .await;
    let execution = Execution::new(execution_type, HOSTILE).with_custom(HOSTILE, text(HOSTILE));
    let execution = store.put(execution).await;
    let context = store.put(Context::new(context_type, HOSTILE)).await;
    let key = pb::event::path::step::Value::Key(HOSTILE.to_owned());
    let step = pb::event::path::Step { value: Some(key) };
    let output = pb::Event {
        path: Some(pb::event::Path { steps: vec![step] }),
        ..event(artifact, execution, pb::event::Type::Output)
    };
    store.ask(put_events(vec![output])).await;
    store
        .ask(put_members(&[(artifact, context)], &[(execution, context)]))
        .await;
    [artifact, execution, context]
}

async fn hostile_texts_are_shown_as_texts(store: Store) {
    let [artifact, execution, context] = put_hostile(&store).await;
    let asked = percent_encoding::utf8_percent_encode(HOSTILE, percent_encoding::NON_ALPHANUMERIC);
    for path in [
        "/".to_owned(),
        "/artifacts".to_owned(),
        "/types".to_owned(),
        format!("/types/artifact/{asked}"),
        format!("/search?q={asked}"),
        format!("/artifacts?type={asked}"),
        format!("/artifacts/{artifact}"),
        format!("/executions/{execution}"),
        format!("/contexts/{context}"),
        format!("/compare?artifacts={artifact}"),
        format!("/compare?executions={execution}"),
        format!("/lineage/artifacts/{artifact}"),
        format!("/lineage/artifacts/{artifact}?highlight={asked}"),
        format!("/lineage/executions/{execution}?view=list"),
        format!("/lineage/executions/{execution}?against=artifacts/{artifact}"),
        format!("/lineage/contexts/{context}?against={context}"),
        format!("/lineage/contexts/{context}"),
    ] {
        let shown = page(&store, &path).await;
        for markup in MARKUP {
            assert!(!shown.contains(markup), "{path}: {markup}: {shown}");
        }
        assert!(shown.contains("alert(1)"), "{path}: {shown}");
    }
    let refused = visit(store.port(), &format!("/artifacts?filter={asked}")).await;
    assert_eq!(refused.status, 400);
    let drawing = get(store.port(), &format!("/lineage/artifacts/{artifact}.svg")).await;
    for text in [refused.text(), drawing.text()] {
        for markup in ["<img", "<script>", "\u{202e}"] {
            assert!(!text.contains(markup), "{markup}: {text}");
        }
    }
    let table = get(store.port(), &format!("/lineage/artifacts/{artifact}.csv")).await;
    assert!(table.text().contains(",\"'=<img"), "{}", table.text());
    let json = get(store.port(), &format!("/lineage/artifacts/{artifact}.json")).await;
    serde_json::from_slice::<serde_json::Value>(&json.body).unwrap();
}

async fn long_texts_do_not_break_pages(store: Store) {
    let type_id = store.put_type::<Artifact>("Data", &[]).await;
    let long = "é\u{1f600}x".repeat(3000);
    let mut node = Artifact {
        uri: Some(long.clone()),
        ..Artifact::default().with_type(type_id)
    };
    for number in 0..500 {
        node = node.with_custom(&format!("p{number}"), int(number));
    }
    let id = store
        .put(node.with_custom("text", text("y".repeat(1 << 20))))
        .await;
    let shown = page(&store, &format!("/artifacts/{id}")).await;
    assert!(shown.len() < 1 << 20, "{} bytes", shown.len());
    assert!(shown.contains("1048576 letters in all"), "a value is cut");
    for path in ["/artifacts".to_owned(), format!("/lineage/artifacts/{id}")] {
        let shown = page(&store, &path).await;
        assert!(shown.len() < 64 << 10, "{path}: {} bytes", shown.len());
    }
    let query = format!("/artifacts?filter={}", "x".repeat(9000));
    assert_eq!(visit(store.port(), &query).await.status, 400);
}

async fn addresses_that_run_scripts_are_no_links(store: Store) {
    let type_id = store.put_type::<Artifact>("Data", &[]).await;
    let node = Artifact {
        uri: Some("javascript:alert(1)".to_owned()),
        ..Artifact::new(type_id, "data:text/html,x")
    };
    let node = node.with_custom("page", text("https://example.com/run?a=1&b=\"2\""));
    let id = store
        .put(node.with_custom("bad", text("data:text/html,<script>")))
        .await;
    let shown = page(&store, &format!("/artifacts/{id}")).await;
    let found = links(&shown);
    let is_script = |link: &&String| link.starts_with("javascript:") || link.starts_with("data:");
    assert_eq!(found.iter().find(is_script), None, "{shown}");
    let out = found.iter().filter(|link| link.starts_with("http")).count();
    assert_eq!(out, 1, "{found:?}");
    assert!(
        shown.contains("rel=\"noopener noreferrer nofollow\""),
        "{shown}"
    );
}
