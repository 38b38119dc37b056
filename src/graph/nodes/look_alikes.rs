//! Names and external ids that a database takes for equal, although they differ.
//!
//! MySQL's usual collations ignore case, accents and trailing blanks. A unique key then refuses a
//! node of which no namesake exists.

use crate::error::{Error, Result};
use crate::model::{Kind, Node, NodeContent, NodeInput};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// A node whose key a database refused.
pub(in crate::graph) struct Refused<'a> {
    /// Unset for a new node.
    pub id: Option<i64>,
    pub type_id: i64,
    pub content: &'a NodeContent,
}

impl<'a> Refused<'a> {
    /// `None` for a node without a type, which is refused for that.
    pub(in crate::graph) fn new(node: &'a NodeInput) -> Option<Self> {
        Some(Self {
            id: None,
            type_id: node.type_id?,
            content: &node.content,
        })
    }

    pub(in crate::graph) fn stored(node: &'a Node) -> Self {
        Self {
            id: Some(node.id),
            type_id: node.type_id,
            content: &node.content,
        }
    }
}

/// Replaces the error of a unique key by `InvalidArgument` where no stored node and no other one of
/// these has the same name or external id, letter by letter.
pub(in crate::graph) async fn explain(
    tx: &mut Tx,
    kind: Kind,
    refused: &[Refused<'_>],
    error: Error,
) -> Error {
    if !matches!(error, Error::AlreadyExists(_)) || !tx.dialect().has_loose_collation() {
        return error;
    }
    match has_namesake(tx, kind, refused).await {
        Ok(true) => error,
        Ok(false) => Error::invalid(format!(
            "The database takes the name or the external id of {} for that of another one, because \
             its collation ignores case, accents or trailing blanks",
            if let [_] = refused {
                format!("the {}", kind.noun())
            } else {
                format!("one of the {}", kind.plural())
            }
        )),
        Err(error) => error,
    }
}

async fn has_namesake(tx: &mut Tx, kind: Kind, refused: &[Refused<'_>]) -> Result<bool> {
    let contents = refused.iter().map(|node| node.content);
    let names: Vec<&str> = contents
        .clone()
        .filter_map(|content| content.name.as_deref())
        .collect();
    let external_ids: Vec<&str> = contents
        .filter_map(|content| content.external_id.as_deref())
        .collect();
    let type_ids: Vec<i64> = refused.iter().map(|node| node.type_id).collect();
    let mut by_name = nodes::ids_by_names(tx, kind, &type_ids, &names).await?;
    let mut by_external_id = nodes::ids_by_external_ids(tx, kind, &external_ids).await?;
    // A node that comes later in the request has an id that no stored one has.
    for (place, node) in (1..).zip(refused) {
        let own = node.id.unwrap_or(-place);
        let content = node.content;
        if let Some(name) = &content.name
            && *by_name.entry((node.type_id, name.clone())).or_insert(own) != own
        {
            return Ok(true);
        }
        if let Some(external_id) = &content.external_id
            && *by_external_id.entry(external_id.clone()).or_insert(own) != own
        {
            return Ok(true);
        }
    }
    Ok(false)
}
