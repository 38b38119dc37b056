//! Artifacts, executions and contexts as one thing, for cases that hold for all three.

use std::collections::BTreeMap;
use std::fmt::Debug;

use pedigree::proto::ml_metadata::{
    self as pb, Artifact, Context, Execution, ListOperationOptions, PropertyType, Value,
};

use super::build::mask;
use super::{Ask, Then};

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<N> {
    pub nodes: Vec<N>,
    pub token: Option<String>,
}

impl<N: TestNode> Page<N> {
    pub fn ids(&self) -> Vec<i64> {
        ids(&self.nodes)
    }
}

/// The ids of nodes.
pub fn ids<N: TestNode>(nodes: &[N]) -> Vec<i64> {
    nodes.iter().filter_map(N::node_id).collect()
}

/// What the three kinds of node have in common.
pub trait TestNode: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    const PLURAL: &'static str;

    fn put_type(name: &str, properties: &[(&str, PropertyType)]) -> impl Ask<Answer = i64>;
    fn put_masked(nodes: Vec<Self>, paths: &[&str]) -> impl Ask<Answer = Vec<i64>>;
    fn by_ids(ids: &[i64]) -> impl Ask<Answer = Vec<Self>>;
    fn by_external_ids(ids: &[&str]) -> impl Ask<Answer = Vec<Self>>;
    fn by_name(type_name: &str, name: &str) -> impl Ask<Answer = Option<Self>>;
    fn by_type(
        type_name: &str,
        options: Option<ListOperationOptions>,
    ) -> impl Ask<Answer = Page<Self>>;
    fn list(options: Option<ListOperationOptions>) -> impl Ask<Answer = Page<Self>>;

    fn node_id(&self) -> Option<i64>;
    fn update_time(&self) -> i64;
    fn with_id(self, id: i64) -> Self;
    fn with_type(self, type_id: i64) -> Self;
    fn with_name(self, name: &str) -> Self;
    fn with_external_id(self, external_id: &str) -> Self;
    fn with(self, property: &str, value: Value) -> Self;
    fn with_custom(self, property: &str, value: Value) -> Self;

    fn put(nodes: Vec<Self>) -> impl Ask<Answer = Vec<i64>> {
        Self::put_masked(nodes, &[])
    }

    /// A new node that every kind accepts: contexts need a name.
    fn new(type_id: i64, name: &str) -> Self {
        Self::default().with_type(type_id).with_name(name)
    }
}

macro_rules! test_node {
    (
        $message:ident, $plural:ident $ids:ident,
        $type_message:ident $type_field:ident $put_type:ident,
        $put:ident, $by_ids:ident, $by_external_ids:ident,
        $by_name:ident $name_field:ident $one:ident, $by_type:ident, $list:ident
    ) => {
        impl TestNode for $message {
            const PLURAL: &'static str = stringify!($plural);

            fn put_type(name: &str, properties: &[(&str, PropertyType)]) -> impl Ask<Answer = i64> {
                let $type_field = Some(pb::$type_message {
                    name: Some(name.to_owned()),
                    properties: declared(properties),
                    ..Default::default()
                });
                let request = pb::$put_type {
                    $type_field,
                    ..Default::default()
                };
                Then(request, |answer| answer.type_id())
            }

            fn put_masked($plural: Vec<Self>, paths: &[&str]) -> impl Ask<Answer = Vec<i64>> {
                let update_mask = mask(paths);
                let request = pb::$put {
                    $plural,
                    update_mask,
                    ..Default::default()
                };
                Then(request, |answer| answer.$ids)
            }

            fn by_ids(ids: &[i64]) -> impl Ask<Answer = Vec<Self>> {
                let request = pb::$by_ids {
                    $ids: ids.to_vec(),
                    ..Default::default()
                };
                Then(request, |answer| answer.$plural)
            }

            fn by_external_ids(ids: &[&str]) -> impl Ask<Answer = Vec<Self>> {
                let external_ids = ids.iter().map(ToString::to_string).collect();
                let request = pb::$by_external_ids {
                    external_ids,
                    ..Default::default()
                };
                Then(request, |answer| answer.$plural)
            }

            fn by_name(type_name: &str, name: &str) -> impl Ask<Answer = Option<Self>> {
                let request = pb::$by_name {
                    type_name: Some(type_name.to_owned()),
                    $name_field: Some(name.to_owned()),
                    ..Default::default()
                };
                Then(request, |answer| answer.$one)
            }

            fn by_type(
                type_name: &str,
                options: Option<ListOperationOptions>,
            ) -> impl Ask<Answer = Page<Self>> {
                let type_name = Some(type_name.to_owned());
                let request = pb::$by_type {
                    type_name,
                    options,
                    ..Default::default()
                };
                Then(request, |answer| Page {
                    nodes: answer.$plural,
                    token: answer.next_page_token,
                })
            }

            fn list(options: Option<ListOperationOptions>) -> impl Ask<Answer = Page<Self>> {
                let request = pb::$list {
                    options,
                    ..Default::default()
                };
                Then(request, |answer| Page {
                    nodes: answer.$plural,
                    token: answer.next_page_token,
                })
            }

            fn node_id(&self) -> Option<i64> {
                self.id
            }

            fn update_time(&self) -> i64 {
                self.last_update_time_since_epoch()
            }

            fn with_id(mut self, id: i64) -> Self {
                self.id = Some(id);
                self
            }

            fn with_type(mut self, type_id: i64) -> Self {
                self.type_id = Some(type_id);
                self
            }

            fn with_name(mut self, name: &str) -> Self {
                self.name = Some(name.to_owned());
                self
            }

            fn with_external_id(mut self, external_id: &str) -> Self {
                self.external_id = Some(external_id.to_owned());
                self
            }

            fn with(mut self, property: &str, value: Value) -> Self {
                self.properties.insert(property.to_owned(), value);
                self
            }

            fn with_custom(mut self, property: &str, value: Value) -> Self {
                self.custom_properties.insert(property.to_owned(), value);
                self
            }
        }
    };
}
test_node!(
    Artifact, artifacts artifact_ids,
    ArtifactType artifact_type PutArtifactTypeRequest,
    PutArtifactsRequest, GetArtifactsByIdRequest, GetArtifactsByExternalIdsRequest,
    GetArtifactByTypeAndNameRequest artifact_name artifact,
    GetArtifactsByTypeRequest, GetArtifactsRequest
);
test_node!(
    Execution, executions execution_ids,
    ExecutionType execution_type PutExecutionTypeRequest,
    PutExecutionsRequest, GetExecutionsByIdRequest, GetExecutionsByExternalIdsRequest,
    GetExecutionByTypeAndNameRequest execution_name execution,
    GetExecutionsByTypeRequest, GetExecutionsRequest
);
test_node!(
    Context, contexts context_ids,
    ContextType context_type PutContextTypeRequest,
    PutContextsRequest, GetContextsByIdRequest, GetContextsByExternalIdsRequest,
    GetContextByTypeAndNameRequest context_name context,
    GetContextsByTypeRequest, GetContextsRequest
);

/// The property map of a type.
pub fn declared(properties: &[(&str, PropertyType)]) -> BTreeMap<String, i32> {
    let entry = |(name, data_type): &(&str, PropertyType)| ((*name).to_owned(), *data_type as i32);
    properties.iter().map(entry).collect()
}
