//! A watcher that does not read keeps nothing but its own place.

use super::{Watcher, brief, from_now};
use crate::binary::Server;
use crate::python::sized;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    what_nobody_reads_is_not_in_memory,
}

/// Bytes of one artifact.
const SIZE: usize = 500_000;

async fn what_nobody_reads_is_not_in_memory() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let client = server.client().await;
    let type_id = Artifact::put_type("Data", &[]).ask(client.clone()).await;
    let type_id = type_id.unwrap();
    let put = async |number: usize| {
        let much = text("x".repeat(SIZE));
        let node = Artifact::new(type_id, &number.to_string()).with_custom("much", much);
        Artifact::put(vec![node]).ask(client.clone()).await.unwrap()[0]
    };
    // What a server needs to write at all.
    for number in 0..10 {
        put(number).await;
    }
    let mut watcher = Watcher::start(server.connect().await, from_now()).await;
    let count = sized(200, 600);
    let before = server.process.memory("VmRSS");
    let mut expected = Vec::new();
    for number in 0..count {
        expected.push(format!("created artifact {}", put(1000 + number).await));
    }
    let grown = server.process.memory("VmRSS").saturating_sub(before);
    assert!(
        grown < count * SIZE / 2,
        "{grown} bytes more for what nobody reads"
    );
    let seen = watcher.take(count).await;
    assert_eq!(seen.iter().map(brief).collect::<Vec<_>>(), expected);
    server.stop();
}
