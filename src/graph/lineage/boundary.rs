//! The nodes at which a traversal stops.

use crate::error::Result;
use crate::filter::Filter;
use crate::graph::filters::parse_filter;
use crate::model::Kind;
use crate::storage::Tx;
use crate::storage::tables::lists;

/// The nodes of a kind at which a traversal stops: it reaches them and does not go on from them.
#[derive(Clone, Debug, Default)]
pub struct Boundary {
    /// Unset: no node. Empty: every node. Otherwise the nodes that match.
    pub filter: Option<String>,
    /// Whether the result includes these nodes and the events that lead to them.
    pub include: bool,
}

/// A boundary whose filter is parsed.
pub(super) struct ParsedBoundary {
    nodes: BoundaryNodes,
    pub(super) include: bool,
}

enum BoundaryNodes {
    None,
    All,
    Matching(Box<Filter>),
}

impl Boundary {
    /// # Errors
    ///
    /// `InvalidArgument` for a malformed filter.
    pub(super) fn parse(&self, kind: Kind) -> Result<ParsedBoundary> {
        let filter = parse_filter(kind, self.filter.as_deref())?;
        let nodes = match (&self.filter, filter) {
            (None, _) => BoundaryNodes::None,
            (Some(_), None) => BoundaryNodes::All,
            (Some(_), Some(filter)) => BoundaryNodes::Matching(Box::new(filter)),
        };
        Ok(ParsedBoundary {
            nodes,
            include: self.include,
        })
    }
}

impl ParsedBoundary {
    /// Splits ids in ascending order into those of nodes within the boundary and those of nodes on
    /// it.
    pub(super) async fn split(
        &self,
        tx: &mut Tx,
        kind: Kind,
        ids: Vec<i64>,
    ) -> Result<(Vec<i64>, Vec<i64>)> {
        let filter = match &self.nodes {
            BoundaryNodes::None => return Ok((ids, Vec::new())),
            BoundaryNodes::All => return Ok((Vec::new(), ids)),
            BoundaryNodes::Matching(filter) => filter.predicate(tx.dialect()),
        };
        let on_it = lists::ids(tx, kind, Some(&ids), Some(&filter), None).await?;
        let is_on_it = |id: &i64| on_it.binary_search(id).is_ok();
        let within = ids.into_iter().filter(|id| !is_on_it(id)).collect();
        Ok((within, on_it))
    }
}
