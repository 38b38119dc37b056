//! The graph that requests are served from.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::graph::Graph;

/// The graph of this process, once its database is open. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Graphs {
    graph: Arc<OnceLock<Arc<Graph>>>,
}

impl Graphs {
    /// Serves requests from this graph. Later calls have no effect: a second graph would be another
    /// database in the middle of requests.
    pub fn set(&self, graph: Graph) {
        let _ = self.graph.set(Arc::new(graph));
    }

    /// The graph of a request. Requests share it: a clone would copy all of its handles.
    ///
    /// # Errors
    ///
    /// `Unavailable` until there is one.
    pub fn get(&self) -> Result<&Arc<Graph>> {
        let unset = || Error::Unavailable("it is not ready yet".into());
        self.graph.get().ok_or_else(unset)
    }
}
