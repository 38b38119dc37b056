//! Nodes side by side, and curves of metrics.

use serde_json::{Value as Json, json};

use super::{links, page, put_tour, visit};
use crate::mlflow;
use crate::support::prelude::*;

on_every_database! {
    what_differs_is_shown_first,
    inputs_are_in_one_line,
    artifacts_are_compared_by_what_made_them,
    metrics_have_curves,
    many_nodes_are_compared_by_few_statements,
    wrong_comparisons_are_refused,
}

/// An execution with two parameters, one of which is its own.
async fn put_run(store: &Store, type_id: i64, name: &str, rate: &str) -> i64 {
    let run = Execution::new(type_id, name)
        .with_custom("param.rate", text(rate))
        .with_custom("param.epochs", int(12))
        .with_custom("code.commit", text("8be0d17"));
    store.put(run).await
}

/// The row of a table whose name is this text.
fn row<'t>(page: &'t str, name: &str) -> &'t str {
    let begin = format!("<bdi>{name}</bdi></th>");
    let linked = format!("<bdi>{name}</bdi></a></th>");
    let rest = page
        .split(&begin)
        .nth(1)
        .or_else(|| page.split(&linked).nth(1));
    let rest = rest.unwrap_or_else(|| panic!("no row {name}: {page}"));
    rest.split("</tr>").next().unwrap()
}

async fn what_differs_is_shown_first(store: Store) {
    let type_id = store.put_type::<Execution>("Trainer", &[]).await;
    let one = put_run(&store, type_id, "one", "0.1").await;
    let two = put_run(&store, type_id, "two", "0.2").await;
    let three = put_run(&store, type_id, "three", "0.2").await;
    let path = format!("/compare?executions={one},{two}&executions=%23{three}");
    let shown = page(&store, &path).await;
    let rate = row(&shown, "rate");
    assert_eq!(rate.matches("class=\"differs\"").count(), 1, "{rate}");
    assert!(rate.contains("0.1") && rate.contains("0.2"), "{rate}");
    assert!(!shown.contains("<bdi>epochs</bdi>"), "{shown}");
    assert!(shown.contains("1 other row the same everywhere"), "{shown}");
    let all = page(&store, &format!("{path}&show=all")).await;
    assert!(row(&all, "epochs").contains("12"), "{all}");
    assert!(row(&all, "code.commit").contains("8be0d17"), "{all}");
    // Each column has a comparison without it.
    let without = format!("/compare?executions={two}%2C{three}");
    assert!(links(&shown).contains(&without), "{without}: {shown}");
    let alone = page(&store, &format!("/compare?executions={one}")).await;
    let with = format!("/compare?executions={one}%2C{three}");
    assert!(links(&alone).contains(&with), "others of the type: {alone}");
    assert!(row(&alone, "epochs").contains("12"), "{alone}");
    // Lists and nodes lead here.
    let list = page(&store, "/executions").await;
    let box_of = format!("name=\"executions\" value=\"{one}\"");
    assert!(
        list.contains(&box_of) && list.contains("action=\"/compare\""),
        "{list}"
    );
    let node = page(&store, &format!("/executions/{one}")).await;
    assert!(
        links(&node).contains(&format!("/compare?executions={one}")),
        "{node}"
    );
}

async fn inputs_are_in_one_line(store: Store) {
    let data = store.put_type::<Artifact>("Data", &[]).await;
    let trainer = store.put_type::<Execution>("Trainer", &[]).await;
    let [shared, old, new] = store
        .put_named::<Artifact>(data, &["shared", "old", "new"])
        .await[..]
    else {
        panic!("three are put");
    };
    let runs = store.put_named::<Execution>(trainer, &["one", "two"]).await;
    let input = pb::event::Type::Input;
    let events = vec![
        event(shared, runs[0], input),
        event(shared, runs[1], input),
        event(old, runs[0], input),
        event(new, runs[1], input),
    ];
    store.ask(put_events(events)).await;
    let path = format!("/compare?executions={},{}", runs[0], runs[1]);
    let shown = page(&store, &path).await;
    assert!(
        !shown.contains("<bdi>shared</bdi>"),
        "both have it: {shown}"
    );
    let old_row = row(&shown, "old");
    assert!(
        old_row.contains("used") && old_row.contains("–"),
        "{old_row}"
    );
    assert!(
        links(&shown).contains(&format!("/artifacts/{new}")),
        "{shown}"
    );
    let all = page(&store, &format!("{path}&show=all")).await;
    assert_eq!(row(&all, "shared").matches("used").count(), 2, "{all}");
}

async fn artifacts_are_compared_by_what_made_them(store: Store) {
    let model = put_tour(&store).await;
    let report = store.find::<Artifact>("name = 'report'").await[0];
    let shown = page(&store, &format!("/compare?artifacts={model},{report}")).await;
    assert!(row(&shown, "train").contains("made"), "{shown}");
    assert!(row(&shown, "evaluate").contains("made"), "{shown}");
    assert!(row(&shown, "accuracy").contains("0.9134"), "{shown}");
    assert!(
        row(&shown, "URI").contains("s3://models/churn/218"),
        "{shown}"
    );
}

/// Logs points of a metric.
async fn log(store: &Store, run: &str, points: impl Iterator<Item = (i64, f64)>) {
    let point = |(step, value): (i64, f64)| {
        let time = 1_700_000_000_000 + step * 1000;
        let value = if value.is_nan() {
            json!("NaN")
        } else {
            json!(value)
        };
        json!({"key": "loss", "value": value, "timestamp": time, "step": step})
    };
    let points: Vec<Json> = points.map(point).collect();
    for part in points.chunks(1000) {
        let body = json!({"run_id": run, "metrics": part});
        mlflow::tell(store, "/runs/log-batch", body).await;
    }
}

async fn metrics_have_curves(store: Store) {
    let experiment = mlflow::experiment(&store, "churn").await;
    let one = mlflow::run(&store, &experiment, "one", 1).await;
    let two = mlflow::run(&store, &experiment, "two", 2).await;
    // A peak in the middle of 3,000 points is not thinned away.
    let loss = |step: i32| {
        if step == 1500 {
            9.0
        } else {
            1.0 / f64::from(step + 1)
        }
    };
    log(
        &store,
        &one,
        (0..3000).map(|step| (i64::from(step), loss(step))),
    )
    .await;
    log(
        &store,
        &two,
        [(-5, 0.5), (0, f64::NAN), (5, 0.25)].into_iter(),
    )
    .await;
    let mut ids = Vec::new();
    for run in [&one, &two] {
        ids.push(store.find::<Execution>(&format!("name = '{run}'")).await[0]);
    }
    let path = format!("/compare?executions={},{}", ids[0], ids[1]);
    let shown = page(&store, &path).await;
    let loss = row(&shown, "loss");
    for part in ["max 9, 3,000 points", "min 0.25, max 0.5, 3 points"] {
        assert!(loss.contains(part), "{part}: {loss}");
    }
    assert_eq!(
        shown.matches("<g class=\"curve c0 k0\"><title>").count(),
        1,
        "{shown}"
    );
    assert_eq!(
        shown.matches("<g class=\"curve c1 k0\"><title>").count(),
        1,
        "{shown}"
    );
    let curve = shown.split("class=\"curve c0 k0\"><title>").nth(1).unwrap();
    let curve = curve.split("</g>").next().unwrap();
    assert!(curve.contains(" 12.0"), "the peak is at the top: {curve}");
    assert!(
        curve.matches('L').count() < 1100,
        "3,000 points are thinned"
    );
    for query in [
        "x=time",
        "x=relative",
        "scale=log",
        "metric=loss&x=relative&scale=log",
    ] {
        let shown = page(&store, &format!("{path}&{query}")).await;
        assert!(
            shown.contains("class=\"curve c1 k0\"><title>"),
            "{query}: {shown}"
        );
        let charts = shown.split("class=\"chart\" role=\"img\"").nth(1).unwrap();
        let charts = charts.split("<ul class=\"curves\">").next().unwrap();
        assert!(
            !charts.contains("NaN") && !charts.contains("inf"),
            "{charts}"
        );
    }
    let none = page(&store, &format!("{path}&metric=none")).await;
    assert!(!none.contains("<title>loss"), "{none}");
}

async fn many_nodes_are_compared_by_few_statements(store: Store) {
    let type_id = store.put_type::<Execution>("Trainer", &[]).await;
    let run = |number: i64| {
        Execution::new(type_id, &format!("r{number}")).with_custom("param.n", int(number % 7))
    };
    let ids = store.ask(Execution::put((0..101).map(run).collect())).await;
    let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
    let shown = page(
        &store,
        &format!("/compare?executions={}", texts[..100].join(",")),
    )
    .await;
    assert_eq!(shown.matches("aria-label=\"Without ").count(), 100);
    assert!(row(&shown, "n").matches("<td").count() == 100);
    let all = format!("/compare?executions={}", texts.join(","));
    assert_eq!(visit(store.port(), &all).await.status, 400);
}

async fn wrong_comparisons_are_refused(store: Store) {
    put_tour(&store).await;
    assert!(
        page(&store, "/compare")
            .await
            .contains("Choose them in a list")
    );
    for query in [
        "executions=x",
        "x=up",
        "show=some",
        "scale=2",
        "executions=1&artifacts=1",
    ] {
        let answer = visit(store.port(), &format!("/compare?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        let field = query.split('=').next().unwrap();
        assert!(answer.text().contains(field), "{}", answer.text());
    }
    let unknown = visit(store.port(), "/compare?executions=99999").await;
    assert_eq!(unknown.status, 404);
    let some = page(&store, "/compare?executions=1,99999").await;
    assert!(some.contains("1 execution not there"), "{some}");
}
