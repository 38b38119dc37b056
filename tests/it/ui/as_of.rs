//! The page of a lineage as it was at a time.

use std::time::Duration;

use serde_json::Value as Json;

use super::{links, page, visit};
use crate::serving::get;
use crate::sql::run_sql;
use crate::support::prelude::*;

on_every_database! {
    a_lineage_as_of_a_time_is_that_of_then,
    a_context_has_the_members_of_then,
    the_strip_leads_from_day_to_day,
}

const DAY: Duration = Duration::from_hours(24);

/// A time as the pages write it in addresses.
fn address(time: i64) -> String {
    let time = std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(time).unwrap());
    let text = humantime::format_rfc3339_millis(time).to_string();
    text.replace(':', "%3A")
}

/// Features from which a model is made a day later, by a run that fails in the end; a day after
/// that, the model is used once more. With the times between.
struct Tale {
    features: i64,
    model: i64,
    train: i64,
    times: [i64; 3],
}

async fn put_tale(store: &Store) -> Tale {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let put = store.put_named::<Artifact>(artifact_type, &["features"]);
    let features = put.await[0];
    let before = store.now();
    store.wait(DAY);
    let train = Execution {
        last_known_state: Some(pb::execution::State::Running.into()),
        ..Execution::new(execution_type, "train")
    };
    let train = store.put(train).await;
    let model = store.put_named::<Artifact>(artifact_type, &["model"]).await[0];
    let events = vec![
        event(features, train, pb::event::Type::Input),
        event(model, train, pb::event::Type::Output),
    ];
    store.ask(put_events(events)).await;
    let running = store.now();
    store.wait(DAY);
    let failed = Execution {
        last_known_state: Some(pb::execution::State::Failed.into()),
        ..store.get::<Execution>(train).await
    };
    store.put(failed).await;
    let late_run = store
        .put_named::<Execution>(execution_type, &["score"])
        .await[0];
    let events = vec![event(model, late_run, pb::event::Type::Input)];
    store.ask(put_events(events)).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let context = store.put_named::<Context>(context_type, &["all"]).await[0];
    let members = [train, late_run].map(|id| (id, context));
    store
        .ask(put_members(&[(features, context)], &members))
        .await;
    let failed = store.now();
    store.wait(DAY);
    Tale {
        features,
        model,
        train,
        times: [before, running, failed],
    }
}

/// The addresses of the columns of the strip.
fn strip_links(shown: &str) -> Vec<String> {
    let strip = shown.split("<svg class=\"strip\"").nth(1).unwrap();
    links(strip.split("</svg>").next().unwrap())
}

async fn a_lineage_as_of_a_time_is_that_of_then(store: Store) {
    let tale = put_tale(&store).await;
    let base = format!("/lineage/artifacts/{}", tale.features);
    let [before, running, failed] = tale.times;
    let now = page(&store, &format!("{base}?selected=e{}", tale.train)).await;
    assert!(now.contains("Failed") && !now.contains("As of 20"), "{now}");
    // Before the training, its model is absent from the impact of its features.
    let at = address(before);
    let shown = page(&store, &format!("{base}?direction=impact&at={at}")).await;
    assert!(!shown.contains("data-key=\"a2\""), "{shown}");
    assert!(shown.contains("Nothing is linked to it"), "{shown}");
    assert!(
        shown.contains("<b>As of 20") && !shown.contains("data-stream"),
        "{shown}"
    );
    let back = links(&shown)
        .into_iter()
        .find(|it| *it == format!("{base}?direction=impact#focus"));
    assert!(back.is_some(), "no way back to now: {shown}");
    // In milliseconds it is the same page.
    let again = page(&store, &format!("{base}?direction=impact&at={before}")).await;
    assert_eq!(again, shown);
    // An empty time is now, as a form sends it.
    let empty = page(&store, &format!("{base}?direction=impact&at=")).await;
    assert!(
        empty.contains("data-key=\"a2\"") && !empty.contains("As of 20"),
        "{empty}"
    );
    // The run has the state of then, also in the panel, which leads on at the same time.
    let at = address(running);
    let asked = format!("{base}?selected=e{}&at={at}", tale.train);
    let shown = page(&store, &asked).await;
    assert!(
        shown.contains("Running") && !shown.contains("Failed"),
        "{shown}"
    );
    assert!(!shown.contains("states are today's"), "{shown}");
    let in_strip = strip_links(&shown);
    let mut others = links(&shown);
    others.retain(|link| link.starts_with("/lineage/") && !in_strip.contains(link));
    others.retain(|link| !link.contains(&format!("at={at}")));
    let now_and_form = [
        format!("{base}?selected=e{}#focus", tale.train),
        base.clone(),
    ];
    assert_eq!(others, now_and_form, "{shown}");
    let panel = page(&store, &asked.replace('?', "/panel?")).await;
    assert!(panel.contains("Running"), "{panel}");
    // Files are of then as well.
    for (ending, part) in [("svg", "as of 20"), ("csv", "Running"), ("dot", "train")] {
        let file = get(store.port(), &asked.replace('?', &format!(".{ending}?")))
            .await
            .text();
        assert!(file.contains(part) && !file.contains("score"), "{file}");
    }
    let file = get(store.port(), &asked.replace('?', ".json?"))
        .await
        .text();
    let file: Json = serde_json::from_str(&file).unwrap();
    assert_eq!(file["nodes"].as_array().unwrap().len(), 3, "{file}");
    assert_eq!(file["asOf"], at.replace("%3A", ":"), "{file}");
    assert_eq!(file["presentStates"], Json::Array(Vec::new()), "{file}");
    let list = page(&store, &format!("{base}?view=list&at={}", address(failed))).await;
    assert!(list.contains("Failed") && list.contains("score"), "{list}");
    // A node that is younger has no lineage.
    let younger = format!("/lineage/artifacts/{}?at={}", tale.model, address(before));
    let answer = visit(store.port(), &younger).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert!(
        answer.text().contains("was created after"),
        "{}",
        answer.text()
    );
    // Without the history, the page says so.
    run_sql(store.url(), "DELETE FROM PedigreeChange").await;
    let shown = page(&store, &asked).await;
    let words = "The history lacks the earlier states of 1 node: today&#39;s are shown.";
    assert!(shown.contains(words) && shown.contains("Failed"), "{shown}");
}

async fn a_context_has_the_members_of_then(store: Store) {
    let tale = put_tale(&store).await;
    let context = store.find::<Context>("name = 'all'").await[0];
    let path = format!("/lineage/contexts/{context}");
    let [_, running, failed] = tale.times;
    let shown = page(&store, &format!("{path}?at={failed}")).await;
    assert!(
        shown.contains("score") && shown.contains("train"),
        "{shown}"
    );
    let answer = visit(store.port(), &format!("{path}?at={running}")).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
}

async fn the_strip_leads_from_day_to_day(store: Store) {
    let tale = put_tale(&store).await;
    let base = format!("/lineage/artifacts/{}", tale.features);
    let now = page(&store, &base).await;
    assert!(now.contains("2 executions, 1 failed"), "{now}");
    let found = strip_links(&now);
    assert_eq!(found.len(), 2, "{now}");
    assert!(now.contains(": 1 execution, 1 failed\""), "{now}");
    // The end of the day of the training: the run is there, and the use of its model is not yet.
    let shown = page(&store, found[0].split('#').next().unwrap()).await;
    assert!(
        shown.contains("train") && !shown.contains("score"),
        "{shown}"
    );
    // From there the strip leads on to later days, and says where it is.
    assert_eq!(strip_links(&shown).len(), 2, "{shown}");
    assert_eq!(
        shown.matches(" aria-current=\"true\"><title>").count(),
        1,
        "{shown}"
    );
    let shown = page(&store, found[1].split('#').next().unwrap()).await;
    assert!(
        shown.contains("train") && shown.contains("score"),
        "{shown}"
    );
}
