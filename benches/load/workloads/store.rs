//! The store that the workloads read.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use pedigree::proto::ml_metadata::{
    Artifact, ArtifactType, Association, Attribution, Context, ContextType, Event, Execution,
    ExecutionType, PropertyType, PutArtifactsRequest, PutArtifactsResponse,
    PutAttributionsAndAssociationsRequest, PutContextsRequest, PutContextsResponse,
    PutEventsRequest, PutExecutionsRequest, PutExecutionsResponse, PutTypesRequest,
    PutTypesResponse, Value, artifact, event, execution, value,
};
use prost::Message;

use super::Call;
use crate::Result;

/// The ids of the types. Every store has the first nine.
pub const FIVE_PROPERTIES_TYPE: i64 = 10;
pub const TWENTY_PROPERTIES_TYPE: i64 = 11;
pub const TRAIN_TYPE: i64 = 12;
pub const PIPELINE_TYPE: i64 = 13;
pub const RUN_TYPE: i64 = 14;

/// Artifacts, ids from 1.
pub const ARTIFACTS: i64 = 12_000;
/// Executions, ids from 1.
pub const EXECUTIONS: i64 = 2_000;
/// Contexts of type `RUN_TYPE`. They follow one of type `PIPELINE_TYPE`, which every execution is
/// in too.
pub const RUNS: i64 = 100;
/// Executions in each run.
pub const TASKS: i64 = EXECUTIONS / RUNS;

/// Artifacts 1 to 51 and executions 1 to 50 are a chain of 100 hops.
pub const CHAIN: i64 = 50;
/// The last id of the random graph, which begins at 101.
pub const LAST_RANDOM_ID: i64 = 1_000;
/// The execution whose outputs are all artifacts from [`FIRST_FAN_OUT_ID`] on.
pub const FAN: i64 = EXECUTIONS;
const FIRST_FAN_OUT_ID: i64 = 2_001;

/// The id of the pipeline's context.
pub const PIPELINE_CONTEXT: i64 = 1;

/// The id of a run's context.
pub const fn run(number: i64) -> i64 {
    2 + number
}

/// The expected answer to a call.
pub enum Expected {
    Anything,
    Types,
    /// The last of the ids.
    Last(i64, fn(&[u8]) -> Result<Option<i64>>),
}

impl Expected {
    pub fn check(&self, answer: &[u8]) -> Result<()> {
        let (expected, found) = match self {
            Self::Anything => return Ok(()),
            Self::Types => {
                let types = PutTypesResponse::decode(answer)?;
                (Some(RUN_TYPE), types.context_type_ids.last().copied())
            }
            Self::Last(id, last) => (Some(*id), last(answer)?),
        };
        if expected == found {
            return Ok(());
        }
        Err(format!("the store was not empty: its last id is {found:?}, not {expected:?}").into())
    }
}

/// The calls that fill an empty store, with their expected answers.
pub fn seed() -> impl Iterator<Item = (Call, Expected)> {
    let types = (Call::new("PutTypes", &types()), Expected::Types);
    let contexts = PutContextsRequest {
        contexts: contexts(),
        ..Default::default()
    };
    let last = |answer: &[u8]| Ok(PutContextsResponse::decode(answer)?.context_ids.pop());
    let contexts = (
        Call::new("PutContexts", &contexts),
        Expected::Last(run(RUNS - 1), last),
    );
    [types, contexts]
        .into_iter()
        .chain(artifacts())
        .chain(executions())
        .chain(edges())
}

fn types() -> PutTypesRequest {
    let properties = |count| {
        (0..count)
            .map(|n| (name(n), property_type(n) as i32))
            .collect()
    };
    let artifact = |name: &str, count| ArtifactType {
        name: Some(name.into()),
        properties: properties(count),
        ..Default::default()
    };
    let context = |name: &str| ContextType {
        name: Some(name.into()),
        ..Default::default()
    };
    PutTypesRequest {
        artifact_types: vec![artifact("Five", 5), artifact("Twenty", 20)],
        execution_types: vec![ExecutionType {
            name: Some("Train".into()),
            properties: properties(5),
            ..Default::default()
        }],
        context_types: vec![context("Pipeline"), context("Run")],
        ..Default::default()
    }
}

fn name(number: u64) -> String {
    ["p", &number.to_string()].concat()
}

const fn property_type(number: u64) -> PropertyType {
    match number % 3 {
        0 => PropertyType::Int,
        1 => PropertyType::String,
        _ => PropertyType::Double,
    }
}

/// Values for `count` declared properties; `p0` is the number itself.
pub fn properties(number: i64, count: u64) -> BTreeMap<String, Value> {
    let value = |n| match property_type(n) {
        PropertyType::Int => value::Value::IntValue(number + n.cast_signed()),
        PropertyType::String => value::Value::StringValue(["value ", &number.to_string()].concat()),
        _ => value::Value::DoubleValue(number as f64 / 7.0),
    };
    (0..count)
        .map(|n| {
            (
                name(n),
                Value {
                    value: Some(value(n)),
                },
            )
        })
        .collect()
}

fn contexts() -> Vec<Context> {
    let pipeline = Context {
        type_id: Some(PIPELINE_TYPE),
        name: Some("pipeline".into()),
        ..Default::default()
    };
    std::iter::once(pipeline).chain(runs(0..RUNS)).collect()
}

fn runs(numbers: Range<i64>) -> impl Iterator<Item = Context> {
    numbers.map(|number| Context {
        type_id: Some(RUN_TYPE),
        name: Some(run_name(number)),
        ..Default::default()
    })
}

/// The number of the run that an execution belongs to.
const fn run_of(execution: i64) -> i64 {
    (execution - 1) / TASKS
}

/// The contexts that an execution is in.
fn contexts_of(execution: i64) -> [i64; 2] {
    [PIPELINE_CONTEXT, run(run_of(execution))]
}

/// The name of a run's context.
pub fn run_name(number: i64) -> String {
    ["run-", &number.to_string()].concat()
}

fn batches(last: i64) -> impl Iterator<Item = RangeInclusive<i64>> {
    (1..=last)
        .step_by(1_000)
        .map(move |first| first..=(first + 999).min(last))
}

/// The name of an artifact of [`seed`] or of [`more`].
pub fn artifact_name(id: i64) -> String {
    let prefix = if id <= ARTIFACTS { "a" } else { "more " };
    [prefix, &id.to_string()].concat()
}

pub fn artifact_uri(id: i64) -> String {
    ["s3://bucket/", &id.to_string()].concat()
}

fn artifact(number: i64) -> Artifact {
    Artifact {
        type_id: Some(FIVE_PROPERTIES_TYPE),
        name: Some(artifact_name(number)),
        uri: Some(artifact_uri(number)),
        state: Some(artifact::State::Live.into()),
        properties: properties(number, 5),
        ..Default::default()
    }
}

fn put_artifacts(artifacts: Vec<Artifact>) -> Call {
    let request = PutArtifactsRequest {
        artifacts,
        ..Default::default()
    };
    Call::new("PutArtifacts", &request)
}

fn artifacts() -> impl Iterator<Item = (Call, Expected)> {
    let last = |answer: &[u8]| Ok(PutArtifactsResponse::decode(answer)?.artifact_ids.pop());
    batches(ARTIFACTS).map(move |batch| {
        let expected = Expected::Last(*batch.end(), last);
        (put_artifacts(batch.map(artifact).collect()), expected)
    })
}

fn execution(number: i64) -> Execution {
    let state = if number % 20 == 0 {
        execution::State::Running
    } else {
        execution::State::Complete
    };
    let dag = Value {
        value: Some(value::Value::IntValue(run_of(number))),
    };
    Execution {
        type_id: Some(TRAIN_TYPE),
        name: Some(["e", &number.to_string()].concat()),
        last_known_state: Some(state.into()),
        properties: properties(number, 5),
        custom_properties: [("parent_dag_id".to_owned(), dag)].into(),
        ..Default::default()
    }
}

fn put_executions(executions: Vec<Execution>) -> Call {
    let request = PutExecutionsRequest {
        executions,
        ..Default::default()
    };
    Call::new("PutExecutions", &request)
}

fn executions() -> impl Iterator<Item = (Call, Expected)> {
    let last = |answer: &[u8]| Ok(PutExecutionsResponse::decode(answer)?.execution_ids.pop());
    batches(EXECUTIONS).map(move |batch| {
        let expected = Expected::Last(*batch.end(), last);
        (put_executions(batch.map(execution).collect()), expected)
    })
}

fn edges() -> impl Iterator<Item = (Call, Expected)> {
    let associations = PutAttributionsAndAssociationsRequest {
        associations: (1..=EXECUTIONS).flat_map(associations).collect(),
        ..Default::default()
    };
    let mut events = Vec::new();
    for number in 1..=CHAIN {
        events.push(event(event::Type::Input, number, number));
        events.push(event(event::Type::Output, number, number + 1));
    }
    // A small generator whose numbers are the same in every run.
    let mut state = 1_u64;
    let mut any = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        101 + (state >> 33).cast_signed() % (LAST_RANDOM_ID - 100)
    };
    for execution in 101..=LAST_RANDOM_ID {
        events.push(event(event::Type::Input, execution, any()));
        events.push(event(event::Type::Output, execution, any()));
    }
    events.extend(
        (FIRST_FAN_OUT_ID..=ARTIFACTS).map(|artifact| event(event::Type::Output, FAN, artifact)),
    );
    let events: Vec<Call> = events
        .chunks(1_000)
        .map(|events| {
            Call::new(
                "PutEvents",
                &PutEventsRequest {
                    events: events.to_vec(),
                    ..Default::default()
                },
            )
        })
        .collect();
    std::iter::once(Call::new("PutAttributionsAndAssociations", &associations))
        .chain(events)
        .map(|call| (call, Expected::Anything))
}

fn associations(execution: i64) -> impl Iterator<Item = Association> {
    contexts_of(execution)
        .into_iter()
        .map(move |context| Association {
            execution_id: Some(execution),
            context_id: Some(context),
            ..Default::default()
        })
}

/// `count` further executions after those of [`seed`], each with one input and one output. Each
/// artifact has five properties. The execution and its output are in the contexts of a run and of
/// the pipeline. Runs are as large as in the seed.
pub fn more(count: i64) -> impl Iterator<Item = Call> {
    (0..count).step_by(5_000).flat_map(move |first| {
        let numbers = first..(first + 5_000).min(count);
        let execution_id = |number| EXECUTIONS + 1 + number;
        let artifact_id = |number, which| ARTIFACTS + 1 + 2 * number + which;
        let artifacts = numbers
            .clone()
            .flat_map(|number| [0, 1].map(|which| artifact(artifact_id(number, which))));
        let runs_before = RUNS + first / TASKS;
        let contexts = PutContextsRequest {
            contexts: runs(runs_before..RUNS + (numbers.end + TASKS - 1) / TASKS).collect(),
            ..Default::default()
        };
        let executions = numbers.clone().map(|number| Execution {
            properties: BTreeMap::new(),
            ..execution(execution_id(number))
        });
        let events = numbers.clone().flat_map(|number| {
            [event::Type::Input, event::Type::Output]
                .into_iter()
                .zip([0, 1])
                .map(move |(kind, which)| {
                    event(kind, execution_id(number), artifact_id(number, which))
                })
        });
        let associations = numbers
            .clone()
            .flat_map(|number| associations(execution_id(number)));
        let attributions = numbers.clone().flat_map(|number| {
            contexts_of(execution_id(number)).map(|context| Attribution {
                artifact_id: Some(artifact_id(number, 1)),
                context_id: Some(context),
                ..Default::default()
            })
        });
        [
            Call::new("PutContexts", &contexts),
            put_artifacts(artifacts.collect()),
            put_executions(executions.collect()),
            Call::new(
                "PutEvents",
                &PutEventsRequest {
                    events: events.collect(),
                    ..Default::default()
                },
            ),
            Call::new(
                "PutAttributionsAndAssociations",
                &PutAttributionsAndAssociationsRequest {
                    attributions: attributions.collect(),
                    associations: associations.collect(),
                    ..Default::default()
                },
            ),
        ]
    })
}

/// An event without a path.
pub fn event(kind: event::Type, execution: i64, artifact: i64) -> Event {
    Event {
        r#type: Some(kind.into()),
        execution_id: Some(execution),
        artifact_id: Some(artifact),
        ..Default::default()
    }
}
