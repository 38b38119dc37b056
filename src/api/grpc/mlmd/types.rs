//! Methods about types.

use std::collections::BTreeMap;

use super::{Put, Rpc, signature};
use crate::api::call::Call;
use crate::error::Result;
use crate::graph::PutTypes;
use crate::model::{BaseType, Kind, NodeType, PropertyType, SIMPLE_TYPES, Stored};
use crate::proto::ml_metadata as pb;

/// A message that is a type of one kind of node.
pub(in crate::api) trait TypeMessage: Sized + Default {
    const KIND: Kind;

    fn into_model(self) -> Result<NodeType>;
    fn from_model(stored: Stored<NodeType>) -> Result<Self>;

    fn all_from_model(stored: Vec<Stored<NodeType>>) -> Result<Vec<Self>> {
        stored.into_iter().map(Self::from_model).collect()
    }
}

/// Implements [`TypeMessage`]. The messages have the same fields, but for the two of signatures.
macro_rules! type_message {
    ($message:ident, $kind:ident $(, $input:ident, $output:ident)?) => {
        impl TypeMessage for pb::$message {
            const KIND: Kind = Kind::$kind;

            fn into_model(self) -> Result<NodeType> {
                Ok(NodeType {
                    name: self.name.unwrap_or_default(),
                    version: self.version.filter(|version| !version.is_empty()),
                    description: self.description,
                    external_id: self.external_id,
                    properties: properties_in(self.properties),
                    base_type: base_type_in(Self::KIND, self.base_type),
                    input_type: None$(.or(signature::to_json(self.$input.as_ref())?))?,
                    output_type: None$(.or(signature::to_json(self.$output.as_ref())?))?,
                })
            }

            fn from_model(stored: Stored<NodeType>) -> Result<Self> {
                let Stored { id, value: stored } = stored;
                Ok(Self {
                    id: Some(id),
                    name: Some(stored.name),
                    version: stored.version,
                    description: stored.description,
                    external_id: stored.external_id,
                    properties: properties_out(stored.properties),
                    base_type: base_type_out(Self::KIND, stored.base_type),
                    $($input: signature::from_json(stored.input_type.as_deref())?,)?
                    $($output: signature::from_json(stored.output_type.as_deref())?,)?
                })
            }
        }
    };
}
type_message!(ArtifactType, Artifact);
type_message!(ExecutionType, Execution, input_type, output_type);
type_message!(ContextType, Context);

/// Leaves out properties whose type is a number that the protocol does not declare.
fn properties_in(given: BTreeMap<String, i32>) -> BTreeMap<String, PropertyType> {
    given
        .into_iter()
        .filter_map(|(name, number)| Some((name, PropertyType::from_number(number.into())?)))
        .collect()
}

fn properties_out(stored: BTreeMap<String, PropertyType>) -> BTreeMap<String, i32> {
    let number = |(name, property): (String, PropertyType)| (name, property.number());
    stored.into_iter().map(number).collect()
}

/// The simple types of a kind, in the order of their numbers. Numbers count from 1; 0 is UNSET.
fn simple_types(kind: Kind) -> impl Iterator<Item = &'static str> {
    SIMPLE_TYPES
        .into_iter()
        .filter(move |(of, _)| *of == kind)
        .map(|(_, name)| name)
}

fn base_type_in(kind: Kind, number: Option<i32>) -> Option<BaseType> {
    match usize::try_from(number?).ok()?.checked_sub(1) {
        None => Some(BaseType::Unset),
        Some(index) => simple_types(kind).nth(index).map(BaseType::Simple),
    }
}

fn base_type_out(kind: Kind, base: Option<BaseType>) -> Option<i32> {
    match base? {
        BaseType::Unset => Some(0),
        BaseType::Simple(name) => simple_types(kind)
            .zip(1..)
            .find(|(simple, _)| *simple == name)
            .map(|(_, number)| number),
    }
}

fn models<T: TypeMessage>(
    given: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = Result<(Kind, NodeType)>> {
    given
        .into_iter()
        .map(|given| Ok((T::KIND, given.into_model()?)))
}

/// The types of one message. A missing type is an empty one, which the graph refuses.
fn one<T: TypeMessage>(given: Option<T>) -> Result<Vec<(Kind, NodeType)>> {
    models([given.unwrap_or_default()]).collect()
}

impl Put for pb::PutTypesRequest {
    type Change = PutTypes;
    /// How many artifact types and execution types come first in the answer.
    type Shape = [usize; 2];
    type Response = pb::PutTypesResponse;

    fn change(self) -> Result<(PutTypes, [usize; 2])> {
        let counts = [self.artifact_types.len(), self.execution_types.len()];
        let change = PutTypes {
            can_add_fields: self.can_add_fields(),
            can_omit_fields: self.can_omit_fields(),
            partial_match: !self.all_fields_match(),
            types: models(self.artifact_types)
                .chain(models(self.execution_types))
                .chain(models(self.context_types))
                .collect::<Result<_>>()?,
        };
        Ok((change, counts))
    }

    async fn is_stored(call: &Call, change: &PutTypes) -> Result<bool> {
        call.graph.has_types(change).await
    }

    fn response([artifacts, executions]: [usize; 2], ids: Vec<i64>) -> Self::Response {
        let mut ids = ids.into_iter();
        pb::PutTypesResponse {
            artifact_type_ids: ids.by_ref().take(artifacts).collect(),
            execution_type_ids: ids.by_ref().take(executions).collect(),
            context_type_ids: ids.collect(),
        }
    }
}

impl Put for pb::PutArtifactTypeRequest {
    type Change = PutTypes;
    type Shape = ();
    type Response = pb::PutArtifactTypeResponse;

    fn change(self) -> Result<(PutTypes, ())> {
        let change = PutTypes {
            can_add_fields: self.can_add_fields(),
            can_omit_fields: self.can_omit_fields(),
            partial_match: !self.all_fields_match(),
            types: one(self.artifact_type)?,
        };
        Ok((change, ()))
    }

    async fn is_stored(call: &Call, change: &PutTypes) -> Result<bool> {
        call.graph.has_types(change).await
    }

    fn response((): (), ids: Vec<i64>) -> Self::Response {
        pb::PutArtifactTypeResponse {
            type_id: ids.first().copied(),
        }
    }
}

impl Put for pb::PutExecutionTypeRequest {
    type Change = PutTypes;
    type Shape = ();
    type Response = pb::PutExecutionTypeResponse;

    fn change(self) -> Result<(PutTypes, ())> {
        let change = PutTypes {
            can_add_fields: self.can_add_fields(),
            can_omit_fields: self.can_omit_fields(),
            partial_match: !self.all_fields_match(),
            types: one(self.execution_type)?,
        };
        Ok((change, ()))
    }

    async fn is_stored(call: &Call, change: &PutTypes) -> Result<bool> {
        call.graph.has_types(change).await
    }

    fn response((): (), ids: Vec<i64>) -> Self::Response {
        pb::PutExecutionTypeResponse {
            type_id: ids.first().copied(),
        }
    }
}

impl Put for pb::PutContextTypeRequest {
    type Change = PutTypes;
    type Shape = ();
    type Response = pb::PutContextTypeResponse;

    fn change(self) -> Result<(PutTypes, ())> {
        let change = PutTypes {
            can_add_fields: self.can_add_fields(),
            can_omit_fields: self.can_omit_fields(),
            partial_match: !self.all_fields_match(),
            types: one(self.context_type)?,
        };
        Ok((change, ()))
    }

    async fn is_stored(call: &Call, change: &PutTypes) -> Result<bool> {
        call.graph.has_types(change).await
    }

    fn response((): (), ids: Vec<i64>) -> Self::Response {
        pb::PutContextTypeResponse {
            type_id: ids.first().copied(),
        }
    }
}

async fn by_name<T: TypeMessage>(call: &Call, name: &str, version: Option<&str>) -> Result<T> {
    T::from_model(call.graph.type_by_name(T::KIND, name, version).await?)
}

async fn by_ids<T: TypeMessage>(call: &Call, ids: &[i64]) -> Result<Vec<T>> {
    T::all_from_model(call.graph.types_by_ids(T::KIND, ids).await?)
}

async fn by_external_ids<T: TypeMessage>(call: &Call, ids: &[String]) -> Result<Vec<T>> {
    T::all_from_model(call.graph.types_by_external_ids(T::KIND, ids).await?)
}

async fn of_kind<T: TypeMessage>(call: &Call) -> Result<Vec<T>> {
    T::all_from_model(call.graph.types(T::KIND).await?)
}

impl Rpc for pb::GetArtifactTypeRequest {
    type Response = pb::GetArtifactTypeResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = by_name(call, self.type_name(), self.type_version.as_deref()).await?;
        Ok(pb::GetArtifactTypeResponse {
            artifact_type: Some(found),
        })
    }
}

impl Rpc for pb::GetExecutionTypeRequest {
    type Response = pb::GetExecutionTypeResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = by_name(call, self.type_name(), self.type_version.as_deref()).await?;
        Ok(pb::GetExecutionTypeResponse {
            execution_type: Some(found),
        })
    }
}

impl Rpc for pb::GetContextTypeRequest {
    type Response = pb::GetContextTypeResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = by_name(call, self.type_name(), self.type_version.as_deref()).await?;
        Ok(pb::GetContextTypeResponse {
            context_type: Some(found),
        })
    }
}

impl Rpc for pb::GetArtifactTypesRequest {
    type Response = pb::GetArtifactTypesResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let artifact_types = of_kind(call).await?;
        Ok(pb::GetArtifactTypesResponse { artifact_types })
    }
}

impl Rpc for pb::GetExecutionTypesRequest {
    type Response = pb::GetExecutionTypesResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let execution_types = of_kind(call).await?;
        Ok(pb::GetExecutionTypesResponse { execution_types })
    }
}

impl Rpc for pb::GetContextTypesRequest {
    type Response = pb::GetContextTypesResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let context_types = of_kind(call).await?;
        Ok(pb::GetContextTypesResponse { context_types })
    }
}

impl Rpc for pb::GetArtifactTypesByIdRequest {
    type Response = pb::GetArtifactTypesByIdResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let artifact_types = by_ids(call, &self.type_ids).await?;
        Ok(pb::GetArtifactTypesByIdResponse { artifact_types })
    }
}

impl Rpc for pb::GetExecutionTypesByIdRequest {
    type Response = pb::GetExecutionTypesByIdResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let execution_types = by_ids(call, &self.type_ids).await?;
        Ok(pb::GetExecutionTypesByIdResponse { execution_types })
    }
}

impl Rpc for pb::GetContextTypesByIdRequest {
    type Response = pb::GetContextTypesByIdResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let context_types = by_ids(call, &self.type_ids).await?;
        Ok(pb::GetContextTypesByIdResponse { context_types })
    }
}

impl Rpc for pb::GetArtifactTypesByExternalIdsRequest {
    type Response = pb::GetArtifactTypesByExternalIdsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let artifact_types = by_external_ids(call, &self.external_ids).await?;
        Ok(pb::GetArtifactTypesByExternalIdsResponse { artifact_types })
    }
}

impl Rpc for pb::GetExecutionTypesByExternalIdsRequest {
    type Response = pb::GetExecutionTypesByExternalIdsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let execution_types = by_external_ids(call, &self.external_ids).await?;
        Ok(pb::GetExecutionTypesByExternalIdsResponse { execution_types })
    }
}

impl Rpc for pb::GetContextTypesByExternalIdsRequest {
    type Response = pb::GetContextTypesByExternalIdsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let context_types = by_external_ids(call, &self.external_ids).await?;
        Ok(pb::GetContextTypesByExternalIdsResponse { context_types })
    }
}
