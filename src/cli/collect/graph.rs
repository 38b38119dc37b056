//! A run, as the graph has it, and what is added to its executions.

use std::collections::{BTreeMap, BTreeSet};

use tonic::Code;

use crate::cli::Failure;
use crate::cli::blob_store::StoredBlob;
use crate::cli::client::{StoreClient, found};
use crate::cli::run::{int, role_path, text};
use crate::proto::ml_metadata::event::Type;
use crate::proto::ml_metadata::event::path::step;
use crate::proto::ml_metadata::{
    Artifact, ArtifactType, Event, Execution, GetArtifactsByUriRequest,
    GetContextByTypeAndNameRequest, GetEventsByExecutionIDsRequest, GetExecutionsByContextRequest,
    PutArtifactTypeRequest, PutArtifactsRequest, PutEventsRequest, PutExecutionsRequest, Value,
    value,
};
use crate::reproduce::{BLOB_TYPE, CODE_SPEC};

/// The type of the contexts that are runs of Kubeflow Pipelines. Their names are the ids of runs.
const RUN_TYPE: &str = "system.PipelineRun";

/// The type of the executions that ran a container.
pub(super) const CONTAINER_TYPE: &str = "system.ContainerExecution";

/// A run.
#[derive(Debug)]
pub(super) struct GraphRun {
    /// The namespace of its pods, or empty.
    pub namespace: String,
    /// Ascending by id.
    pub executions: Vec<Execution>,
    /// The roles of the artifacts that executions read, by the ids of these.
    pub inputs: BTreeMap<i64, BTreeSet<String>>,
}

/// The text of a property, or an empty one.
pub(super) fn text_of<'v>(properties: &'v BTreeMap<String, Value>, name: &str) -> &'v str {
    match properties.get(name).and_then(|value| value.value.as_ref()) {
        Some(value::Value::StringValue(text)) => text,
        _ => "",
    }
}

/// The number of a property.
pub(super) fn int_of(properties: &BTreeMap<String, Value>, name: &str) -> Option<i64> {
    match properties.get(name)?.value {
        Some(value::Value::IntValue(number)) => Some(number),
        _ => None,
    }
}

/// Reads a run.
///
/// # Errors
///
/// If the graph does not have it.
pub(super) async fn read(client: &mut StoreClient, run: &str) -> Result<GraphRun, Failure> {
    let request = GetContextByTypeAndNameRequest {
        type_name: Some(RUN_TYPE.to_owned()),
        context_name: Some(run.to_owned()),
        ..GetContextByTypeAndNameRequest::default()
    };
    let answer = found(client.get_context_by_type_and_name(request).await)?;
    let context = answer.context;
    let context = context.ok_or_else(|| Failure(format!("the graph has no run {run}")))?;
    let request = GetExecutionsByContextRequest {
        context_id: context.id,
        ..GetExecutionsByContextRequest::default()
    };
    let answer = client.get_executions_by_context(request).await?;
    let mut executions = answer.into_inner().executions;
    executions.sort_by_key(|execution| execution.id);
    let request = GetEventsByExecutionIDsRequest {
        execution_ids: executions.iter().filter_map(|it| it.id).collect(),
        ..GetEventsByExecutionIDsRequest::default()
    };
    let events = client.get_events_by_execution_i_ds(request).await?;
    let mut inputs: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for event in events.into_inner().events {
        let role = role(&event).map(str::to_owned);
        if event.r#type() == Type::Input
            && let Some((id, role)) = event.execution_id.zip(role)
        {
            inputs.entry(id).or_default().insert(role);
        }
    }
    Ok(GraphRun {
        namespace: text_of(&context.custom_properties, "namespace").to_owned(),
        executions,
        inputs,
    })
}

/// The first key in the path of an event.
fn role(event: &Event) -> Option<&str> {
    let mut steps = event.path.iter().flat_map(|path| &path.steps);
    steps.find_map(|step| match step.value.as_ref()? {
        step::Value::Key(key) => Some(key.as_str()),
        step::Value::Index(_) => None,
    })
}

/// The artifact of a specification, which is stored unless it is there.
pub(super) async fn put_spec(client: &mut StoreClient, blob: &StoredBlob) -> Result<i64, Failure> {
    let request = GetArtifactsByUriRequest {
        uris: vec![blob.uri.clone()],
        has_retired_uri: false,
    };
    let known = found(client.get_artifacts_by_uri(request).await)?.artifacts;
    let is_meant = |artifact: &&Artifact| {
        artifact.r#type.as_deref() == Some(BLOB_TYPE)
            && text_of(&artifact.custom_properties, "digest") == blob.digest
    };
    if let Some(id) = known.iter().filter(is_meant).filter_map(|it| it.id).max() {
        return Ok(id);
    }
    let request = PutArtifactTypeRequest {
        artifact_type: Some(ArtifactType {
            name: Some(BLOB_TYPE.to_owned()),
            ..ArtifactType::default()
        }),
        can_omit_fields: Some(true),
        ..PutArtifactTypeRequest::default()
    };
    let type_id = client
        .put_artifact_type(request)
        .await?
        .into_inner()
        .type_id;
    let bytes = i64::try_from(blob.bytes).unwrap_or(i64::MAX);
    let properties = [
        ("digest".to_owned(), text(&blob.digest)),
        ("bytes".to_owned(), int(bytes)),
    ];
    let request = PutArtifactsRequest {
        artifacts: vec![Artifact {
            type_id,
            uri: Some(blob.uri.clone()),
            custom_properties: properties.into(),
            ..Artifact::default()
        }],
        ..PutArtifactsRequest::default()
    };
    let stored = client.put_artifacts(request).await?.into_inner();
    let id = stored.artifact_ids.first().copied();
    id.ok_or_else(|| Failure("the server stored no artifact".to_owned()))
}

/// Adds facts to an execution, and the artifact of its specification to its inputs. What else the
/// execution has stays, also what is written meanwhile.
pub(super) async fn add(
    client: &mut StoreClient,
    execution: &Execution,
    facts: &BTreeMap<String, String>,
    spec: Option<i64>,
) -> Result<(), Failure> {
    if let Some(spec) = spec {
        let event = Event {
            artifact_id: Some(spec),
            execution_id: execution.id,
            r#type: Some(Type::Input.into()),
            path: Some(role_path(CODE_SPEC)),
            ..Event::default()
        };
        let request = PutEventsRequest {
            events: vec![event],
            ..PutEventsRequest::default()
        };
        match client.put_events(request).await {
            // A collection that was cut off had put it.
            Err(status) if status.code() == Code::AlreadyExists => {}
            put => drop(put?),
        }
    }
    let properties = facts
        .iter()
        .map(|(name, value)| (name.clone(), text(value)));
    let paths = facts.keys().map(|name| format!("custom_properties.{name}"));
    let request = PutExecutionsRequest {
        executions: vec![Execution {
            id: execution.id,
            type_id: execution.type_id,
            custom_properties: properties.collect(),
            ..Execution::default()
        }],
        update_mask: Some(prost_types::FieldMask {
            paths: paths.collect(),
        }),
        ..PutExecutionsRequest::default()
    };
    client.put_executions(request).await?;
    Ok(())
}
