//! Statements that take long: they have a time limit, and one of SQLite's, which runs in the
//! server's process, does not keep others waiting.

use std::time::Duration;

use pedigree::config::Config;

use crate::support::Backend;
use crate::support::prelude::*;

once! {
    in_a_file,
    in_memory,
}
on_every_database!(a_read_has_a_time_limit);
in_memory_too!(a_read_has_a_time_limit);

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

/// How many contexts an execution has: the filter below compares each with each of the others.
const CONTEXTS: usize = 5_000;

/// Nothing is found before all combinations are tried, which takes many seconds.
const SLOW_FILTER: &str = "CONCAT(contexts_a.name, contexts_b.name) = 'x' OR \
                           CONCAT(contexts_c.name, contexts_d.name) = 'x' OR \
                           CONCAT(contexts_e.name, contexts_f.name) = 'x' OR \
                           CONCAT(contexts_g.name, contexts_h.name) = 'x'";

/// An execution in many contexts, and the call that finds it by comparing all of them.
async fn slow_list(store: &Store) -> (i64, i64, pb::ListOperationOptions) {
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let execution = store.put(Execution::new(execution_type, "e")).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let names: Vec<String> = (0..CONTEXTS).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let contexts = store.put_named::<Context>(context_type, &names).await;
    let associations: Vec<(i64, i64)> = contexts.iter().map(|id| (execution, *id)).collect();
    store.ask(put_members(&[], &associations)).await;
    let options = pb::ListOperationOptions {
        filter_query: Some(SLOW_FILTER.to_owned()),
        ..Default::default()
    };
    (execution_type, execution, options)
}

async fn a_read_has_a_time_limit(backend: Backend) {
    let limit = |config: &mut Config| config.database.statement_timeout = Duration::from_secs(1);
    let store = Store::open_with(backend, limit).await;
    let (_, execution, options) = slow_list(&store).await;
    let list = Execution::list(Some(options));
    // A comparison of everything stored, as `refuses` makes, would take too long.
    let refused = store.send(list).await.unwrap_err();
    let lead = "a statement took longer than the server permits";
    assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused:?}");
    assert!(refused.message().starts_with(lead), "{refused:?}");
    assert_eq!(store.ask(Execution::by_ids(&[execution])).await.len(), 1);
}

/// Others are answered meanwhile, and the statement ends when its caller goes away.
async fn is_endured(store: Store) {
    let (execution_type, execution, options) = slow_list(&store).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (store, options) = (store.clone(), options.clone());
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
