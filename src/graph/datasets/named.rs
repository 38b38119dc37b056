//! Datasets that a client names by their URIs alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::graph::datasets::groups::DatasetGroups;
use crate::graph::datasets::join::{self, DATASET_TYPE, NamedDataset, dataset_name};
use crate::graph::datasets::versions::ChangedUses;
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::graph::types::put::ensure;
use crate::model::{
    Kind, NodeContent, NodeInput, NodeType, Origin, Properties, Value, canonical_uri, split_uri,
};
use crate::storage::Tx;
use crate::storage::tables::{locks, nodes};

/// Datasets that are locked.
#[derive(Debug)]
pub(in crate::graph) struct NamedUris {
    type_id: i64,
    /// The contexts that came into being, with their canonical URIs.
    new: Vec<(i64, String)>,
}

/// Creates the datasets at these URIs that no client has named yet, and locks all of them. No
/// execution is locked before.
///
/// # Errors
///
/// `Contention` when a lock is not acquired in time.
pub(in crate::graph) async fn name(
    tx: &mut Tx,
    uris: &BTreeSet<&str>,
    origin: &Origin,
) -> Result<NamedUris> {
    let declared = NodeType {
        name: DATASET_TYPE.to_owned(),
        ..NodeType::default()
    };
    let types = ensure(tx, vec![(Kind::Context, declared)], origin).await?;
    let type_id = types.first().copied();
    let type_id = type_id.ok_or_else(|| Error::internal("the type of datasets has no id"))?;
    let names: BTreeMap<String, &str> = uris.iter().map(|uri| (dataset_name(uri), *uri)).collect();
    let texts: Vec<&str> = names.keys().map(String::as_str).collect();
    let known = nodes::ids_by_names(tx, Kind::Context, &[type_id], &texts).await?;
    let missing = names
        .iter()
        .filter(|(name, _)| !known.contains_key(&(type_id, (*name).clone())));
    let missing: Vec<(NodeInput, String)> = missing
        .map(|(name, uri)| (context(type_id, name, uri), canonical_uri(uri).into_owned()))
        .collect();
    let options = PutOptions {
        on_conflict: OnConflict::Retry,
        ..PutOptions::default()
    };
    let coming = missing.iter().map(|(node, _)| node);
    let mut writer = NodeWriter::new(tx, Kind::Context, coming, options, origin.time).await?;
    for (node, _) in &missing {
        writer.put(tx, Cow::Borrowed(node)).await?;
    }
    let ids = writer.finish(tx).await?;
    let stored: Vec<i64> = known.into_values().collect();
    locks::nodes(tx, Kind::Context, &stored).await?;
    let uris = missing.into_iter().map(|(_, uri)| uri);
    Ok(NamedUris {
        type_id,
        new: ids.into_iter().zip(uris).collect(),
    })
}

/// A new dataset, with the namespace and the name in it that its URI stands for.
fn context(type_id: i64, name: &str, uri: &str) -> NodeInput {
    let pair = split_uri(uri).map(|(namespace, name)| [("namespace", namespace), ("name", name)]);
    let texts = pair.into_iter().flatten();
    let texts = texts.map(|(key, text)| (key.to_owned(), Value::String(text)));
    let custom_properties: Properties = texts.filter(|(_, it)| it.defect().is_none()).collect();
    NodeInput {
        type_id: Some(type_id),
        content: NodeContent {
            name: Some(name.to_owned()),
            custom_properties,
            ..NodeContent::default()
        },
        ..NodeInput::default()
    }
}

impl NamedUris {
    /// Lets artifacts with these URIs join the datasets, and with a new dataset all artifacts that
    /// were at its URI before.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn join(
        self,
        tx: &mut Tx,
        artifacts: &BTreeMap<i64, Cow<'_, str>>,
        now: i64,
    ) -> Result<()> {
        join::of_type(tx, self.type_id, artifacts, &[], now).await?;
        let named = self.new.iter().map(|(context_id, uri)| NamedDataset {
            context_id: *context_id,
            created: now,
            uri,
        });
        let named: Vec<NamedDataset<'_>> = named.collect();
        let mut changed = ChangedUses::default();
        // A new dataset has one name.
        join::adopt(tx, &named, &DatasetGroups::default(), &mut changed, now).await?;
        changed.settle(tx, now).await
    }
}
