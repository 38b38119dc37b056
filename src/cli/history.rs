//! Commands that add to the history of changes, on the database itself.

use std::fmt::Display;
use std::io::stdout;

use super::Failure;
use super::output::report;
use crate::config::Config;
use crate::error::Result;
use crate::graph::{Clock, Graph};
use crate::model::{Caller, Door};
use crate::server;

/// Opens the graph of a configuration, has it add to its history, and prints what was added.
pub(super) async fn add<T: Display>(
    config: &Config,
    adding: impl AsyncFnOnce(&Graph, &Caller) -> Result<T>,
) -> std::result::Result<(), Failure> {
    let caller = Caller::anonymous(Door::Command);
    let done = async {
        let database = server::open(config).await?;
        let graph = Graph::new(database.clone(), config.history, Clock::default());
        let added = adding(&graph, &caller).await;
        database.close().await;
        added
    };
    let address = &config.database.address;
    let added = done
        .await
        .map_err(|error| config.database.unusable(error))?;
    let line = format!("{address}: {added} changes added to the history");
    report(&mut stdout(), line);
    Ok(())
}
