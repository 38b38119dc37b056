//! `pedigree adopt`: adds to the change history what is older than it.

use super::{Failure, history};
use crate::config::Config;

/// Runs the command, and prints how many changes were added.
pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    history::add(config, async |graph, caller| {
        graph.adoption().adopt(caller).await
    })
    .await
}
