//! `pedigree reconcile`: what another program wrote is told to those who watch.

use super::{Watcher, brief, from_now, from_the_beginning};
use crate::binary::{pedigree, run};
use crate::sql::run_sql;
use crate::support::prelude::*;

on_every_database!(what_others_wrote_is_found);

fn reconcile(store: &Store, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = pedigree(dir.path(), &["reconcile"]);
    command
        .args(arguments)
        .env("PEDIGREE_DATABASE_URL", store.url());
    let ended = run(command);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

async fn what_others_wrote_is_found(store: Store) {
    let artifact = store.ask(Artifact::put_type("Data", &[])).await;
    let context = store.ask(Context::put_type("Run", &[])).await;
    store
        .ask(Artifact::put(vec![Artifact::new(artifact, "ours")]))
        .await;
    store
        .ask(Context::put(vec![Context::new(context, "ours")]))
        .await;
    assert!(reconcile(&store, &[]).ends_with(": 0 changes added to the history\n"));

    let mut watcher = Watcher::start(store.channel.clone(), from_now()).await;
    for sql in [
        format!(
            "INSERT INTO Artifact (type_id, uri, name, create_time_since_epoch, last_update_time_since_epoch)
             VALUES ({artifact}, '', 'theirs', 4000000000000, 4000000000000)"
        ),
        "UPDATE Artifact SET uri = 'theirs', last_update_time_since_epoch = 4000000000000 WHERE name = 'ours'"
            .to_owned(),
        "INSERT INTO Attribution (context_id, artifact_id) VALUES (1, 2)".to_owned(),
    ] {
        run_sql(store.url(), sql).await;
    }
    assert!(watcher.next().await.unwrap().is_empty());
    assert!(reconcile(&store, &[]).ends_with(": 3 changes added to the history\n"));
    let seen = watcher.until_quiet().await;
    let mut seen: Vec<String> = seen.iter().map(brief).collect();
    seen.sort();
    let expected = [
        "reconciled artifact 1",
        "reconciled artifact 2",
        "reconciled attribution 1 2",
    ];
    assert_eq!(seen, expected);
    assert!(reconcile(&store, &[]).ends_with(": 0 changes added to the history\n"));

    // A graph that is older than its history becomes part of it on request only.
    run_sql(store.url(), "DELETE FROM PedigreeChange WHERE position < 5").await;
    run_sql(
        store.url(),
        "UPDATE PedigreeChange SET time_since_epoch = 5000000000000",
    )
    .await;
    assert!(reconcile(&store, &["--all"]).ends_with(": 3 changes added to the history\n"));
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    assert_eq!(watcher.until_quiet().await.len(), 6);
}
