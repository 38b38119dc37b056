//! The parts of a graph that have methods of their own.

use crate::graph::Graph;
use crate::graph::adoption::GraphAdoption;
use crate::graph::browse::GraphBrowse;
use crate::graph::catalog::GraphCatalog;
use crate::graph::comparison::GraphComparison;
use crate::graph::export::GraphExport;
use crate::graph::facets::GraphFacets;
use crate::graph::files::GraphFiles;
use crate::graph::registered::GraphRegistry;
use crate::graph::tracking::GraphTracking;

impl Graph {
    /// What is older than the history.
    #[must_use]
    pub fn adoption(&self) -> GraphAdoption {
        GraphAdoption::new(self.history.clone(), self.engine.clone())
    }

    /// What is sent to other systems.
    #[must_use]
    pub fn export(&self) -> GraphExport {
        GraphExport::new(self.database.clone())
    }

    /// What people look for in the graph.
    #[must_use]
    pub fn browse(&self) -> GraphBrowse {
        GraphBrowse::new(self.history.clone(), self.estimates.clone())
    }

    /// Nodes side by side.
    #[must_use]
    pub fn comparison(&self) -> GraphComparison {
        GraphComparison(self.database.clone())
    }

    /// The contexts of the graph and their members, in pages.
    #[must_use]
    pub fn catalog(&self) -> GraphCatalog {
        GraphCatalog(self.database.clone())
    }

    /// Experiments and their runs.
    #[must_use]
    pub fn tracking(&self) -> GraphTracking {
        GraphTracking::new(
            self.database.clone(),
            self.engine.clone(),
            self.run_cache.clone(),
        )
    }

    /// Registered models and their versions.
    #[must_use]
    pub fn registry(&self) -> GraphRegistry {
        GraphRegistry(self.history.clone())
    }

    /// Groups of facts about nodes, as they were sent.
    #[must_use]
    pub fn facets(&self) -> GraphFacets {
        GraphFacets(self.database.clone())
    }

    /// Files that clients uploaded.
    #[must_use]
    pub fn files(&self) -> GraphFiles {
        GraphFiles(self.database.clone())
    }
}
