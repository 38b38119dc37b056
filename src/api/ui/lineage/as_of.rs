//! What a page of lineage has of times: the nodes of then, the banner, and the strip.

use super::draw::Drawn;
use super::query::LineageView;
use super::{at_focus, changed};
use crate::api::ui::text;
use crate::api::ui::visit::Visit;
use crate::error::Result;
use crate::graph::AsOf;
use crate::model::{Kind, Node};
use crate::picture::strip::{self, StripColumn};

/// The nodes with these ids, ascending, as they are or as they were at a time.
pub(super) async fn nodes_at(
    visit: &Visit,
    kind: Kind,
    ids: &[i64],
    at: Option<i64>,
) -> Result<Vec<Node>> {
    let graph = &visit.call.graph;
    match at {
        None => graph.nodes_by_ids(kind, ids).await,
        Some(time) => {
            let then = AsOf::for_page(time);
            Ok(graph.browse().nodes_as_of(kind, ids, then).await?.nodes)
        }
    }
}

/// What a page as of an earlier time says about that.
pub(super) struct AsOfNotice {
    pub time: String,
    /// The same page of now.
    pub now: String,
    /// What is of today nevertheless; empty if nothing is.
    pub present: String,
}

/// The executions of a lineage over time.
pub(super) struct TimeStrip {
    /// An `svg` element, made of escaped texts only.
    pub svg: String,
    pub first: String,
    pub last: String,
    pub summary: String,
}

impl AsOfNotice {
    /// The notice of a view; `None` if it is of now.
    pub fn of(drawn: &Drawn, (base, view): (&str, &LineageView)) -> Option<Self> {
        Some(Self {
            time: text::time(view.at?),
            now: at_focus(base, &changed(view, |view| view.at = None)),
            present: drawn.present_states(),
        })
    }
}

impl TimeStrip {
    /// The strip of a page: each of its columns leads to the same page as of its end.
    pub fn of(columns: &[StripColumn], (base, view): (&str, &LineageView)) -> Option<Self> {
        let (first, last) = columns.first().zip(columns.last())?;
        let sum = |count: fn(&StripColumn) -> usize| columns.iter().map(count).sum::<usize>();
        let executions = text::count(sum(|it| it.executions), "execution");
        let summary = match sum(|it| it.failed) {
            0 => executions,
            failed => format!("{executions}, {failed} failed"),
        };
        let link = |column: &StripColumn| {
            at_focus(base, &changed(view, |view| view.at = Some(column.end)))
        };
        Some(Self {
            svg: strip::element(columns, view.at, link),
            first: first.label.clone(),
            last: last.label.clone(),
            summary,
        })
    }
}
