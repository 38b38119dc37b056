//! The command `pedigree reconcile`: the history of changes learns what other programs wrote to the database.

use std::io::Write;

use crate::config::Config;
use crate::error::Result;
use crate::graph::Graph;
use crate::server;

/// Adds to the history what it does not know, and says how much that was. With `all`, also what is older than the history.
///
/// # Errors
///
/// Those of [`server::open`] and [`Graph::reconcile`].
pub async fn run(config: &Config, all: bool, out: &mut (impl Write + Send)) -> Result<()> {
    let database = server::open(config).await?;
    let graph = Graph::new(database.clone(), config.history);
    let added = graph.reconcile(all).await;
    database.close().await;
    let added = added?;
    // Where nobody reads, nobody needs to be told.
    let _ = writeln!(
        out,
        "{}: {added} changes added to the history",
        config.database.address
    );
    Ok(())
}
