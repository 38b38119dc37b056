//! RPCs about types.

use std::collections::BTreeMap;

use super::signature;
use super::{put, rpc};
use crate::error::Result;
use crate::graph::PutTypes;
use crate::model::{BaseType, Kind, NodeType, PropertyType, SIMPLE_TYPES};
use crate::proto::ml_metadata::{
    ArtifactType, ContextType, ExecutionType, GetArtifactTypeRequest, GetArtifactTypeResponse,
    GetArtifactTypesByExternalIdsRequest, GetArtifactTypesByExternalIdsResponse,
    GetArtifactTypesByIdRequest, GetArtifactTypesByIdResponse, GetArtifactTypesRequest,
    GetArtifactTypesResponse, GetContextTypeRequest, GetContextTypeResponse,
    GetContextTypesByExternalIdsRequest, GetContextTypesByExternalIdsResponse,
    GetContextTypesByIdRequest, GetContextTypesByIdResponse, GetContextTypesRequest,
    GetContextTypesResponse, GetExecutionTypeRequest, GetExecutionTypeResponse,
    GetExecutionTypesByExternalIdsRequest, GetExecutionTypesByExternalIdsResponse,
    GetExecutionTypesByIdRequest, GetExecutionTypesByIdResponse, GetExecutionTypesRequest,
    GetExecutionTypesResponse, PutArtifactTypeRequest, PutArtifactTypeResponse,
    PutContextTypeRequest, PutContextTypeResponse, PutExecutionTypeRequest,
    PutExecutionTypeResponse, PutTypesRequest, PutTypesResponse,
};

/// A message that describes a type of one kind.
pub(in crate::api) trait WireType: Sized + Default {
    const KIND: Kind;

    fn into_model(self) -> Result<NodeType>;
    fn from_model(stored: NodeType) -> Result<Self>;

    fn all_from_model(stored: Vec<NodeType>) -> Result<Vec<Self>> {
        stored.into_iter().map(Self::from_model).collect()
    }
}

macro_rules! wire_type {
    ($message:ident, $kind:ident $(, $input:ident, $output:ident)?) => {
        impl WireType for $message {
            const KIND: Kind = Kind::$kind;

            fn into_model(self) -> Result<NodeType> {
                Ok(NodeType {
                    id: None,
                    name: self.name.unwrap_or_default(),
                    version: self.version.filter(|version| !version.is_empty()),
                    description: self.description,
                    external_id: self.external_id,
                    properties: declared(self.properties),
                    base_type: self.base_type.and_then(|number| base_type(Self::KIND, number)),
                    input_type: None$(.or(signature::to_json(self.$input.as_ref())?))?,
                    output_type: None$(.or(signature::to_json(self.$output.as_ref())?))?,
                })
            }

            fn from_model(stored: NodeType) -> Result<Self> {
                Ok(Self {
                    id: stored.id,
                    name: Some(stored.name),
                    version: stored.version,
                    description: stored.description,
                    external_id: stored.external_id,
                    properties: stored
                        .properties
                        .into_iter()
                        .map(|(name, data_type)| (name, data_type.number()))
                        .collect(),
                    base_type: stored.base_type.and_then(|base| number_of(Self::KIND, base)),
                    $($input: signature::from_json(stored.input_type.as_deref())?,)?
                    $($output: signature::from_json(stored.output_type.as_deref())?,)?
                })
            }
        }
    };
}
wire_type!(ArtifactType, Artifact);
wire_type!(ExecutionType, Execution, input_type, output_type);
wire_type!(ContextType, Context);

/// A property whose type is no declared number is not there.
fn declared(given: BTreeMap<String, i32>) -> BTreeMap<String, PropertyType> {
    given
        .into_iter()
        .filter_map(|(name, number)| Some((name, PropertyType::from_number(number.into())?)))
        .collect()
}

/// The simple types of a kind in the order of their numbers, which count from 1; 0 is UNSET.
fn simple_types(kind: Kind) -> impl Iterator<Item = &'static str> {
    SIMPLE_TYPES
        .into_iter()
        .filter(move |(of, _)| *of == kind)
        .map(|(_, name)| name)
}

fn base_type(kind: Kind, number: i32) -> Option<BaseType> {
    match usize::try_from(number).ok()?.checked_sub(1) {
        None => Some(BaseType::Unset),
        Some(place) => simple_types(kind).nth(place).map(BaseType::Simple),
    }
}

fn number_of(kind: Kind, base: BaseType) -> Option<i32> {
    match base {
        BaseType::Unset => Some(0),
        BaseType::Simple(name) => simple_types(kind)
            .zip(1..)
            .find(|(simple, _)| *simple == name)
            .map(|(_, number)| number),
    }
}

fn models<T: WireType>(given: Vec<T>) -> impl Iterator<Item = Result<(Kind, NodeType)>> {
    given
        .into_iter()
        .map(|given| Ok((T::KIND, given.into_model()?)))
}

put!(PutTypesRequest => PutTypesResponse, PutTypes, |request| {
    let counts = [request.artifact_types.len(), request.execution_types.len()];
    let put = PutTypes {
        can_add_fields: request.can_add_fields(),
        can_omit_fields: request.can_omit_fields(),
        partial_match: !request.all_fields_match(),
        types: models(request.artifact_types)
            .chain(models(request.execution_types))
            .chain(models(request.context_types))
            .collect::<Result<_>>()?,
    };
    let response = move |ids: Vec<i64>| {
        let mut ids = ids.into_iter();
        PutTypesResponse {
            artifact_type_ids: ids.by_ref().take(counts[0]).collect(),
            execution_type_ids: ids.by_ref().take(counts[1]).collect(),
            context_type_ids: ids.collect(),
        }
    };
    (put, response)
});

macro_rules! put_type {
    ($request:ident => $response:ident, $field:ident) => {
        put!($request => $response, PutTypes, |request| {
            let put = PutTypes {
                can_add_fields: request.can_add_fields(),
                can_omit_fields: request.can_omit_fields(),
                partial_match: !request.all_fields_match(),
                types: models(vec![request.$field.unwrap_or_default()]).collect::<Result<_>>()?,
            };
            (put, |mut ids: Vec<i64>| $response { type_id: ids.pop() })
        });
    };
}
put_type!(PutArtifactTypeRequest => PutArtifactTypeResponse, artifact_type);
put_type!(PutExecutionTypeRequest => PutExecutionTypeResponse, execution_type);
put_type!(PutContextTypeRequest => PutContextTypeResponse, context_type);

macro_rules! get_type {
    ($request:ident => $response:ident, $field:ident: $message:ident) => {
        rpc!($request => $response, |request, graph| {
            let (name, version) = (request.type_name(), request.type_version.as_deref());
            let found = graph.type_by_name($message::KIND, name, version).await?;
            $response { $field: Some($message::from_model(found)?) }
        });
    };
}
get_type!(GetArtifactTypeRequest => GetArtifactTypeResponse, artifact_type: ArtifactType);
get_type!(GetExecutionTypeRequest => GetExecutionTypeResponse, execution_type: ExecutionType);
get_type!(GetContextTypeRequest => GetContextTypeResponse, context_type: ContextType);

macro_rules! get_types {
    ($request:ident => $response:ident, $field:ident: $message:ident) => {
        rpc!($request => $response, |_request, graph| {
            let found = graph.types($message::KIND).await?;
            $response { $field: $message::all_from_model(found)? }
        });
    };
}
get_types!(GetArtifactTypesRequest => GetArtifactTypesResponse, artifact_types: ArtifactType);
get_types!(GetExecutionTypesRequest => GetExecutionTypesResponse, execution_types: ExecutionType);
get_types!(GetContextTypesRequest => GetContextTypesResponse, context_types: ContextType);

macro_rules! get_types_by {
    ($method:ident($ids:ident): $request:ident => $response:ident, $field:ident: $message:ident) => {
        rpc!($request => $response, |request, graph| {
            let found = graph.$method($message::KIND, &request.$ids).await?;
            $response { $field: $message::all_from_model(found)? }
        });
    };
}
get_types_by!(types_by_ids(type_ids):
    GetArtifactTypesByIdRequest => GetArtifactTypesByIdResponse, artifact_types: ArtifactType);
get_types_by!(types_by_ids(type_ids):
    GetExecutionTypesByIdRequest => GetExecutionTypesByIdResponse, execution_types: ExecutionType);
get_types_by!(types_by_ids(type_ids):
    GetContextTypesByIdRequest => GetContextTypesByIdResponse, context_types: ContextType);
get_types_by!(types_by_external_ids(external_ids):
    GetArtifactTypesByExternalIdsRequest => GetArtifactTypesByExternalIdsResponse,
    artifact_types: ArtifactType);
get_types_by!(types_by_external_ids(external_ids):
    GetExecutionTypesByExternalIdsRequest => GetExecutionTypesByExternalIdsResponse,
    execution_types: ExecutionType);
get_types_by!(types_by_external_ids(external_ids):
    GetContextTypesByExternalIdsRequest => GetContextTypesByExternalIdsResponse,
    context_types: ContextType);
