//! Nothing of a table is out of reach, on wide and on narrow screens.

use serde_json::{Value as Json, json};

use super::browse;
use crate::mlflow::models::model;
use crate::mlflow::{experiment, run, tell};
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    cells_and_links_can_be_seen,
}

/// Cells and links of which a part lies outside an ancestor that hides it, and links without words.
/// What an ancestor scrolls can be seen wherever that ancestor can be.
const FINDINGS: &str = "[...document.querySelectorAll('main td, main th, main a')].filter((it) => {
    if (it.tagName === 'A' && !it.textContent.trim()) return true;
    let { left, right, top, bottom, width } = it.getBoundingClientRect();
    for (let box = it.parentElement; width && box; box = box.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(box);
        const at = box.getBoundingClientRect();
        const hides = (overflow) => ['hidden', 'clip'].includes(overflow);
        if (hides(overflowX) && (left < at.left - 1 || right > at.right + 1)) return true;
        if (hides(overflowY) && (top < at.top - 1 || bottom > at.bottom + 1)) return true;
        if (overflowX !== 'visible') [left, right] = [at.left, at.right];
        if (overflowY !== 'visible') [top, bottom] = [at.top, at.bottom];
    }
    return false;
}).map((it) => it.outerHTML)";

/// Runs with models, of which one is registered; the addresses of pages that show them.
async fn put_pages(store: &Store) -> Vec<String> {
    experiment(store, " ").await;
    let number = experiment(store, "churn").await;
    let mut logged = Vec::new();
    for start in 1..=12 {
        let trained = run(store, &number, &format!("run-{start}"), start).await;
        logged.push(model(store, &number, "classifier", &trained).await);
        let value = json!({"key": "loss", "value": start, "timestamp": 1, "step": 0});
        let param = json!({"key": "lr", "value": format!("0.{start}")});
        let body = json!({"run_id": trained, "metrics": [value], "params": [param]});
        tell(store, "/runs/log-batch", body).await;
    }
    tell(store, "/registered-models/create", json!({"name": "churn"})).await;
    let body = json!({
        "name": "churn", "source": format!("models:/{}", logged[0]), "model_id": logged[0],
    });
    tell(store, "/model-versions/create", body).await;
    let runs = store.find::<Execution>("type = 'mlflow.Run'").await;
    let runs: Vec<String> = runs.iter().take(5).map(i64::to_string).collect();
    vec![
        "/".to_owned(),
        "/experiments".to_owned(),
        format!("/experiments/{number}"),
        "/models".to_owned(),
        "/models/churn".to_owned(),
        "/models/churn/versions/1".to_owned(),
        format!("/compare?executions={}", runs.join(",")),
    ]
}

async fn cells_and_links_can_be_seen() {
    let store = Store::open(Backend::SqliteFile).await;
    let pages = put_pages(&store).await;
    browse("fits", &store, async move |browser| {
        let mut hidden = Vec::new();
        for page in &pages {
            for width in [1400, 1000, 320] {
                browser.set_width(width).await;
                browser.open(page).await;
                let rows = browser.js("document.querySelectorAll('main tr').length");
                assert!(rows.await.as_u64() > Some(0), "{page} has no table");
                let shown = browser.js("document.documentElement.scrollWidth").await;
                if shown.as_u64() > Some(width.into()) {
                    hidden.push(format!("{page} is {shown} px wide on {width} px"));
                }
                let found = browser.js(FINDINGS).await;
                if found != Json::Array(Vec::new()) {
                    hidden.push(format!("{page}, {width} px: {found:#}"));
                }
            }
        }
        assert!(hidden.is_empty(), "{}", hidden.join("\n"));
    })
    .await;
}
