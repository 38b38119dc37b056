//! Experiments with their runs, registered models with their versions.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{links, page, visit};
use crate::mlflow::{self, tell};
use crate::support::prelude::*;

on_every_database! {
    nothing_is_written_by_looking,
    runs_are_listed_with_what_was_logged,
    runs_are_sorted_and_filtered,
    pages_of_runs_have_each_once,
    printed_addresses_lead_to_runs,
    models_have_versions_and_aliases,
    hostile_names_of_models_are_texts,
}

/// A run with a metric and two parameters.
async fn put_run(store: &Store, experiment: &str, start: i64, loss: f64) -> String {
    let run = mlflow::run(store, experiment, &format!("run-{start}"), start).await;
    let value = if loss.is_nan() {
        json!("NaN")
    } else {
        json!(loss)
    };
    let body = json!({
        "run_id": run,
        "metrics": [{"key": "loss", "value": value, "timestamp": 1, "step": 0}],
        "params": [{"key": "lr", "value": format!("0.{start}")}, {"key": "seed", "value": "7"}],
    });
    tell(store, "/runs/log-batch", body).await;
    run
}

/// The names of the runs of a page, in its order.
fn runs(page: &str) -> Vec<String> {
    let rows = page
        .split("<tr><th scope=\"row\"><a class=\"name\"")
        .skip(1);
    let names = rows.filter_map(|row| row.split("<bdi>").nth(1)?.split('<').next());
    names.map(str::to_owned).collect()
}

fn next(page: &str) -> Option<String> {
    let link = page
        .split("rel=\"next\" href=\"")
        .nth(1)?
        .split('"')
        .next()?;
    Some(link.replace("&#38;", "&").replace("&amp;", "&"))
}

async fn nothing_is_written_by_looking(store: Store) {
    assert!(
        page(&store, "/experiments")
            .await
            .contains("There are none")
    );
    assert!(
        page(&store, "/models")
            .await
            .contains("No model is registered")
    );
    for path in [
        "/experiments/0",
        "/experiments/0/runs/x",
        "/models/m",
        "/models/m/versions/1",
    ] {
        assert_eq!(visit(store.port(), path).await.status, 404, "{path}");
    }
    assert_eq!(store.find::<Context>("id > 0").await, Vec::<i64>::new());
}

async fn runs_are_listed_with_what_was_logged(store: Store) {
    let experiment = mlflow::experiment(&store, "churn <b>").await;
    put_run(&store, &experiment, 1, 0.5).await;
    let run = put_run(&store, &experiment, 2, 0.25).await;
    let shown = page(&store, "/experiments").await;
    let path = format!("/experiments/{experiment}");
    assert!(
        links(&shown).contains(&path) && !shown.contains("churn <b>"),
        "{shown}"
    );
    let shown = page(&store, &path).await;
    assert_eq!(runs(&shown), ["run-2", "run-1"]);
    for part in [
        "<bdi>0.25</bdi>",
        "<bdi>loss</bdi>",
        "<bdi>0.1</bdi>",
        "Running",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        shown.find("<bdi>lr</bdi>") < shown.find("<bdi>seed</bdi>"),
        "what differs first"
    );
    let execution = store.find::<Execution>(&format!("name = '{run}'")).await[0];
    assert!(
        links(&shown).contains(&format!("/executions/{execution}")),
        "{shown}"
    );
    tell(&store, "/runs/delete", json!({"run_id": run})).await;
    assert_eq!(runs(&page(&store, &path).await), ["run-1"]);
    assert_eq!(
        runs(&page(&store, &format!("{path}?view=deleted")).await),
        ["run-2"]
    );
}

async fn runs_are_sorted_and_filtered(store: Store) {
    let experiment = mlflow::experiment(&store, "churn").await;
    for (start, loss) in [(1, 0.5), (2, 0.1), (3, f64::NAN), (4, 0.3)] {
        put_run(&store, &experiment, start, loss).await;
    }
    let path = format!("/experiments/{experiment}");
    for (query, expected) in [
        ("order=oldest", &["run-1", "run-2", "run-3", "run-4"][..]),
        ("order=up%3Aloss", &["run-2", "run-4", "run-1"]),
        ("order=down%3Aloss", &["run-1", "run-4", "run-2"]),
        ("filter=metrics.loss+%3C+0.4", &["run-4", "run-2"]),
        ("filter=params.lr+%3D+%270.3%27", &["run-3"]),
    ] {
        let shown = page(&store, &format!("{path}?{query}")).await;
        assert_eq!(runs(&shown), expected, "{query}");
    }
    let refused = visit(store.port(), &format!("{path}?filter=metrics.loss+%3C")).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("value=\"metrics.loss &#60;\""),
        "{}",
        refused.text()
    );
    for query in ["order=x", "order=up%3A", "view=x", "after=x", "after=1"] {
        let answer = visit(store.port(), &format!("{path}?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

async fn pages_of_runs_have_each_once(store: Store) {
    let experiment = mlflow::experiment(&store, "churn").await;
    // Many runs start at the same time, and have the same loss.
    for number in 0..103_i32 {
        let start = i64::from(1 + number / 60);
        put_run(&store, &experiment, start, f64::from(number / 70)).await;
    }
    for order in ["newest", "oldest", "up%3Aloss", "down%3Aloss"] {
        let mut path = Some(format!("/experiments/{experiment}?order={order}"));
        let mut seen = Vec::new();
        while let Some(asked) = path {
            let shown = page(&store, &asked).await;
            seen.extend(
                links(&shown)
                    .into_iter()
                    .filter(|it| it.starts_with("/executions/")),
            );
            path = next(&shown);
            // What starts meanwhile is on no later page of the newest ones.
            if order == "newest" && seen.len() == 50 {
                put_run(&store, &experiment, 9, 0.0).await;
            }
        }
        let expected = if order == "newest" { 103 } else { 104 };
        assert_eq!(seen.len(), expected, "{order}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), expected, "{order}");
    }
}

async fn printed_addresses_lead_to_runs(store: Store) {
    let experiment = mlflow::experiment(&store, "churn").await;
    let run = put_run(&store, &experiment, 1, 0.5).await;
    let execution = store.find::<Execution>(&format!("name = '{run}'")).await[0];
    let at = format!("/executions/{execution}");
    // With a script, and by a search without one.
    for path in [
        format!("/experiments/{experiment}/runs/{run}"),
        format!("/search?q={run}"),
    ] {
        let answer = visit(store.port(), &path).await;
        assert_eq!(answer.status, 303, "{path}");
        assert_eq!(answer.header("location"), Some(at.as_str()), "{path}");
    }
}

async fn models_have_versions_and_aliases(store: Store) {
    let name = "churn #1";
    tell(&store, "/registered-models/create", json!({"name": name})).await;
    let experiment = mlflow::experiment(&store, "churn").await;
    let run = put_run(&store, &experiment, 1, 0.5).await;
    for _ in 0..2 {
        let source = format!("runs:/{run}/model");
        let body = json!({"name": name, "source": source, "run_id": run});
        tell(&store, "/model-versions/create", body).await;
    }
    for version in ["1", "2"] {
        let body = json!({"name": name, "alias": "champion", "version": version});
        tell(&store, "/registered-models/alias", body).await;
    }
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    let shown = page(&store, "/models").await;
    let path = links(&shown)
        .into_iter()
        .find(|it| it.starts_with("/models/"))
        .unwrap();
    let model = page(&store, &path).await;
    assert!(model.contains("What <bdi>champion</bdi> named"), "{model}");
    assert!(model.contains("<bdi>1</bdi> → <bdi>2</bdi>"), "{model}");
    assert!(model.contains("none</span> → <bdi>1</bdi>"), "{model}");
    let version = page(&store, &format!("{path}/versions/2")).await;
    let execution = store.find::<Execution>(&format!("name = '{run}'")).await[0];
    let linked = links(&version);
    assert!(
        linked.contains(&format!("/executions/{execution}")),
        "{version}"
    );
    assert!(
        version.contains("<svg xmlns") && version.contains("champion"),
        "{version}"
    );
    assert!(
        linked
            .iter()
            .any(|it| it.starts_with("/lineage/artifacts/")),
        "{version}"
    );
    for path in [
        format!("/models/{encoded}/versions/3"),
        "/models/x".to_owned(),
    ] {
        assert_eq!(visit(store.port(), &path).await.status, 404, "{path}");
    }
    assert_eq!(
        visit(store.port(), &format!("{path}?after=x")).await.status,
        400
    );
}

async fn hostile_names_of_models_are_texts(store: Store) {
    let name = "<img src=x onerror=alert(1)>\"'&\u{202e}";
    tell(
        &store,
        "/registered-models/create",
        json!({"name": name, "description": name}),
    )
    .await;
    let body = json!({"name": name, "source": "javascript:/alert(1)", "description": name});
    tell(&store, "/model-versions/create", body).await;
    let body = json!({"name": name, "alias": "a", "version": "1"});
    tell(&store, "/registered-models/alias", body).await;
    let experiment = mlflow::experiment(&store, name).await;
    let run = mlflow::run(&store, &experiment, name, 1).await;
    let logged = json!({"run_id": run, "params": [{"key": "a", "value": name}]});
    tell(&store, "/runs/log-batch", logged).await;
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    for path in [
        "/models".to_owned(),
        format!("/models/{encoded}"),
        format!("/models/{encoded}?alias={encoded}"),
        format!("/models/{encoded}/versions/1"),
        "/experiments".to_owned(),
        format!("/experiments/{experiment}"),
        format!("/experiments/{experiment}?filter=params.a+%3D+%27{encoded}%27"),
    ] {
        let answer = visit(store.port(), &path).await;
        let shown = answer.text();
        for markup in ["<img", "\u{202e}"] {
            assert!(!shown.contains(markup), "{path}: {markup}: {shown}");
        }
        let is_script = |link: &String| link.starts_with("javascript:");
        assert!(!links(&shown).iter().any(is_script), "{path}");
    }
}
