//! The released client of OpenLineage in Python.

use super::lineage;
use crate::python::python;
use crate::support::prelude::*;

on_every_database! {
    the_released_client_is_served,
}

async fn the_released_client_is_served(store: Store) {
    let port = store.port().to_string();
    let send = move || python("openlineage_client.py", &["--port", &port]);
    tokio::task::spawn_blocking(send).await.unwrap();
    let expected = [
        "below\tteam/read\tteam/pipeline\t1",
        "below\tteam/write\tteam/pipeline\t1",
        "follows\tteam/read\tteam/write\t1",
        "reads\tteam/read\ts3://lake/features\t1",
        "run\tteam/pipeline\tNONE\t1",
        "run\tteam/read\tCOMPLETE\t1",
        "run\tteam/write\tCOMPLETE\t1",
        "writes\tteam/write\ts3://lake/features\t1",
    ];
    assert_eq!(lineage::lines(&store).await, expected);
}
