//! Registered models and their versions, found by their names or by a search.

use std::collections::{BTreeMap, HashMap};

use super::aliases::AliasMove;
use super::models::{self, RegisteredModel, is_deleted};
use super::names::{VERSION_PROPERTIES, alias_property, version_name};
use super::schema::RegistryTypes;
use super::versions::{self, ModelVersion};
use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::nodes::read::in_order;
use crate::graph::tracking::fields::text;
use crate::model::{Kind, Node, RegistryField, TrackingQuery, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::tracking::registered as registered_rows;
use crate::storage::tables::{alias_moves, nodes, versions as version_rows};

/// The registered models of a graph.
#[derive(Clone, Debug)]
pub struct GraphRegistry(pub(in crate::graph) History);

/// A registered model with the latest version in each stage, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredModelData {
    pub model: RegisteredModel,
    pub latest: Vec<ModelVersion>,
}

/// The version that an alias names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasedVersion {
    pub version: ModelVersion,
    /// The artifacts that the version is, ascending.
    pub artifacts: Vec<i64>,
    /// How the alias came to name it; `None` if another client has set it.
    pub last_move: Option<AliasMove>,
}

impl GraphRegistry {
    /// Begins a read. `None` for a store without registered models.
    async fn begin(&self) -> Result<Option<(Tx, RegistryTypes)>> {
        let mut tx = self.0.database.read().await?;
        let types = RegistryTypes::find(&mut tx).await?;
        Ok(types.map(|types| (tx, types)))
    }

    /// A model.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none.
    pub async fn model(&self, name: &str) -> Result<RegisteredModelData> {
        let missing = || models::unknown(name);
        let (mut tx, types) = self.begin().await?.ok_or_else(missing)?;
        let found = model_node(&mut tx, types, name).await?;
        let found = with_latest(&mut tx, types, vec![found]).await?.pop();
        found.ok_or_else(missing)
    }

    /// A page of the models that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn models(
        &self,
        asked: &TrackingQuery<RegistryField>,
    ) -> Result<Vec<RegisteredModelData>> {
        let Some((mut tx, types)) = self.begin().await? else {
            return Ok(Vec::new());
        };
        let deleted = VERSION_PROPERTIES.deleted;
        let ids = registered_rows::search_models(&mut tx, types.model, deleted, asked).await?;
        let found = in_order(&mut tx, Kind::Context, &ids).await?;
        with_latest(&mut tx, types, found).await
    }

    /// A version of a model.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none.
    pub async fn version(&self, model: &str, version: &str) -> Result<ModelVersion> {
        let missing = || versions::unknown(model, version);
        let (mut tx, types) = self.begin().await?.ok_or_else(missing)?;
        let id = models::find(&mut tx, types, model).await?;
        let id = id.ok_or_else(missing)?;
        let found = nodes::by_ids(&mut tx, Kind::Context, &[id]).await?.pop();
        let parent = found.ok_or_else(missing)?;
        let found = versions::find(&mut tx, types, id, version).await?;
        Ok(ModelVersion::of(&found.ok_or_else(missing)?, &parent))
    }

    /// A page of the versions that a search finds.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn versions(
        &self,
        asked: &TrackingQuery<RegistryField>,
    ) -> Result<Vec<ModelVersion>> {
        let Some((mut tx, types)) = self.begin().await? else {
            return Ok(Vec::new());
        };
        let of = (types.model, types.version);
        let deleted = VERSION_PROPERTIES.deleted;
        let ids = registered_rows::search_versions(&mut tx, of, deleted, asked).await?;
        let found = in_order(&mut tx, Kind::Context, &ids).await?;
        of_models(&mut tx, types, &found).await
    }

    /// The version that an alias of a model names, if it names one.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown model.
    pub async fn aliased(&self, model: &str, alias: &str) -> Result<Option<AliasedVersion>> {
        let missing = || models::unknown(model);
        let (mut tx, types) = self.begin().await?.ok_or_else(missing)?;
        let parent = model_node(&mut tx, types, model).await?;
        let version = text(&parent.content.custom_properties, &alias_property(alias));
        let found = versions::find(&mut tx, types, parent.id, &version).await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let end = MembershipEnd::Context;
        let artifacts = memberships::find(&mut tx, Kind::Artifact, end, &[found.id]).await?;
        let last = alias_moves::last(&mut tx, parent.id, alias, 1).await?.pop();
        Ok(Some(AliasedVersion {
            version: ModelVersion::of(&found, &parent),
            artifacts: artifacts.into_iter().map(|it| it.node_id).collect(),
            last_move: last.filter(|last| last.after == version).map(Into::into),
        }))
    }

    /// The last moves of an alias of a model, the newest first.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown model.
    pub async fn alias_history(
        &self,
        model: &str,
        alias: &str,
        limit: i64,
    ) -> Result<Vec<AliasMove>> {
        let missing = || models::unknown(model);
        let (mut tx, types) = self.begin().await?.ok_or_else(missing)?;
        let id = models::find(&mut tx, types, model).await?;
        let id = id.ok_or_else(missing)?;
        let found = alias_moves::last(&mut tx, id, alias, limit).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// The artifacts that versions are, by the ids of their contexts.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn artifacts(&self, versions: &[ModelVersion]) -> Result<BTreeMap<i64, Vec<i64>>> {
        let ids: Vec<i64> = versions.iter().map(|version| version.id).collect();
        let mut tx = self.0.database.read().await?;
        let end = MembershipEnd::Context;
        let mut artifacts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for member in memberships::find(&mut tx, Kind::Artifact, end, &ids).await? {
            let of_version = artifacts.entry(member.context_id).or_default();
            of_version.push(member.node_id);
        }
        Ok(artifacts)
    }
}

/// The context of a model.
async fn model_node(tx: &mut Tx, types: RegistryTypes, name: &str) -> Result<Node> {
    let missing = || models::unknown(name);
    let id = models::find(tx, types, name).await?.ok_or_else(missing)?;
    let found = nodes::by_ids(tx, Kind::Context, &[id]).await?.pop();
    found
        .filter(|node| !is_deleted(&node.content))
        .ok_or_else(missing)
}

/// Models with their latest versions, in the same order.
async fn with_latest(
    tx: &mut Tx,
    types: RegistryTypes,
    found: Vec<Node>,
) -> Result<Vec<RegisteredModelData>> {
    let ids: Vec<i64> = found.iter().map(|node| node.id).collect();
    let latest = version_rows::latest(tx, &ids, &VERSION_PROPERTIES).await?;
    let names = latest.iter();
    let names = names.map(|(model, number)| version_name(*model, &number.to_string()));
    let names: Vec<String> = names.collect();
    let texts: Vec<&str> = names.iter().map(String::as_str).collect();
    let known = nodes::ids_by_names(tx, Kind::Context, &[types.version], &texts).await?;
    let known = distinct_ids(known.into_values());
    let known = nodes::by_ids(tx, Kind::Context, &known).await?;
    let known: HashMap<String, Node> = known
        .into_iter()
        .filter_map(|node| Some((node.content.name.clone()?, node)))
        .collect();
    let mut of_models: HashMap<i64, Vec<(i64, &Node)>> = HashMap::new();
    for ((model, number), name) in latest.into_iter().zip(&names) {
        if let Some(node) = known.get(name) {
            of_models.entry(model).or_default().push((number, node));
        }
    }
    let data = |node: &Node| {
        let mut latest = of_models.remove(&node.id).unwrap_or_default();
        latest.sort_unstable_by_key(|(number, _)| *number);
        let latest = latest.into_iter();
        RegisteredModelData {
            model: RegisteredModel::of(node),
            latest: latest
                .map(|(_, version)| ModelVersion::of(version, node))
                .collect(),
        }
    };
    Ok(found.iter().map(data).collect())
}

/// Versions with what their models say of them, in the same order.
async fn of_models(tx: &mut Tx, types: RegistryTypes, found: &[Node]) -> Result<Vec<ModelVersion>> {
    let ids: Vec<i64> = found.iter().map(|node| node.id).collect();
    let links = memberships::find(tx, Kind::Context, MembershipEnd::Node, &ids).await?;
    let parents = distinct_ids(links.iter().map(|link| link.context_id));
    let parents = nodes::by_ids(tx, Kind::Context, &parents)
        .await?
        .into_iter();
    let parents = parents.filter(|node| node.type_id == types.model);
    let parents: HashMap<i64, Node> = parents.map(|node| (node.id, node)).collect();
    let mut model_of: HashMap<i64, &Node> = HashMap::new();
    for link in &links {
        if let Some(parent) = parents.get(&link.context_id) {
            model_of.insert(link.node_id, parent);
        }
    }
    let version = |node: &Node| Some(ModelVersion::of(node, model_of.get(&node.id)?));
    Ok(found.iter().filter_map(version).collect())
}
