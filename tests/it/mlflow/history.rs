//! The points of metrics of several runs.

use serde_json::{Value, json};

use super::{PREFIX, code, experiment, get, run, tell};
use crate::serving;
use crate::support::Store;

on_every_database! {
    points_of_several_runs_are_selected,
}

/// Logs so many points of a metric to a run, whose steps and values count up.
async fn log(store: &Store, run: &str, points: i64) {
    let point = |step| json!({"key": "m", "value": step, "timestamp": step + 1, "step": step});
    let metrics: Vec<Value> = (0..points).map(point).collect();
    tell(
        store,
        "/runs/log-batch",
        json!({"run_id": run, "metrics": metrics}),
    )
    .await;
}

async fn points_of_several_runs_are_selected(store: Store) {
    let number = experiment(&store, "e").await;
    let (long, short) = (
        run(&store, &number, "long", 1).await,
        run(&store, &number, "short", 2).await,
    );
    log(&store, &long, 100).await;
    log(&store, &short, 3).await;
    let steps = async |path: &str| {
        let found = get(&store, &format!("{path}&metric_key=m")).await;
        let found = found["metrics"].as_array().cloned().unwrap_or_default();
        let of = |run: &str| -> Vec<i64> {
            let found = found.iter().filter(|point| point["run_id"] == run);
            found.map(|point| point["step"].as_i64().unwrap()).collect()
        };
        (of(&long), of(&short))
    };
    let all = |count: i64| (0..count).collect::<Vec<_>>();

    let bulk = format!("/metrics/get-history-bulk?run_id={long}&run_id={short}&run_id=none");
    assert_eq!(steps(&bulk).await, (all(100), all(3)));
    let (first, second) = steps(&format!("{bulk}&max_results=5")).await;
    assert_eq!(first.len() + second.len(), 5);

    let some = format!("/metrics/get-history-bulk-interval?run_ids={long}&run_ids={short}");
    assert_eq!(steps(&some).await, (all(100), all(3)));
    let tens: Vec<i64> = (0..10).map(|ten| ten * 10).chain([99]).collect();
    assert_eq!(
        steps(&format!("{some}&max_results=10")).await,
        (tens, all(3))
    );
    let between = format!("{some}&start_step=2&end_step=7&max_results=3");
    assert_eq!(steps(&between).await, (vec![2, 4, 6, 7], vec![2]));

    let many = "&run_id=r".repeat(101);
    for wrong in [
        "/metrics/get-history-bulk?metric_key=m",
        &format!("/metrics/get-history-bulk?metric_key=m{many}"),
        "/metrics/get-history-bulk?run_id=r",
        "/metrics/get-history-bulk?run_id=r&metric_key=m&max_results=0",
        "/metrics/get-history-bulk-interval?run_ids=r",
        "/metrics/get-history-bulk-interval?run_ids=r&metric_key=m&start_step=1",
        "/metrics/get-history-bulk-interval?run_ids=r&metric_key=m&start_step=2&end_step=1",
        "/metrics/get-history-bulk-interval?run_ids=r&metric_key=m&max_results=2501",
    ] {
        let answer = serving::get(store.port(), &[PREFIX, wrong].concat()).await;
        let found = (answer.status, code(&answer));
        assert_eq!(
            found,
            (400, "INVALID_PARAMETER_VALUE".to_owned()),
            "{wrong}"
        );
    }
}
