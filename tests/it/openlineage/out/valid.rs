//! Events out follow the schemas of `OpenLineage`, as its released client has them.

use super::target::NotingTarget;
use super::{ALL_DOORS, TargetsFile, entry, pipeline, wait_for};
use crate::openlineage::scenarios::recorded;
use crate::openlineage::{PATH, post};
use crate::python::python;
use crate::support::Backend;

once! {
    events_follow_the_schemas,
}

async fn events_follow_the_schemas() {
    let target = NotingTarget::after(&[]).await;
    let file = TargetsFile::new(&[entry("noting", target.port, ALL_DOORS)]);
    let store = file.serve(Backend::SqliteFile).await;
    pipeline(&store).await;
    for name in [
        "spark-features",
        "dbt-test",
        "client-full",
        "airflow-queue-failure",
    ] {
        for event in recorded(name) {
            let answer = post(store.port(), PATH, event.as_bytes()).await;
            assert_eq!(answer.status, 201, "{answer:?} {event}");
        }
    }
    let last = "airflow";
    wait_for("the last scenario", async || {
        let taken = target.taken();
        let is_there = taken.iter().any(|event| event.to_string().contains(last));
        is_there.then_some(())
    })
    .await;
    let lines: Vec<String> = target.taken().iter().map(ToString::to_string).collect();
    let events = file.folder().join("events.jsonl");
    std::fs::write(&events, lines.join("\n")).unwrap();
    let events = events.to_str().unwrap().to_owned();
    let check = move || python("openlineage_events.py", &[&events]);
    let checked = tokio::task::spawn_blocking(check).await.unwrap();
    let text = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(text.trim(), format!("{} events are valid", lines.len()));
}
