//! The scope of a list.

use crate::error::Result;
use crate::model::Kind;
use crate::storage::Tx;
use crate::storage::tables::lists::Scope;
use crate::storage::tables::types;

/// What a list is about.
#[derive(Clone, Debug)]
pub enum Within {
    All,
    /// Nodes of the type with this name and version, of none when there is no such type. An empty version is none.
    Type(String, Option<String>),
    /// Nodes in the context with this id, of none when there is no such context.
    Context(i64),
}

impl Within {
    /// The same as the database knows it; `None` when there can be no such nodes.
    pub(in crate::graph) async fn scope(&self, tx: &mut Tx, kind: Kind) -> Result<Option<Scope>> {
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
