//! The parts of a graph that have methods of their own.

use crate::graph::Graph;
use crate::graph::catalog::GraphCatalog;
use crate::graph::export::GraphExport;
use crate::graph::tracking::GraphTracking;

impl Graph {
    /// What is sent to other systems.
    #[must_use]
    pub fn export(&self) -> GraphExport {
        GraphExport::new(self.database.clone())
    }

    /// The contexts of the graph and their members, in pages.
    #[must_use]
    pub fn catalog(&self) -> GraphCatalog {
        GraphCatalog(self.database.clone())
    }

    /// Experiments and their runs.
    #[must_use]
    pub fn tracking(&self) -> GraphTracking {
        GraphTracking::new(self.database.clone(), self.engine.clone())
    }
}
