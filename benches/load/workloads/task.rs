//! The ten calls of a step of Kubeflow Pipelines: its driver's, and its launcher's.

use std::time::Duration;

use pedigree::proto::ml_metadata::put_execution_request::ArtifactAndEvent;
use pedigree::proto::ml_metadata::{
    Artifact, ArtifactType, Context, Event, Execution, ExecutionType, GetArtifactsByIdRequest,
    GetContextByTypeAndNameRequest, GetContextByTypeAndNameResponse,
    GetEventsByExecutionIDsRequest, GetExecutionsByIdRequest, GetExecutionsByIdResponse,
    PutArtifactTypeRequest, PutExecutionRequest, PutExecutionResponse, PutExecutionTypeRequest,
    Value, event, execution, value,
};
use prost::Message;

use super::{Call, Turn, lists, store};
use crate::Result;
use crate::client::Client;

/// A client, and the sum of its calls' durations.
struct Task<'a> {
    client: &'a mut Client,
    took: Duration,
}

impl Task<'_> {
    async fn ask<T: Message + Default>(
        &mut self,
        method: &'static str,
        request: &impl Message,
    ) -> Result<T> {
        let (took, answer) = self.client.call(&Call::new(method, request)).await?;
        self.took += took;
        Ok(T::decode(answer)?)
    }

    async fn context(&mut self, type_name: &str, name: String) -> Result<Context> {
        let request = GetContextByTypeAndNameRequest {
            type_name: Some(type_name.into()),
            context_name: Some(name),
            ..Default::default()
        };
        let found: GetContextByTypeAndNameResponse =
            self.ask("GetContextByTypeAndName", &request).await?;
        found.context.ok_or_else(|| "a context is missing".into())
    }
}

/// Runs a step from its driver to its launcher.
pub async fn run(client: &mut Client, turn: Turn) -> Result<Duration> {
    let mut task = Task {
        client,
        took: Duration::ZERO,
    };
    let (execution, contexts) = drive(&mut task, turn).await?;
    launch(&mut task, turn, execution, contexts).await?;
    Ok(task.took)
}

/// The driver: find the contexts of the step and the tasks before it, and start it.
async fn drive(task: &mut Task<'_>, turn: Turn) -> Result<(Option<i64>, Vec<Context>)> {
    let number = turn.number.cast_signed();
    let run = turn.run();
    let pipeline = task.context("Pipeline", "pipeline".into()).await?;
    let run_context = task.context("Run", store::run_name(run)).await?;
    let (took, _) = task.client.call(&lists::of_dag(turn)).await?;
    task.took += took;
    let train = ExecutionType {
        name: Some("Train".into()),
        ..Default::default()
    };
    let request = PutExecutionTypeRequest {
        execution_type: Some(train),
        can_add_fields: Some(true),
        can_omit_fields: Some(true),
        ..Default::default()
    };
    task.ask::<()>("PutExecutionType", &request).await?;
    let parent = Value {
        value: Some(value::Value::IntValue(-1)),
    };
    let begun = Execution {
        type_id: Some(store::TRAIN_TYPE),
        name: Some(["step ", &turn.number.to_string()].concat()),
        last_known_state: Some(execution::State::Running.into()),
        properties: store::properties(number, 5),
        custom_properties: [("parent_dag_id".to_owned(), parent)].into(),
        ..Default::default()
    };
    let contexts = vec![pipeline, run_context];
    let request = PutExecutionRequest {
        execution: Some(begun),
        contexts: contexts.clone(),
        ..Default::default()
    };
    let begun: PutExecutionResponse = task.ask("PutExecution", &request).await?;
    Ok((begun.execution_id, contexts))
}

/// The launcher: read the inputs and record the outputs.
async fn launch(
    task: &mut Task<'_>,
    turn: Turn,
    execution: Option<i64>,
    contexts: Vec<Context>,
) -> Result<()> {
    let number = turn.number.cast_signed();
    let ids: Vec<i64> = execution.into_iter().collect();
    let request = GetExecutionsByIdRequest {
        execution_ids: ids.clone(),
        ..Default::default()
    };
    let mut found: GetExecutionsByIdResponse = task.ask("GetExecutionsByID", &request).await?;
    let mut stored = found.executions.pop().ok_or("the execution is missing")?;
    task.ask::<()>(
        "GetEventsByExecutionIDs",
        &GetEventsByExecutionIDsRequest {
            execution_ids: ids,
            ..Default::default()
        },
    )
    .await?;
    let used = turn.artifact();
    task.ask::<()>(
        "GetArtifactsByID",
        &GetArtifactsByIdRequest {
            artifact_ids: vec![used],
            ..Default::default()
        },
    )
    .await?;
    let five = ArtifactType {
        name: Some("Five".into()),
        ..Default::default()
    };
    let request = PutArtifactTypeRequest {
        artifact_type: Some(five),
        can_add_fields: Some(true),
        can_omit_fields: Some(true),
        ..Default::default()
    };
    task.ask::<()>("PutArtifactType", &request).await?;
    stored.last_known_state = Some(execution::State::Complete.into());
    let made = Artifact {
        type_id: Some(store::FIVE_PROPERTIES_TYPE),
        uri: Some(["s3://bucket/step/", &turn.number.to_string()].concat()),
        properties: store::properties(number, 5),
        ..Default::default()
    };
    let touched = |kind: event::Type, artifact_id| Event {
        r#type: Some(kind.into()),
        artifact_id,
        ..Default::default()
    };
    let request = PutExecutionRequest {
        execution: Some(stored),
        artifact_event_pairs: vec![
            ArtifactAndEvent {
                artifact: None,
                event: Some(touched(event::Type::Input, Some(used))),
            },
            ArtifactAndEvent {
                artifact: Some(made),
                event: Some(touched(event::Type::Output, None)),
            },
        ],
        contexts,
        ..Default::default()
    };
    task.ask::<()>("PutExecution", &request).await
}
