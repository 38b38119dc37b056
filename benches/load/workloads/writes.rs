//! Writes of one request.

use pedigree::proto::ml_metadata::put_execution_request::{ArtifactAndEvent, Options};
use pedigree::proto::ml_metadata::{
    Artifact, Context, Event, Execution, PutArtifactsRequest, PutExecutionRequest, artifact, event,
    execution,
};

use super::{Call, Turn, store};

/// New artifacts with a number of declared properties.
pub fn artifacts(turn: Turn, count: i64, properties: u64) -> Call {
    let type_id = if properties == 5 {
        store::FIVE_PROPERTIES_TYPE
    } else {
        store::TWENTY_PROPERTIES_TYPE
    };
    let first = store::ARTIFACTS + turn.number.cast_signed() * count;
    let artifact = |number: i64| Artifact {
        type_id: Some(type_id),
        name: Some(["new ", &turn.number.to_string(), " ", &number.to_string()].concat()),
        uri: Some(["s3://bucket/new/", &number.to_string()].concat()),
        state: Some(artifact::State::Live.into()),
        properties: store::properties(number, properties),
        ..Default::default()
    };
    let request = PutArtifactsRequest {
        artifacts: (first..first + count).map(artifact).collect(),
        ..Default::default()
    };
    Call::new("PutArtifacts", &request)
}

/// A new execution in the pipeline and in a run, with one stored input and one new output.
pub fn execution(turn: Turn, run: i64) -> Call {
    let number = turn.number.cast_signed();
    let execution = Execution {
        type_id: Some(store::TRAIN_TYPE),
        name: Some(["execution ", &turn.number.to_string()].concat()),
        last_known_state: Some(execution::State::Complete.into()),
        properties: store::properties(number, 5),
        ..Default::default()
    };
    let made = Artifact {
        type_id: Some(store::FIVE_PROPERTIES_TYPE),
        uri: Some(["s3://bucket/made/", &turn.number.to_string()].concat()),
        properties: store::properties(number, 5),
        ..Default::default()
    };
    let used = Event {
        artifact_id: Some(turn.artifact()),
        ..touched(event::Type::Input)
    };
    let context = |type_id, name| Context {
        type_id: Some(type_id),
        name: Some(name),
        ..Default::default()
    };
    let request = PutExecutionRequest {
        execution: Some(execution),
        artifact_event_pairs: vec![
            ArtifactAndEvent {
                artifact: None,
                event: Some(used),
            },
            ArtifactAndEvent {
                artifact: Some(made),
                event: Some(touched(event::Type::Output)),
            },
        ],
        contexts: vec![
            context(store::PIPELINE_TYPE, "pipeline".to_owned()),
            context(store::RUN_TYPE, store::run_name(run % store::RUNS)),
        ],
        options: Some(Options {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    Call::new("PutExecution", &request)
}

fn touched(kind: event::Type) -> Event {
    Event {
        r#type: Some(kind.into()),
        ..Default::default()
    }
}
