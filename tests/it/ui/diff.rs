//! Two lineages side by side.

use serde_json::Value as Json;

use super::{links, page, put_tour, visit};
use crate::serving::get;
use crate::support::prelude::*;

on_every_database! {
    two_runs_differ_in_what_they_used_and_did,
    differences_are_files,
    a_lineage_does_not_differ_from_itself,
    wrong_others_are_refused,
}

/// A run of a pipeline: raw data, a policy of its own, a training with its number of epochs, a
/// model, and one step more.
struct Run {
    context: i64,
    train: i64,
}

async fn put_run(
    store: &Store,
    types: [i64; 3],
    raw: i64,
    number: i32,
    (epochs, more): (i64, &str),
) -> Run {
    let [data, step, pipeline] = types;
    let named = |name: String| Artifact::new(data, &name);
    let policy = store.put(named(format!("policy v{number}"))).await;
    let model = named(format!("model-{number}")).with_custom("accuracy", double(0.1));
    let model = store.put(model).await;
    let report = store.put(named(format!("{more}-{number}-report"))).await;
    let train = Execution::new(step, &format!("train {number}"));
    let train = train
        .with_custom("param.epochs", int(epochs))
        .with_custom("param.lr", double(0.1));
    let train = store
        .put(train.with_custom("metric.loss", double(0.5 / f64::from(number))))
        .await;
    let extra = store
        .put(Execution::new(step, &format!("{more} {number}")))
        .await;
    let (input, output) = (pb::event::Type::Input, pb::event::Type::Output);
    let events = vec![
        event(raw, train, input),
        event(policy, train, input),
        event(model, train, output),
        event(model, extra, input),
        event(report, extra, output),
    ];
    store.ask(put_events(events)).await;
    let context = store
        .put(Context::new(pipeline, &format!("run {number}")))
        .await;
    let members = [(train, context), (extra, context)];
    store
        .ask(put_members(
            &[(model, context), (report, context)],
            &members,
        ))
        .await;
    Run { context, train }
}

/// The rows of the list of differences, each as its mark and its text.
fn differences(page: &str) -> Vec<(String, String)> {
    let table = page.split("<table class=\"diff\">").nth(1).unwrap();
    let rows = table
        .split("</table>")
        .next()
        .unwrap()
        .split("<tr class=\"")
        .skip(1);
    let texts = rows.map(|row| {
        let mark = row.split('"').next().unwrap().to_owned();
        let texts = row
            .split("<bdi>")
            .skip(1)
            .filter_map(|text| text.split('<').next());
        (mark, texts.collect::<Vec<_>>().join(": "))
    });
    texts.collect()
}

/// Two runs that begin with the same data: the second one has other epochs, and a step with this
/// name in place of `evaluate`.
async fn put_two_runs(store: &Store, step: &str) -> [Run; 2] {
    let types = [
        store.put_type::<Artifact>("Data", &[]).await,
        store.put_type::<Execution>("Step", &[]).await,
        store.put_type::<Context>("Pipeline", &[]).await,
    ];
    let raw = store.put(Artifact::new(types[0], "raw")).await;
    [
        put_run(store, types, raw, 1, (10, "evaluate")).await,
        put_run(store, types, raw, 2, (12, step)).await,
    ]
}

async fn two_runs_differ_in_what_they_used_and_did(store: Store) {
    let [old, new] = put_two_runs(&store, "audit").await;
    let path = format!("/lineage/contexts/{}?against={}", new.context, old.context);
    let shown = page(&store, &path).await;
    let of = |mark: &str, text: &str| (mark.to_owned(), text.to_owned());
    assert_eq!(
        differences(&shown),
        [
            of("changed", "policy v2: policy v1 → policy v2"),
            of("changed", "train 2: epochs 10 → 12"),
            of("added", "audit-2-report: new"),
            of("added", "audit 2: new step"),
            of("gone", "evaluate-1-report: not there"),
            of("gone", "evaluate 1: no such step"),
        ],
        "{shown}"
    );
    assert!(shown.contains("<h2>6 differences</h2>"), "{shown}");
    assert!(shown.contains("<bdi>10</bdi> → <bdi>12</bdi>"), "{shown}");
    assert!(
        shown.contains("<bdi>0.5</bdi> → <bdi>0.25</bdi>"),
        "{shown}"
    );
    assert!(!shown.contains("<bdi>lr</bdi>"), "it is the same: {shown}");
    for (class, count) in [("changed", 2), ("added", 2), ("gone", 2), ("same", 2)] {
        let figures = shown.matches(&format!(" diff-{class}\"")).count();
        assert_eq!(figures, count, "{class}: {shown}");
    }
    // The same from the steps themselves, which reach back only.
    let path = format!(
        "/lineage/executions/{}?against=executions/{}",
        new.train, old.train
    );
    assert_eq!(differences(&page(&store, &path).await).len(), 2);
}

async fn differences_are_files(store: Store) {
    let [old, new] = put_two_runs(&store, "=audit\"").await;
    let path = format!("/lineage/contexts/{}?against={}", new.context, old.context);
    let shown = page(&store, &path).await;
    let files = links(&shown).into_iter();
    let [json, table] = files
        .filter(|link| link.contains(".json?") || link.contains(".csv?"))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();

    let answer = get(store.port(), &json).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let found: Json = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(found["new"]["id"], new.context, "{found}");
    assert_eq!(found["old"]["label"], "run 1", "{found}");
    let listed = found["differences"].as_array().unwrap();
    let marks: Vec<&str> = listed.iter().filter_map(|it| it["mark"].as_str()).collect();
    assert_eq!(
        marks,
        ["changed", "changed", "added", "added", "gone", "gone"]
    );
    let train = listed.iter().find(|it| it["id"] == new.train).unwrap();
    assert_eq!(train["old"]["id"], old.train, "{train}");
    let values = serde_json::json!([
        {"name": "epochs", "old": "10", "new": "12"},
        {"name": "loss", "old": "0.5", "new": "0.25"},
    ]);
    assert_eq!(train["values"], values, "{train}");

    let answer = get(store.port(), &table).await;
    let table = answer.text();
    let head = "mark,kind,id,old_id,name,type,property,old,new\r\n";
    assert!(table.starts_with(head), "{table}");
    assert_eq!(table.lines().count(), 9, "{table}");
    let values = format!(
        "changed,execution,{},{},\"train 2\",\"Step\",\"epochs\",\"10\",\"12\"\r\n",
        new.train, old.train
    );
    assert!(table.contains(&values), "{table}");
    assert!(table.contains("\"'=audit\"\" 2\""), "{table}");

    // The picture of both is no file.
    for ending in ["svg", "dot"] {
        let path = format!(
            "/lineage/contexts/{}.{ending}?against={}",
            new.context, old.context
        );
        assert_eq!(get(store.port(), &path).await.status, 400, "{ending}");
    }
}

async fn a_lineage_does_not_differ_from_itself(store: Store) {
    let model = put_tour(&store).await;
    for query in ["", "&direction=both", "&direction=impact&hops=1"] {
        let path = format!("/lineage/artifacts/{model}?against={model}{query}");
        let shown = page(&store, &path).await;
        assert!(shown.contains("<h2>0 differences</h2>"), "{query}: {shown}");
    }
}

async fn wrong_others_are_refused(store: Store) {
    let model = put_tour(&store).await;
    for (against, status) in [
        ("x", 400),
        ("things/1", 400),
        ("artifacts/", 400),
        ("artifacts/99999", 404),
    ] {
        let path = format!("/lineage/artifacts/{model}?against={against}");
        assert_eq!(visit(store.port(), &path).await.status, status, "{against}");
    }
}
