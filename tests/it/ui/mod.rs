//! The web pages, as browsers ask for them.

mod activity;
mod as_of;
mod browser;
mod compare;
mod diff;
mod hostile;
mod lineage;
mod looks;
mod pages;
mod rights;
mod serving;
mod tracked;

use crate::serving::{Http, http};
use crate::support::Store;
use crate::support::prelude::*;

/// The answer to a browser's request for a page.
pub async fn visit(port: u16, path: &str) -> Http {
    let head = format!("GET {path} HTTP/1.1\r\nAccept: text/html,application/xhtml+xml;q=0.9");
    http(port, &head, b"").await
}

/// The text of a page, which must be answered with 200.
pub async fn page(store: &Store, path: &str) -> String {
    let answer = visit(store.port(), path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("text/html; charset=utf-8"), "{path}");
    answer.text()
}

/// The addresses in a text: those of links, forms and assets.
pub fn links(text: &str) -> Vec<String> {
    let ends = [" href=\"", " action=\"", " src=\""];
    let found = ends.iter().flat_map(|end| text.split(end).skip(1));
    let found = found.filter_map(|rest| rest.split('"').next());
    found
        .map(|link| link.replace("&amp;", "&").replace("&#38;", "&"))
        .collect()
}

/// Two raw datasets, a training whose model is evaluated once and used by a step that ran twelve
/// times, the last time without success; all in one context. Returns the id of the model.
pub async fn put_tour(store: &Store) -> i64 {
    let dataset = store
        .put_type::<Artifact>("Dataset", &[("rows", PropertyType::Int)])
        .await;
    let model = store
        .put_type::<Artifact>("Model", &[("accuracy", PropertyType::Double)])
        .await;
    let trainer = store.put_type::<Execution>("Trainer", &[]).await;
    let scorer = store
        .put_type::<Execution>("BatchScore", &[("day", PropertyType::Int)])
        .await;
    let pipeline = store.put_type::<Context>("Pipeline", &[]).await;
    let raw = store
        .put_named::<Artifact>(dataset, &["events", "labels"])
        .await;
    let stored = Artifact {
        uri: Some("s3://models/churn/218".to_owned()),
        state: Some(pb::artifact::State::Live.into()),
        ..Artifact::new(model, "churn-classifier-218")
    };
    let digest = text("sha256:9f86d081");
    let stored = stored
        .with("accuracy", double(0.9134))
        .with_custom("digest", digest);
    let model = store.put(stored).await;
    let train = Execution {
        last_known_state: Some(pb::execution::State::Complete.into()),
        ..Execution::new(trainer, "train")
    };
    let train = store
        .put(
            train
                .with_custom("started_at", int(0))
                .with_custom("ended_at", int(400_000)),
        )
        .await;
    let evaluate = store.put_named::<Execution>(trainer, &["evaluate"]).await[0];
    let report = store.put_named::<Artifact>(dataset, &["report"]).await[0];
    let runs = (1..=12).map(|day| Execution {
        last_known_state: Some(if day == 12 {
            pb::execution::State::Failed.into()
        } else {
            pb::execution::State::Complete.into()
        }),
        ..Execution::new(scorer, &format!("score-nightly {day}")).with("day", int(day))
    });
    let runs = store.ask(Execution::put(runs.collect())).await;
    let names: Vec<String> = (1..=12).map(|day| format!("scores-{day}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tables = store.put_named::<Artifact>(dataset, &names).await;
    let input = pb::event::Type::Input;
    let output = pb::event::Type::Output;
    let mut events = vec![
        event(raw[0], train, input),
        event(raw[1], train, input),
        event(model, train, output),
        event(model, evaluate, input),
        event(report, evaluate, output),
    ];
    for (run, scored) in runs.iter().zip(&tables) {
        events.push(event(model, *run, input));
        events.push(event(*scored, *run, output));
    }
    store.ask(put_events(events)).await;
    let context = store.put_named::<Context>(pipeline, &["churn"]).await[0];
    let members: Vec<(i64, i64)> = runs.iter().map(|run| (*run, context)).collect();
    store.ask(put_members(&[(model, context)], &members)).await;
    model
}
