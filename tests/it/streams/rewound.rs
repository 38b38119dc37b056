//! A history that goes back, as after a restore or a failover that lost commits: its watchers get
//! `OUT_OF_RANGE`.

use super::{Watcher, from_cursor, from_now};
use crate::sql::run_sql;
use crate::support::prelude::*;

on_every_database! {
    a_cursor_of_a_lost_change_is_refused,
    a_cursor_of_a_replaced_change_is_refused,
    a_live_watch_of_a_replaced_change_ends,
    a_cursor_without_a_digest_is_taken,
}

/// A watcher that has seen one change, and its position.
async fn watcher(store: &Store) -> (Watcher, i64, i64) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let mut watcher = Watcher::start(store.channel.clone(), from_now()).await;
    store.put(Artifact::new(type_id, "lost")).await;
    watcher.take(1).await;
    let position = watcher.cursor.split('@').next().unwrap().parse().unwrap();
    (watcher, position, type_id)
}

async fn lose(store: &Store, position: i64) {
    let lost = format!("DELETE FROM PedigreeChange WHERE position = {position}");
    run_sql(store.url(), lost).await;
}

async fn assert_refused(store: &Store, cursor: &str) {
    let resumed = Watcher::try_start(store.channel.clone(), from_cursor(cursor)).await;
    assert_rewound(&resumed.err().unwrap());
}

fn assert_rewound(status: &tonic::Status) {
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert!(status.message().contains("watch from now on"), "{status:?}");
    assert!(status.message().contains("restored"), "{status:?}");
}

async fn a_cursor_of_a_lost_change_is_refused(store: Store) {
    let (watcher, position, _) = watcher(&store).await;
    lose(&store, position).await;
    assert_refused(&store, &watcher.cursor).await;
}

async fn a_cursor_of_a_replaced_change_is_refused(store: Store) {
    let (watcher, position, type_id) = watcher(&store).await;
    lose(&store, position).await;
    // Positions are given again, and the new history grows past the cursor.
    let mut new = Watcher::start(store.channel.clone(), from_now()).await;
    for name in ["a", "b"] {
        store.put(Artifact::new(type_id, name)).await;
        new.take(1).await;
    }
    assert!(new.cursor.starts_with(&format!("{}@", position + 1)));
    assert_refused(&store, &watcher.cursor).await;
    Watcher::start(store.channel.clone(), from_cursor(&new.cursor)).await;
}

async fn a_live_watch_of_a_replaced_change_ends(store: Store) {
    let (mut watcher, position, _) = watcher(&store).await;
    let replaced = format!(
        "UPDATE PedigreeChange SET time_since_epoch = time_since_epoch - 1 \
         WHERE position = {position}"
    );
    run_sql(store.url(), replaced).await;
    let ended = loop {
        match watcher.next().await {
            Ok(changes) => assert_eq!(changes, [], "nothing of the other history"),
            Err(status) => break status,
        }
    };
    assert_rewound(&ended);
}

async fn a_cursor_without_a_digest_is_taken(store: Store) {
    let (watcher, _, type_id) = watcher(&store).await;
    let (old, _) = watcher.cursor.rsplit_once('@').unwrap();
    let mut resumed = Watcher::start(store.channel.clone(), from_cursor(old)).await;
    store.put(Artifact::new(type_id, "next")).await;
    assert_eq!(resumed.take(1).await.len(), 1);
}
