//! Queries for lineage to any depth: what they ask for, and where they start.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::graph::changes::states::AsOf;
use crate::graph::filters::parse_filter;
use crate::graph::lineage::boundary::{Boundary, ParsedBoundary};
use crate::graph::lineage::traverse::Direction;
use crate::model::{EventType, Kind, PerSide, Side};
use crate::storage::Tx;
use crate::storage::tables::{lists, nodes};
use crate::utc::utc_text;

/// A query for lineage to any depth (`Trace`).
#[derive(Clone, Debug, Default)]
pub struct TraceQuery {
    pub direction: Direction,
    /// The starts: the nodes with these ids and all nodes that match the filters.
    pub artifact_ids: Vec<i64>,
    pub execution_ids: Vec<i64>,
    pub artifacts: Option<String>,
    pub executions: Option<String>,
    /// In hops from a start; no limit when unset.
    pub max_hops: Option<i64>,
    /// The most nodes of the answer; 0 is no limit.
    pub max_nodes: i64,
    /// The traversal stops at nodes that match these filters. They belong to the answer.
    pub stop_at_artifacts: Option<String>,
    pub stop_at_executions: Option<String>,
    /// Events of these types only; of all types, when empty.
    pub event_types: Vec<EventType>,
    /// Events only whose path has this key.
    pub path_key: Option<String>,
    /// The graph as it was at this time. Filters match the states of today.
    pub as_of: Option<AsOf>,
}

impl TraceQuery {
    pub(super) fn check(&self) -> Result<()> {
        let has_filter = self.artifacts.is_some() || self.executions.is_some();
        if self.artifact_ids.is_empty() && self.execution_ids.is_empty() && !has_filter {
            return Err(Error::invalid(
                "nowhere to start: give ids or a filter of artifacts or executions",
            ));
        }
        for (name, number) in [
            ("max_hops", self.max_hops.unwrap_or(0)),
            ("max_nodes", self.max_nodes),
        ] {
            if number < 0 {
                return Err(Error::invalid(format!(
                    "{name} cannot be negative: {name} = {number}"
                )));
            }
        }
        Ok(())
    }

    /// The starts on one side that exist, or existed at the time that is asked for, ascending by
    /// id.
    pub(super) async fn starts(&self, tx: &mut Tx, side: Side) -> Result<Vec<i64>> {
        let (ids, filter) = match side {
            Side::Artifact => (&self.artifact_ids, &self.artifacts),
            Side::Execution => (&self.execution_ids, &self.executions),
        };
        let mut starts = BTreeSet::new();
        if !ids.is_empty() {
            starts.extend(lists::ids(tx, side.kind(), Some(ids), None, None).await?);
        }
        if let Some(filter) = parse_filter(side.kind(), filter.as_deref())? {
            let filter = filter.predicate(tx.dialect());
            starts.extend(lists::ids(tx, side.kind(), None, Some(&filter), None).await?);
        }
        let mut starts = starts.into_iter().collect();
        if let Some(AsOf { time, .. }) = self.as_of {
            nodes::retain_created_by(tx, side.kind(), &mut starts, time).await?;
        }
        Ok(starts)
    }

    /// The error of a query without a start. It names the first node that was created later than
    /// the time that is asked for.
    pub(super) async fn without_start(&self, tx: &mut Tx) -> Result<Error> {
        let mut text = "there is no node to start from".to_owned();
        if let Some(AsOf { time, .. }) = self.as_of {
            for (side, ids) in [
                (Side::Artifact, &self.artifact_ids),
                (Side::Execution, &self.execution_ids),
            ] {
                let newer = nodes::changed_after(tx, side.kind(), ids, time).await?;
                if let Some((id, _)) = newer.first() {
                    let (kind, time) = (side.kind().noun(), utc_text(time));
                    text = format!("{kind} {id} was created after {time}");
                    break;
                }
            }
        }
        Ok(Error::NotFound(text))
    }

    /// The nodes at which the traversal stops, which belong to the answer.
    pub(super) fn boundaries(&self) -> Result<PerSide<ParsedBoundary>> {
        let stop = |filter: &Option<String>| Boundary {
            filter: filter.clone(),
            include: true,
        };
        Ok(PerSide {
            artifacts: stop(&self.stop_at_artifacts).parse(Kind::Artifact)?,
            executions: stop(&self.stop_at_executions).parse(Kind::Execution)?,
        })
    }
}
