//! Types that a part of the graph needs.

use crate::error::Result;
use crate::graph::types::put::ensure;
use crate::model::{Kind, NodeType, Origin, PropertyType};
use crate::storage::Tx;
use crate::storage::tables::types;

/// A type, with the properties that it declares.
pub(in crate::graph) type DeclaredType =
    (Kind, &'static str, &'static [(&'static str, PropertyType)]);

/// The ids of the types, if all of them are stored.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn find_declared<const N: usize>(
    tx: &mut Tx,
    declared: [DeclaredType; N],
) -> Result<Option<[i64; N]>> {
    let mut ids = Vec::with_capacity(N);
    for (kind, name, _) in declared {
        ids.extend(types::id(tx, kind, name, None).await?);
    }
    Ok(ids.try_into().ok())
}

/// Stores the types that are missing, and returns the ids of all.
///
/// # Errors
///
/// `AlreadyExists` or `InvalidArgument` when a client has declared another type of such a name.
pub(in crate::graph) async fn store_declared<const N: usize>(
    tx: &mut Tx,
    declared: [DeclaredType; N],
    origin: &Origin,
) -> Result<Option<[i64; N]>> {
    let node_type = |(kind, name, properties): DeclaredType| {
        let properties = properties.iter();
        let properties = properties.map(|(name, of)| ((*name).to_owned(), *of));
        let declared = NodeType {
            name: name.to_owned(),
            properties: properties.collect(),
            ..NodeType::default()
        };
        (kind, declared)
    };
    let ids = ensure(tx, declared.into_iter().map(node_type).collect(), origin).await?;
    Ok(ids.try_into().ok())
}
