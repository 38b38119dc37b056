//! Lists of nodes in pages.

use crate::error::Result;
use crate::filter::Filter;
use crate::graph::filters::{parse_filter, permit_for};
use crate::graph::nodes::scope::ListScope;
use crate::model::{Kind, Node, OrderBy, PagePosition};
use crate::storage::tables::lists::{self, Page, Scope};
use crate::storage::{Database, Tx};

/// The size, order and start of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct ListOptions {
    /// Nodes per page.
    pub page_size: usize,
    pub order_by: OrderBy,
    pub ascending: bool,
    /// The end of the page before; the first page when unset.
    pub after: Option<PagePosition>,
    /// Unset or empty for all nodes.
    pub filter: Option<String>,
}

/// A page of nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePage {
    pub nodes: Vec<Node>,
    /// The end of this page; unset when there is no next page.
    pub end: Option<PagePosition>,
}

/// A page of the nodes of a kind within a scope; `None` when the scope has no node at all.
pub(in crate::graph) async fn list(
    database: &Database,
    kind: Kind,
    scope: &ListScope,
    options: Result<ListOptions>,
) -> Result<Option<NodePage>> {
    let filter = options.as_ref().ok().and_then(|it| it.filter.as_deref());
    let filter = parse_filter(kind, filter);
    let parsed = filter.as_ref().ok().and_then(Option::as_ref);
    let permit = permit_for(database, parsed).await?;
    let mut tx = database.single_read().await?;
    let Some(scope) = scope.resolve(&mut tx, kind).await? else {
        return Ok(None);
    };
    let listed = match (options, filter) {
        (Ok(options), Ok(filter)) => {
            list_scope(&mut tx, kind, scope, &options, filter.as_ref()).await
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    drop(permit);
    let has_some = listed.as_ref().is_ok_and(|page| !page.nodes.is_empty());
    if !has_some && scope != Scope::All && !lists::any(&mut tx, kind, scope).await? {
        return Ok(None);
    }
    listed.map(Some)
}

/// A page of the nodes in a resolved scope that match a filter, which is that of the options.
pub(in crate::graph) async fn list_scope(
    tx: &mut Tx,
    kind: Kind,
    scope: Scope,
    options: &ListOptions,
    filter: Option<&Filter>,
) -> Result<NodePage> {
    let filter = filter.map(|filter| filter.predicate(tx.dialect()));
    let page = Page {
        scope,
        filter: filter.as_ref(),
        order_by: options.order_by,
        ascending: options.ascending,
        after: options.after.as_ref(),
        // One more than the page has: its presence means that there is a next page.
        limit: i64::try_from(options.page_size).map_or(i64::MAX, |size| size.saturating_add(1)),
    };
    let mut nodes = lists::page(tx, kind, &page).await?;
    let has_next = nodes.len() > options.page_size;
    nodes.truncate(options.page_size);
    let end = if has_next { end(&nodes, options) } else { None };
    Ok(NodePage { nodes, end })
}

/// The end of a page with these nodes.
fn end(nodes: &[Node], options: &ListOptions) -> Option<PagePosition> {
    let last = nodes.last()?;
    Some(match options.order_by {
        OrderBy::Id => PagePosition::Id(last.id),
        OrderBy::CreateTime => PagePosition::CreateTime {
            time: last.create_time,
            id: last.id,
        },
        OrderBy::UpdateTime => {
            let time = last.update_time;
            let of_time = nodes.iter().rev();
            let of_time = of_time.take_while(|node| node.update_time == time);
            let mut listed_ids: Vec<i64> = of_time.map(|node| node.id).collect();
            // Ids of earlier pages with this time stay listed: the next page starts at the time.
            if let Some(PagePosition::UpdateTime {
                time: before,
                listed_ids: carried,
            }) = &options.after
                && *before == time
            {
                listed_ids.extend(carried);
            }
            PagePosition::UpdateTime { time, listed_ids }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeContent;

    fn node(id: i64, time: i64) -> Node {
        Node {
            id,
            type_id: 10,
            type_name: None,
            content: NodeContent::default(),
            create_time: 0,
            update_time: time,
        }
    }

    #[test]
    fn f7_ids_of_one_time_stay_listed_over_pages() {
        let mut options = ListOptions {
            page_size: 2,
            order_by: OrderBy::UpdateTime,
            ascending: true,
            after: None,
            filter: None,
        };
        for (page, expected) in [
            ([node(1, 5), node(2, 9)], vec![2]),
            ([node(3, 9), node(4, 9)], vec![4, 3, 2]),
            ([node(5, 9), node(6, 10)], vec![6]),
        ] {
            options.after = end(&page, &options);
            let Some(PagePosition::UpdateTime { listed_ids, .. }) = &options.after else {
                panic!("a page by update time ended with {:?}", options.after);
            };
            assert_eq!(*listed_ids, expected);
        }
    }
}
