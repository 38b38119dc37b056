//! The rules of WCAG 2.2, levels A and AA, as axe-core checks them.

use std::fs;
use std::time::Duration;

use serde_json::Value as Json;

use super::browse;
use super::tour::put_churn;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    pages_break_no_rule_of_wcag,
}

/// What the rules found, each with the first element that breaks it.
const FINDINGS: &str = "
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    axe.run(document, { runOnly: tags, resultTypes: ['violations'] }).then((found) => done(
        found.violations.map((it) => [it.id, it.nodes.length, it.nodes[0].html,
            it.nodes[0].failureSummary])
    ), (error) => done([String(error)]));";

/// The narrowest screen, in pixels.
const NARROW_WIDTH: u32 = 320;

/// Runs of later days that use a model, some of which fail.
async fn put_late_runs(store: &Store, model: i64) {
    let type_id = store.put_type::<Execution>("Late", &[]).await;
    for (number, days) in (1..).zip([2, 0, 1, 6, 0, 0, 3]) {
        store.wait(Duration::from_hours(24 * days));
        let state = [pb::execution::State::Complete, pb::execution::State::Failed];
        let run = Execution {
            last_known_state: Some(state[usize::from(number % 3 == 0)].into()),
            ..Execution::new(type_id, &format!("late {number}"))
        };
        let run = store.put(run).await;
        store
            .ask(put_events(vec![event(model, run, pb::event::Type::Input)]))
            .await;
    }
}

async fn pages_break_no_rule_of_wcag() {
    let store = Store::open(Backend::SqliteFile).await;
    let model = put_churn(&store).await;
    put_late_runs(&store, model).await;
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/ui/node_modules/axe-core/axe.min.js"
    );
    let rules = fs::read_to_string(rules).unwrap();
    let pages = [
        "/".to_owned(),
        "/artifacts".to_owned(),
        format!("/artifacts/{model}"),
        "/types".to_owned(),
        "/search?q=churn".to_owned(),
        format!("/lineage/artifacts/{model}"),
        format!("/lineage/artifacts/{model}?view=list"),
        format!("/lineage/artifacts/{model}?at=2999-01-01"),
        format!("/lineage/artifacts/{model}?path=a1.a{model}"),
        "/activity".to_owned(),
        "/about".to_owned(),
        "/artifacts?filter=type+%3D".to_owned(),
    ];
    browse("wcag", &store, async move |browser| {
        let mut broken = Vec::new();
        for page in &pages {
            browser.open(page).await;
            // Screens of these are to be looked at.
            let name = page.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
            let keeps = page.contains("?at=");
            browser.run(&format!("{rules}; arguments[0]();")).await;
            for (theme, width) in [("light", 1440), ("dark", 1440), ("light", NARROW_WIDTH)] {
                browser.prefer(theme, true).await;
                browser.set_width(width).await;
                let found = browser.run(FINDINGS).await;
                if found != Json::Array(Vec::new()) {
                    broken.push(format!("{page}, {theme}, {width} px: {found:#}"));
                }
                if keeps {
                    browser
                        .keep_screen(&format!("wcag{name}-{theme}-{width}"))
                        .await;
                }
                let shown = browser.js("document.documentElement.scrollWidth").await;
                if shown.as_u64() > Some(width.into()) {
                    broken.push(format!("{page} is {shown} px wide on {width} px"));
                }
            }
        }
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    })
    .await;
}
