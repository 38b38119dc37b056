//! Datasets with several names: a path, and the name of a table in a catalog. Each name is a
//! context, and all of them have all versions.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::graph::datasets::versions::{ChangedUses, UNKNOWN_TIME};
use crate::graph::edges::memberships;
use crate::model::{Kind, Membership};
use crate::storage::Tx;
use crate::storage::tables::dataset_names::{self, DatasetName};
use crate::storage::tables::memberships::{self as stored_memberships, MembershipEnd, Nodes};

/// Which contexts are names of one dataset.
#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct DatasetGroups {
    /// The dataset of each context that is one of several names.
    datasets: BTreeMap<i64, i64>,
    /// The names of each dataset that has several.
    names: BTreeMap<i64, BTreeSet<i64>>,
}

impl DatasetGroups {
    /// The groups of these contexts. They hold as long as the contexts are locked.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn of(tx: &mut Tx, contexts: &[i64]) -> Result<Self> {
        let mut groups = Self::default();
        for name in dataset_names::of_contexts(tx, contexts).await? {
            groups.add(name.context_id, name.dataset_id);
        }
        Ok(groups)
    }

    fn add(&mut self, context_id: i64, dataset_id: i64) {
        self.datasets.insert(context_id, dataset_id);
        self.names.entry(dataset_id).or_default().insert(context_id);
    }

    /// The id of the dataset of which a context is a name.
    pub(in crate::graph) fn dataset(&self, context_id: i64) -> i64 {
        let dataset = self.datasets.get(&context_id).copied();
        dataset.unwrap_or(context_id)
    }

    /// The ids of all datasets with several names, and of their names.
    pub(in crate::graph) fn ids(&self) -> impl Iterator<Item = i64> {
        self.datasets.keys().copied()
    }

    /// All names of the dataset of which a context is a name.
    pub(in crate::graph) fn names(&self, context_id: i64) -> Vec<i64> {
        match self.names.get(&self.dataset(context_id)) {
            Some(names) => names.iter().copied().collect(),
            None => vec![context_id],
        }
    }

    /// Whether the contexts of each pair are names of one dataset.
    pub(in crate::graph) fn are_united(&self, pairs: &[(i64, i64)]) -> bool {
        let is_united = |&(one, other): &(i64, i64)| self.dataset(one) == self.dataset(other);
        pairs.iter().all(is_united)
    }

    /// Makes one dataset of the contexts of each pair. All names of both are locked, and so is the
    /// structure.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn unite(
        &mut self,
        tx: &mut Tx,
        pairs: &[(i64, i64)],
        changed: &mut ChangedUses,
    ) -> Result<()> {
        let mut lost = BTreeSet::new();
        for &(one, other) in pairs {
            let (one, other) = (self.dataset(one), self.dataset(other));
            if one != other {
                let (kept, given_up) = (one.min(other), one.max(other));
                self.add(kept, kept);
                let names = self.names.remove(&given_up).unwrap_or_default();
                for name in names.into_iter().chain([given_up]) {
                    self.add(name, kept);
                }
                lost.insert(given_up);
            }
        }
        let grown: BTreeSet<i64> = lost.iter().map(|lost| self.dataset(*lost)).collect();
        let names = self.datasets.iter();
        let names = names.filter(|(_, dataset_id)| grown.contains(dataset_id));
        let names = names.map(|(&context_id, &dataset_id)| DatasetName {
            context_id,
            dataset_id,
        });
        let names: Vec<DatasetName> = names.collect();
        dataset_names::put(tx, &names).await?;
        let lost: Vec<i64> = lost.into_iter().collect();
        dataset_names::move_uses(tx, &lost).await?;
        for &dataset_id in &grown {
            changed.note_write(dataset_id, UNKNOWN_TIME);
        }
        let contexts: Vec<i64> = names.iter().map(|name| name.context_id).collect();
        self.share_versions(tx, &contexts).await
    }

    /// Puts the versions in each of these contexts into all names of its dataset.
    async fn share_versions(&self, tx: &mut Tx, contexts: &[i64]) -> Result<()> {
        let at = MembershipEnd::Context;
        let known = stored_memberships::find(tx, Kind::Artifact, at, contexts).await?;
        let mut missing: BTreeSet<(i64, i64)> = BTreeSet::new();
        for member in &known {
            let names = self.names(member.context_id).into_iter();
            missing.extend(names.map(|name| (name, member.node_id)));
        }
        for member in &known {
            missing.remove(&(member.context_id, member.node_id));
        }
        let missing = missing
            .into_iter()
            .map(|(context_id, node_id)| Membership {
                context_id,
                node_id,
            })
            .collect();
        let put = memberships::put_missing(tx, Kind::Artifact, missing, Nodes::Any);
        put.await.map(|_| ())
    }
}
