//! The versions of models that an artifact is, or was at a time, as they were then.

use std::collections::{BTreeMap, BTreeSet};

use super::aliases::AliasMove;
use super::names::{ALIAS_PREFIX, MODEL_VERSION_TYPE, REGISTERED_MODEL_TYPE};
use super::read::GraphRegistry;
use crate::error::Result;
use crate::graph::changes::states::AsOf;
use crate::graph::lineage::as_of::read_as_of;
use crate::model::{Kind, Node, distinct_ids};
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::{alias_moves, nodes};

/// The last moves of an alias that are read.
const MAX_MOVES: i64 = 1000;

/// The versions that an artifact is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionsOfArtifact {
    /// Ascending by the ids of the versions.
    pub versions: Vec<VersionOfArtifact>,
    /// The ids of those of their contexts whose states are today's, though they have changed since
    /// the time that is asked for; ascending.
    pub present_ids: Vec<i64>,
}

/// A version that an artifact is.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionOfArtifact {
    pub version: Node,
    pub model: Node,
    /// The aliases that the model has, by their names, each with its last moves, the newest first.
    pub aliases: Vec<(String, Vec<AliasMove>)>,
}

impl GraphRegistry {
    /// The versions that an artifact is, or was at a time. None for an artifact that does not
    /// exist, or did not.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn versions_of(
        &self,
        artifact: i64,
        as_of: Option<AsOf>,
    ) -> Result<VersionsOfArtifact> {
        if as_of.is_some() {
            // The states of the last commits are in the outbox until then.
            self.0.sequence_outbox().await?;
        }
        let mut tx = self.0.database.read().await?;
        let mut artifacts = vec![artifact];
        if let Some(AsOf { time, .. }) = as_of {
            nodes::retain_created_by(&mut tx, Kind::Artifact, &mut artifacts, time).await?;
        }
        let at = MembershipEnd::Node;
        let found = memberships::find(&mut tx, Kind::Artifact, at, &artifacts).await?;
        let ids = distinct_ids(found.iter().map(|it| it.context_id));
        let types = &[MODEL_VERSION_TYPE];
        let versions = nodes::of_types(&mut tx, Kind::Context, &ids, types).await?;
        let links = memberships::find(&mut tx, Kind::Context, at, &versions).await?;
        let ids = distinct_ids(links.iter().map(|it| it.context_id));
        let types = &[REGISTERED_MODEL_TYPE];
        let models = nodes::of_types(&mut tx, Kind::Context, &ids, types).await?;
        let both = distinct_ids(versions.iter().chain(&models).copied());
        let then = as_of.unwrap_or(AsOf::at(i64::MAX));
        let found = read_as_of(&mut tx, Kind::Context, &both, then).await?;
        let until = as_of.map(|as_of| as_of.time);
        let moves = alias_moves::last_of_models(&mut tx, &models, until, MAX_MOVES).await?;
        let mut of_models: BTreeMap<(i64, String), Vec<AliasMove>> = BTreeMap::new();
        for it in moves {
            let key = (it.context_id, it.alias.clone());
            of_models.entry(key).or_default().push(it.into());
        }
        let node = |id: i64| {
            let place = found.nodes.binary_search_by_key(&id, |node| node.id);
            Some(&found.nodes[place.ok()?])
        };
        let version = |id: i64| {
            let is_model = |id: &i64| models.binary_search(id).is_ok();
            let parents = links.iter().filter(|link| link.node_id == id);
            let model = parents.map(|link| link.context_id).find(is_model)?;
            let (version, model) = (node(id)?.clone(), node(model)?.clone());
            let aliases = aliases(&model).into_iter().map(|alias| {
                let moves = of_models.get(&(model.id, alias.clone()));
                (alias, moves.cloned().unwrap_or_default())
            });
            let aliases = aliases.collect();
            Some(VersionOfArtifact {
                version,
                model,
                aliases,
            })
        };
        Ok(VersionsOfArtifact {
            versions: versions.into_iter().filter_map(version).collect(),
            present_ids: found.present_ids,
        })
    }
}

/// The aliases that a model has.
fn aliases(model: &Node) -> BTreeSet<String> {
    let names = model.content.custom_properties.keys();
    let names = names.filter_map(|name| name.strip_prefix(ALIAS_PREFIX));
    names.map(str::to_owned).collect()
}
