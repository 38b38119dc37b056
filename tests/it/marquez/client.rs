//! The released client of Marquez in Python.

use super::send;
use crate::python::python;
use crate::support::prelude::*;

on_every_database! {
    the_released_client_is_served,
}

async fn the_released_client_is_served(store: Store) {
    send(&store, "client-full").await;
    let port = store.port().to_string();
    let ask = move || python("marquez_reader.py", &["--port", &port]);
    tokio::task::spawn_blocking(ask).await.unwrap();
}
