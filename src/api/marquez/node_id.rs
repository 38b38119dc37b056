//! Names of jobs and datasets: a namespace and a name, or both joined by a colon.

use serde::Serialize;

use super::ReadRefusal;
use crate::api::call::Call;
use crate::api::marquez::text;
use crate::api::openlineage::names;
use crate::api::openlineage::report::JOB_TYPE;
use crate::error::{Error, Result};
use crate::graph::{DATASET_TYPE, short_name};
use crate::model::{Node, dataset_uri, split_uri};

/// The most colons at which a joined name is split.
const MAX_COLONS: usize = 64;

/// A namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct NamePair {
    pub namespace: String,
    pub name: String,
}

impl NamePair {
    /// The namespace and the name of a context that is a job or a dataset.
    pub(super) fn of(node: &Node) -> Self {
        if let (Some(namespace), Some(name)) = (text(node, "namespace"), text(node, "name")) {
            return Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            };
        }
        // It was stored before contexts had these, or only a facet names it.
        Self::of_uri(node.content.name.as_deref().unwrap_or_default())
    }

    /// Those of the dataset at a URI. A text that cannot be split is the namespace.
    pub(super) fn of_uri(uri: &str) -> Self {
        let (namespace, name) = split_uri(uri).unwrap_or_else(|| (uri.to_owned(), String::new()));
        Self { namespace, name }
    }
}

/// What a node of a lineage graph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum NodeSort {
    Job,
    Dataset,
}

impl NodeSort {
    /// The type of the contexts.
    pub(super) const fn type_name(self) -> &'static str {
        match self {
            Self::Job => JOB_TYPE,
            Self::Dataset => DATASET_TYPE,
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Dataset => "dataset",
        }
    }

    /// The name of the context that these identify.
    fn context_name(self, namespace: &str, name: &str) -> String {
        let full = match self {
            Self::Job => names::job(namespace, name),
            Self::Dataset => dataset_uri(namespace, name),
        };
        short_name(full.into()).into_owned()
    }

    /// The context that these identify.
    ///
    /// # Errors
    ///
    /// 404 when there is none.
    pub(super) async fn find(
        self,
        call: &Call,
        namespace: &str,
        name: &str,
    ) -> Result<Node, ReadRefusal> {
        let name = self.context_name(namespace, name);
        let type_name = self.type_name();
        let mut found = call
            .graph
            .catalog()
            .contexts_by_names(type_name, &[name])
            .await?;
        found
            .pop()
            .ok_or_else(|| ReadRefusal::not_found(self.prefix()))
    }

    /// The context of a namespace and a name that are joined by a colon, which both can have too:
    /// what is known decides.
    pub(super) async fn find_joined(self, call: &Call, joined: &str) -> Result<Option<Node>> {
        let colons = joined.match_indices(':').take(MAX_COLONS);
        let split = |(at, _): (usize, &str)| self.context_name(&joined[..at], &joined[at + 1..]);
        let names: Vec<String> = colons.map(split).collect();
        let found = call
            .graph
            .catalog()
            .contexts_by_names(self.type_name(), &names)
            .await?;
        let is_exact = |node: &&Node| {
            let pair = NamePair::of(node);
            joined == format!("{}:{}", pair.namespace, pair.name)
        };
        let exact = found.iter().find(is_exact);
        Ok(exact.or(found.first()).cloned())
    }

    /// The id of a node in a lineage graph.
    pub(super) fn id(self, node: &Node) -> String {
        let NamePair { namespace, name } = NamePair::of(node);
        format!("{}:{namespace}:{name}", self.prefix())
    }
}

/// A node id: what it is, and the rest.
pub(super) fn parse(id: &str) -> Result<(NodeSort, &str)> {
    match id.split_once(':') {
        Some(("job", rest)) => Ok((NodeSort::Job, rest)),
        Some(("dataset", rest)) => Ok((NodeSort::Dataset, rest)),
        _ => Err(Error::invalid(
            "nodeId must be job:NAMESPACE:NAME or dataset:NAMESPACE:NAME",
        )),
    }
}
