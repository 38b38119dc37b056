//! The first start is killed at moments that are spread over it: the next start completes what it
//! began.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::binary::{Process, Server, pedigree_on, run};
use crate::python::sized;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database!(a_first_start_that_was_killed_is_completed);

async fn a_first_start_that_was_killed_is_completed(backend: Backend) {
    let begun = Instant::now();
    let whole = TestDatabase::missing(backend);
    Server::on(&whole, &[]).kill();
    let length = begun.elapsed();
    let kills = sized(6, 50);
    for kill in 0..kills {
        let database = TestDatabase::missing(backend);
        kill_after(length * kill / kills, &database);
        // Either command completes the schema.
        if kill % 2 == 1 {
            let ended = run(pedigree_on(&database, &["migrate"]));
            assert!(ended.status.success(), "kill {kill}: {ended:?}");
        }
        let server = Server::on(&database, &[]);
        let client = server.client().await;
        let type_id = Artifact::put_type("T", &[]).ask(client.clone()).await;
        let put = Artifact::put(vec![Artifact::new(type_id.unwrap(), "n")]);
        let ids = put.ask(client.clone()).await.unwrap();
        assert_eq!(Artifact::by_ids(&ids).ask(client).await.unwrap().len(), 1);
        server.stop();
    }
}

fn kill_after(delay: Duration, database: &TestDatabase) {
    let mut process = Process::start(pedigree_on(database, &[]));
    thread::sleep(delay);
    process.signal(Signal::KILL);
    process.end();
}
