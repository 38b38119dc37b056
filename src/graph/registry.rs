//! The graph that requests are served from.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::graph::Graph;

/// The graph of this process, once its database is open. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Graphs {
    graph: Arc<SetOnce<Arc<Graph>>>,
}

impl Graphs {
    /// Serves requests from this graph. Later calls have no effect: a second graph would be another
    /// database in the middle of requests.
    pub fn set(&self, graph: Graph) {
        let _ = self.graph.set(Arc::new(graph));
    }

    /// The graph of requests.
    ///
    /// # Errors
    ///
    /// `NotReady` until there is one.
    pub fn get(&self) -> Result<&Arc<Graph>> {
        self.graph.get().ok_or(Error::NotReady)
    }

    /// The same, after waiting for it for up to `limit`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::get`].
    pub async fn wait(&self, limit: Duration) -> Result<&Arc<Graph>> {
        if let Ok(graph) = self.get() {
            return Ok(graph);
        }
        // Without the graph at the end of the time, the error says so.
        let _ = timeout(limit, self.graph.wait()).await;
        self.get()
    }
}
