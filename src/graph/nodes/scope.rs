//! The scope of a list.

use crate::error::Result;
use crate::model::Kind;
use crate::storage::Tx;
use crate::storage::tables::lists::Scope;
use crate::storage::tables::types;

/// The nodes that a list is taken from.
#[derive(Clone, Debug)]
pub enum ListScope {
    All,
    /// Nodes of the type with this name and version; none if there is no such type. An empty
    /// version counts as unset.
    Type(String, Option<String>),
    /// Nodes in the context with this id; none if there is no such context.
    Context(i64),
}

impl ListScope {
    /// The scope with the id of its type; `None` if there is no such type.
    pub(in crate::graph) async fn resolve(&self, tx: &mut Tx, kind: Kind) -> Result<Option<Scope>> {
        Ok(match self {
            Self::All => Some(Scope::All),
            Self::Type(name, version) => {
                let version = version.as_deref().filter(|version| !version.is_empty());
                types::id(tx, kind, name, version).await?.map(Scope::Type)
            }
            Self::Context(id) => Some(Scope::Context(*id)),
        })
    }
}
