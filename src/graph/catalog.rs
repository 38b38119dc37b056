//! A catalog of contexts and their members: pages by offset, newest first, and what is the latest
//! of each.

use std::collections::{BTreeMap, HashMap};

use crate::error::Result;
use crate::graph::datasets::versions::NEVER_PRESENT;
use crate::graph::facets;
use crate::graph::ingest::runs::facets::known;
use crate::graph::nodes::read::in_order;
use crate::model::{ExecutionState, Kind, Node, OffsetPage, distinct_ids};
use crate::storage::tables::catalog::{self, ContextScope};
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::{facets as facet_texts, nodes, types};
use crate::storage::{Database, Tx};

/// The most bytes of the texts of facets that are read at once, and the most of one text. More are
/// left out.
const MAX_FACETS_BYTES: usize = 16 << 20;
const MAX_FACET_BYTES: usize = 1 << 20;

/// Which contexts of a catalog are asked for.
#[derive(Clone, Copy, Debug)]
pub struct CatalogQuery<'q> {
    /// The name of their type, without a version.
    pub type_name: &'q str,
    /// The name and the text of a custom property that they have.
    pub property: Option<(&'q str, &'q str)>,
    /// The state of their latest execution.
    pub latest_state: Option<ExecutionState>,
    pub page: OffsetPage,
}

/// A page of nodes.
#[derive(Clone, Debug, Default)]
pub struct CountedNodes {
    /// How many there are on all pages.
    pub total: i64,
    /// Newest first.
    pub nodes: Vec<Node>,
}

/// A text of a custom property, and the times at which the first and the last context with it were
/// created, in milliseconds since epoch.
#[derive(Clone, Debug)]
pub struct PropertyText {
    pub text: String,
    pub first_time: i64,
    pub last_time: i64,
}

/// The contexts and the members of a graph, in pages.
#[derive(Clone, Debug)]
pub struct GraphCatalog(pub(in crate::graph) Database);

impl GraphCatalog {
    /// A page of contexts, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn contexts(&self, query: &CatalogQuery<'_>) -> Result<CountedNodes> {
        let mut tx = self.0.read().await?;
        let type_id = types::id(&mut tx, Kind::Context, query.type_name, None).await?;
        let Some(type_id) = type_id else {
            return Ok(CountedNodes::default());
        };
        let scope = ContextScope {
            type_id,
            property: query.property,
            latest_state: query.latest_state.map(ExecutionState::number),
        };
        let total = catalog::count_contexts(&mut tx, &scope).await?;
        let ids = catalog::contexts(&mut tx, &scope, query.page).await?;
        let nodes = in_order(&mut tx, Kind::Context, &ids).await?;
        Ok(CountedNodes { total, nodes })
    }

    /// A page of the artifacts or the executions in a context, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn members(
        &self,
        kind: Kind,
        context: i64,
        page: OffsetPage,
    ) -> Result<CountedNodes> {
        let mut tx = self.0.read().await?;
        let total = catalog::count_members(&mut tx, kind, context).await?;
        let ids = catalog::members(&mut tx, kind, context, page).await?;
        let nodes = in_order(&mut tx, kind, &ids).await?;
        Ok(CountedNodes { total, nodes })
    }

    /// The ids of the artifacts or the executions in a context that were created by a time in
    /// milliseconds since epoch, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn members_created_by(
        &self,
        kind: Kind,
        context: i64,
        time: i64,
        limit: i64,
    ) -> Result<Vec<i64>> {
        let mut tx = self.0.single_read().await?;
        catalog::members_created_by(&mut tx, kind, context, time, limit).await
    }

    /// The texts that a custom property has among contexts of these types, ascending.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn property_texts(
        &self,
        type_names: &[&str],
        property: &str,
        page: OffsetPage,
    ) -> Result<Vec<PropertyText>> {
        let mut tx = self.0.read().await?;
        let types = type_ids(&mut tx, type_names).await?;
        let rows = catalog::property_texts(&mut tx, &types, property, page).await?;
        let ids = distinct_ids(rows.iter().flat_map(|&(_, first, last)| [first, last]));
        let found = nodes::by_ids(&mut tx, Kind::Context, &ids).await?;
        let times: HashMap<i64, i64> = found.iter().map(|it| (it.id, it.create_time)).collect();
        let time = |id: i64| times.get(&id).copied().unwrap_or_default();
        let text = |(text, first, last)| PropertyText {
            text,
            first_time: time(first),
            last_time: time(last),
        };
        Ok(rows.into_iter().map(text).collect())
    }

    /// Contexts of these types with a text in their names, in any case, among the newest 10,000.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn search(&self, type_names: &[&str], text: &str, limit: i64) -> Result<Vec<Node>> {
        let mut tx = self.0.read().await?;
        let types = type_ids(&mut tx, type_names).await?;
        let ids = catalog::named_like(&mut tx, &types, text, limit).await?;
        in_order(&mut tx, Kind::Context, &ids).await
    }

    /// The contexts of a type with one of these names.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn contexts_by_names(&self, type_name: &str, names: &[String]) -> Result<Vec<Node>> {
        let mut tx = self.0.read().await?;
        let types = type_ids(&mut tx, &[type_name]).await?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = nodes::ids_by_names(&mut tx, Kind::Context, &types, &names).await?;
        // A loose collation can match other texts.
        let exact = found
            .iter()
            .filter(|((_, name), _)| names.contains(&name.as_str()));
        let ids = distinct_ids(exact.map(|(_, id)| *id));
        nodes::by_ids(&mut tx, Kind::Context, &ids).await
    }

    /// The latest execution in each of these contexts that has any, by the id of the context.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn latest_executions(&self, contexts: &[i64]) -> Result<HashMap<i64, Node>> {
        let mut tx = self.0.read().await?;
        let latest = catalog::latest_executions(&mut tx, contexts).await?;
        with_nodes(&mut tx, Kind::Execution, latest).await
    }

    /// The version of each of these datasets that was present at a time, in microseconds since
    /// epoch, by the id of the dataset's context.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn present_versions(
        &self,
        datasets: &[i64],
        microseconds: i64,
    ) -> Result<HashMap<i64, Node>> {
        let mut tx = self.0.read().await?;
        let microseconds = microseconds.min(NEVER_PRESENT - 1);
        let present = catalog::present_versions(&mut tx, datasets, microseconds).await?;
        with_nodes(&mut tx, Kind::Artifact, present).await
    }

    /// The contexts of a type that each of these artifacts or executions is in, by its id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn contexts_of_all(
        &self,
        kind: Kind,
        ids: &[i64],
        type_name: &str,
    ) -> Result<HashMap<i64, Vec<Node>>> {
        let mut tx = self.0.read().await?;
        let found = memberships::find(&mut tx, kind, MembershipEnd::Node, ids).await?;
        let contexts = distinct_ids(found.iter().map(|member| member.context_id));
        let contexts = nodes::of_types(&mut tx, Kind::Context, &contexts, &[type_name]).await?;
        let contexts = nodes::by_ids(&mut tx, Kind::Context, &contexts).await?;
        let contexts: HashMap<i64, Node> =
            contexts.into_iter().map(|node| (node.id, node)).collect();
        let mut of_nodes: HashMap<i64, Vec<Node>> = HashMap::new();
        for member in found {
            if let Some(context) = contexts.get(&member.context_id) {
                let of_node = of_nodes.entry(member.node_id).or_default();
                of_node.push(context.clone());
            }
        }
        Ok(of_nodes)
    }

    /// The texts of the facets of nodes of one kind, by the ids of the nodes and the keys of the
    /// facets. What has more than 1 MiB, and what goes beyond 16 MiB of all, is left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn facets_of_all(
        &self,
        of: &[&Node],
    ) -> Result<HashMap<i64, BTreeMap<String, String>>> {
        let mut tx = self.0.read().await?;
        let mut named = Vec::new();
        for node in of {
            let facets = known(&node.content);
            named.extend(facets.filter_map(|(key, _, digest)| Some((node.id, key, digest?))));
        }
        let digests: Vec<&str> = named.iter().map(|(_, _, digest)| digest.as_str()).collect();
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for (digest, size) in facet_texts::part_sizes(&mut tx, &digests).await? {
            *sizes.entry(digest).or_default() += usize::try_from(size).unwrap_or(usize::MAX);
        }
        let mut room = MAX_FACETS_BYTES;
        sizes.retain(|_, size| {
            let fits = *size <= MAX_FACET_BYTES.min(room);
            room -= if fits { *size } else { 0 };
            fits
        });
        let fitting: Vec<&str> = sizes.keys().map(String::as_str).collect();
        let texts = facets::texts(&mut tx, &fitting).await?;
        let mut of_nodes: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
        for (id, key, digest) in named {
            if let Some(text) = texts.get(&digest) {
                of_nodes.entry(id).or_default().insert(key, text.clone());
            }
        }
        Ok(of_nodes)
    }
}

async fn type_ids(tx: &mut Tx, names: &[&str]) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for name in names {
        ids.extend(types::id(tx, Kind::Context, name, None).await?);
    }
    Ok(ids)
}

/// The node of each key that has one.
async fn with_nodes(
    tx: &mut Tx,
    kind: Kind,
    pairs: Vec<(i64, Option<i64>)>,
) -> Result<HashMap<i64, Node>> {
    let ids = distinct_ids(pairs.iter().filter_map(|(_, id)| *id));
    let found = nodes::by_ids(tx, kind, &ids).await?;
    let found: HashMap<i64, Node> = found.into_iter().map(|node| (node.id, node)).collect();
    let node = |(key, id): (i64, Option<i64>)| Some((key, found.get(&id?)?.clone()));
    Ok(pairs.into_iter().filter_map(node).collect())
}
