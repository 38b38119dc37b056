//! The addresses that the released client of `MLflow` prints after a run.

use super::browse;
use crate::mlflow::client::print;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    printed_addresses_open_their_runs,
}

async fn printed_addresses_open_their_runs() {
    let store = Store::open(Backend::SqliteFile).await;
    let folder = tempfile::tempdir().unwrap();
    let printed = print(&store, "tests/clients/mlflow/track.py", folder.path()).await;
    let server = format!("http://localhost:{}", store.port());
    let words = printed.split_whitespace();
    let addresses = words.filter_map(|word| word.strip_prefix(&server));
    let addresses: Vec<String> = addresses.map(str::to_owned).collect();
    let mut opened = Vec::new();
    for address in addresses {
        let run = address.split_once("/runs/").map(|(_, run)| run.to_owned());
        let page = match run {
            Some(run) => {
                let execution = store.find::<Execution>(&format!("name = '{run}'")).await[0];
                format!("/executions/{execution}")
            }
            None => address.trim_start_matches("/#").to_owned(),
        };
        opened.push((address, page));
    }
    let runs = opened
        .iter()
        .filter(|(_, page)| page.starts_with("/executions/"));
    assert!(runs.count() >= 2, "{printed}");
    browse("printed", &store, async move |browser| {
        for (address, page) in opened {
            // Another address of one page would not load it again.
            browser.open("/about").await;
            browser.open(&address).await;
            let is_there = format!("location.pathname === '{page}'");
            browser.until(&is_there).await;
            let title = browser.js("document.querySelector('h1') !== null").await;
            assert_eq!(title, true, "{address}");
        }
    })
    .await;
}
