//! A statement of SQLite's that takes long: it runs in the server's process, which goes on all the
//! same.

use std::time::Duration;

use pedigree::config::Config;

use crate::support::Backend;
use crate::support::prelude::*;

once! {
    in_a_file,
    in_memory,
}

async fn in_a_file() {
    let connections = |config: &mut Config| config.database.connections = 2 * (CALLS + 1);
    let store = Store::open_with(Backend::SqliteFile, connections).await;
    is_endured(store).await;
}

async fn in_memory() {
    is_endured(Store::open(Backend::SqliteMemory).await).await;
}

/// More than the runtime has threads.
const CALLS: u32 = 4;

/// How many contexts an execution has: the filter below compares each with each of the others,
/// again and again.
const CONTEXTS: usize = 60;

/// Nothing is found before all combinations are tried, which would take days.
const ENDLESS: &str = "contexts_a.name = 'x' OR contexts_b.name = 'x' OR contexts_c.name = 'x' OR contexts_d.name = 'x' \
                       OR contexts_e.name = 'x' OR contexts_f.name = 'x' OR contexts_g.name = 'x'";

/// Others are answered meanwhile, and the statement ends when its caller goes away.
async fn is_endured(store: Store) {
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let execution = store.put(Execution::new(execution_type, "e")).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let names: Vec<String> = (0..CONTEXTS).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let contexts = store.put_named::<Context>(context_type, &names).await;
    let associations: Vec<(i64, i64)> = contexts.iter().map(|id| (execution, *id)).collect();
    store.ask(put_members(&[], &associations)).await;

    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let store = store.clone();
            let options = pb::ListOperationOptions {
                filter_query: Some(ENDLESS.to_owned()),
                ..Default::default()
            };
            tokio::spawn(async move { store.send(Execution::list(Some(options))).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    if store.backend() == Backend::SqliteFile {
        // In memory they have the only connection.
        for number in 0..20 {
            let name = format!("e{number}");
            store.put(Execution::new(execution_type, &name)).await;
        }
        assert_eq!(store.ask(Execution::by_ids(&[execution])).await.len(), 1);
    }
    for call in calls {
        assert!(!call.is_finished(), "it did not take long");
        call.abort();
    }
    let page = store.ask(Execution::list(None)).await;
    assert!(!page.nodes.is_empty());
}
