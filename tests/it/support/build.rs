//! Short ways to write requests and to do what most cases begin with.

use pedigree::proto::ml_metadata::lineage_subgraph_query_options::{
    StartingNodes, StartingNodesOneOf,
};
use pedigree::proto::ml_metadata::list_operation_options::OrderByField;
use pedigree::proto::ml_metadata::list_operation_options::order_by_field::Field;
use pedigree::proto::ml_metadata::{
    self as pb, Artifact, Context, Event, Execution, LineageSubgraphQueryOptions,
    ListOperationOptions, PropertyType, Value, event, value,
};
use prost_types::FieldMask;

use super::{Page, Store, TestNode, Then};

pub const fn int(value: i64) -> Value {
    of(value::Value::IntValue(value))
}

pub const fn double(value: f64) -> Value {
    of(value::Value::DoubleValue(value))
}

pub const fn boolean(value: bool) -> Value {
    of(value::Value::BoolValue(value))
}

pub fn text(value: impl Into<String>) -> Value {
    of(value::Value::StringValue(value.into()))
}

pub const fn of(value: value::Value) -> Value {
    Value { value: Some(value) }
}

/// An update mask, unset when it names nothing.
pub fn mask(paths: &[&str]) -> Option<FieldMask> {
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    (!paths.is_empty()).then_some(FieldMask { paths })
}

/// Options for pages of this size.
pub fn pages_of(size: i32) -> ListOperationOptions {
    ListOperationOptions {
        max_result_size: Some(size),
        ..Default::default()
    }
}

/// Options for what a filter lets through.
pub fn matching(filter: &str) -> ListOperationOptions {
    ListOperationOptions {
        filter_query: Some(filter.to_owned()),
        max_result_size: Some(100),
        ..Default::default()
    }
}

/// More to say about a list.
pub trait ListOptions {
    fn by(self, field: Field, ascending: bool) -> Self;
    fn after(self, token: &str) -> Self;
}

impl ListOptions for ListOperationOptions {
    fn by(mut self, field: Field, ascending: bool) -> Self {
        self.order_by_field = Some(OrderByField {
            field: Some(field.into()),
            is_asc: Some(ascending),
        });
        self
    }

    fn after(mut self, token: &str) -> Self {
        self.next_page_token = Some(token.to_owned());
        self
    }
}

pub fn event(artifact_id: i64, execution_id: i64, event_type: event::Type) -> Event {
    Event {
        artifact_id: Some(artifact_id),
        execution_id: Some(execution_id),
        r#type: Some(event_type.into()),
        ..Default::default()
    }
}

pub fn put_events(events: Vec<Event>) -> pb::PutEventsRequest {
    pb::PutEventsRequest {
        events,
        ..Default::default()
    }
}

/// A request that puts (artifact, context) and (execution, context) together.
pub fn put_members(
    attributions: &[(i64, i64)],
    associations: &[(i64, i64)],
) -> pb::PutAttributionsAndAssociationsRequest {
    let attribution = |&(artifact, context): &(i64, i64)| pb::Attribution {
        artifact_id: Some(artifact),
        context_id: Some(context),
        ..Default::default()
    };
    let association = |&(execution, context): &(i64, i64)| pb::Association {
        execution_id: Some(execution),
        context_id: Some(context),
        ..Default::default()
    };
    pb::PutAttributionsAndAssociationsRequest {
        attributions: attributions.iter().map(attribution).collect(),
        associations: associations.iter().map(association).collect(),
        ..Default::default()
    }
}

/// A request that makes the first of each pair a parent of the second.
pub fn put_parents(pairs: &[(i64, i64)]) -> pb::PutParentContextsRequest {
    let link = |&(parent, child): &(i64, i64)| pb::ParentContext {
        parent_id: Some(parent),
        child_id: Some(child),
        ..Default::default()
    };
    pb::PutParentContextsRequest {
        parent_contexts: pairs.iter().map(link).collect(),
        ..Default::default()
    }
}

/// An artifact of an execution, its event, or both.
pub fn pair(
    artifact: Option<Artifact>,
    event: Option<Event>,
) -> pb::put_execution_request::ArtifactAndEvent {
    pb::put_execution_request::ArtifactAndEvent { artifact, event }
}

/// A question for the lineage of the artifacts that a filter lets through.
pub fn from_artifacts(filter: &str) -> LineageSubgraphQueryOptions {
    LineageSubgraphQueryOptions {
        starting_nodes: Some(StartingNodesOneOf::StartingArtifacts(StartingNodes {
            filter_query: Some(filter.to_owned()),
        })),
        ..Default::default()
    }
}

/// A request for lineage: the parts of it that the paths name, all when there are none.
pub fn lineage(
    options: LineageSubgraphQueryOptions,
    paths: &[&str],
) -> Then<pb::GetLineageSubgraphRequest, pb::LineageGraph> {
    let request = pb::GetLineageSubgraphRequest {
        lineage_subgraph_query_options: Some(options),
        read_mask: mask(paths),
        ..Default::default()
    };
    Then(request, |answer| {
        answer.lineage_subgraph.unwrap_or_default()
    })
}

impl Store {
    /// Puts a type of a kind, which may exist and gain properties.
    pub async fn put_type<N: TestNode>(
        &self,
        name: &str,
        properties: &[(&str, PropertyType)],
    ) -> i64 {
        self.ask(N::put_type(name, properties)).await
    }

    /// Puts one node.
    pub async fn put<N: TestNode>(&self, node: N) -> i64 {
        self.ask(N::put(vec![node])).await[0]
    }

    /// Puts new nodes with these names.
    pub async fn put_named<N: TestNode>(&self, type_id: i64, names: &[&str]) -> Vec<i64> {
        let node = |name: &&str| N::new(type_id, name);
        self.ask(N::put(names.iter().map(node).collect())).await
    }

    /// The node with this id.
    pub async fn get<N: TestNode>(&self, id: i64) -> N {
        self.ask(N::by_ids(&[id])).await.remove(0)
    }

    /// The ids that a filter finds.
    pub async fn find<N: TestNode>(&self, filter: &str) -> Vec<i64> {
        self.ask(N::list(Some(matching(filter)))).await.ids()
    }

    /// Walks a list to its end and returns the ids of each page.
    pub async fn walk<N: TestNode>(&self, options: ListOperationOptions) -> Vec<Vec<i64>> {
        let mut pages = Vec::new();
        let mut next = options.clone();
        loop {
            let Page { nodes, token } = self.ask(N::list(Some(next))).await;
            pages.push(super::node::ids(&nodes));
            assert!(pages.len() < 1000, "the list does not end");
            match token.filter(|token| !token.is_empty()) {
                Some(token) => next = options.clone().after(&token),
                None => return pages,
            }
        }
    }

    /// Two artifacts, two executions and two contexts, with nothing between them: `[a1, a2], [e1,
    /// e2], [c1, c2]`.
    pub async fn put_two_of_each(&self) -> [Vec<i64>; 3] {
        let artifact_type = self.put_type::<Artifact>("A", &[]).await;
        let execution_type = self.put_type::<Execution>("E", &[]).await;
        let context_type = self.put_type::<Context>("C", &[]).await;
        [
            self.put_named::<Artifact>(artifact_type, &["a1", "a2"])
                .await,
            self.put_named::<Execution>(execution_type, &["e1", "e2"])
                .await,
            self.put_named::<Context>(context_type, &["c1", "c2"]).await,
        ]
    }
}
