//! Converts an event of `OpenLineage` into run events of the graph.
//!
//! | `OpenLineage` | graph |
//! | --- | --- |
//! | run | an execution of the type `openlineage.Run`, in the context of its job |
//! | job | a context of the type `openlineage.Job` |
//! | parent, root | executions, each with a context of the type `openlineage.Run` |
//! | dataset | a context of the type `pedigree.Dataset`, named by the canonical URI |
//! | version of a dataset | an artifact of the type `openlineage.Dataset`, in that context |

use std::borrow::Cow;

use super::event::{Dataset, EventSubject, FacetMap, Job, LineageEvent};
use super::facets::{self, DatasetFact, HOPS_FACET, Lifecycle, RunFacetMaps, RunKey};
use super::names::{self, DatasetVersion};
use crate::graph::{
    ArtifactIdentity, ArtifactRef, ContextRef, DATASET_TYPE, DatasetUse, EventScope, EventTime,
    Facet, RunEvent, RunEventType, TypeName, TypePolicy, VERSION_TYPE, short_name,
};
use crate::model::{Properties, Value, canonical_pair, dataset_uri};
use crate::reproduce::sha256_hex;

const RUN_TYPE: &str = "openlineage.Run";

/// The type of the contexts that are jobs.
pub(in crate::api) const JOB_TYPE: &str = "openlineage.Job";

/// The run events of an event of `OpenLineage`.
pub(super) fn report(event: &LineageEvent<'_>) -> Vec<RunEvent> {
    match &event.subject {
        EventSubject::Run(run, job) => run_events(event, &run.id.0, run.facets.as_ref(), job),
        EventSubject::Job(job) => {
            let mut declared = job_of(job);
            facets::attach_to_job(&mut declared.facets, job.facets.as_ref());
            for (name, given) in [
                ("declared_inputs", &event.inputs),
                ("declared_outputs", &event.outputs),
            ] {
                let uris: Vec<String> = given.iter().map(uri_of).collect();
                let uris = uris.iter().map(String::as_str);
                declared.facets.push(facets::declared(name, uris));
            }
            let used = event.inputs.iter().chain(&event.outputs);
            let contexts = std::iter::once(declared).chain(used.map(declared_dataset));
            vec![about_contexts(event.time, contexts.collect())]
        }
        EventSubject::Dataset(given) => {
            vec![about_contexts(event.time, vec![declared_dataset(given)])]
        }
    }
}

fn about_contexts(time: EventTime, contexts: Vec<ContextRef>) -> RunEvent {
    RunEvent {
        scope: EventScope::Contexts,
        event_type: Some(RunEventType::Other),
        time: Some(time),
        type_policy: Some(TypePolicy::Create),
        contexts,
        ..RunEvent::default()
    }
}

fn run_events(
    event: &LineageEvent<'_>,
    id: &str,
    facets: Option<&FacetMap<'_>>,
    job: &Job<'_>,
) -> Vec<RunEvent> {
    let parent = facets::parent(facets);
    let root = parent.as_ref().and_then(|parent| parent.root.as_ref());
    let above: Vec<&RunKey> = parent
        .iter()
        .map(|parent| &parent.key)
        .chain(root)
        .filter(|key| key.is_complete() && key.run.id.0 != id)
        .collect();
    let mut events: Vec<RunEvent> = above.iter().map(|key| above_run(event.time, key)).collect();
    let mut own = run_event(event.time, event.kind, id, &job.namespace.0, &job.name.0);
    let job_facets = job.facets.as_ref();
    let job = job_of(job);
    own.facets = facets::run(facets);
    // A run that a server names came through the same ones.
    let hops = own.facets.iter().find(|facet| facet.key == HOPS_FACET);
    for event in &mut events {
        event.facets.extend(hops.cloned());
    }
    own.facets.extend(code_of(&job));
    own.contexts = vec![job];
    own.contexts
        .extend(above.iter().map(|key| runs_below(&key.run.id.0)));
    own.facets
        .extend(facets::of_event("producer", event.producer.as_deref()));
    for given in &event.inputs {
        let uri = uri_of(given);
        let of_use = given.input_facets.as_ref();
        own.facets.extend(facets::input(of_use, &uri));
        own.inputs.push(ArtifactRef {
            path: facets::path(of_use),
            ..version(given, uri, DatasetVersion::Unknown)
        });
    }
    let mut altered = Vec::new();
    for given in &event.outputs {
        add_output(&mut own, &mut altered, given, id);
    }
    let maps = RunFacetMaps {
        run: facets,
        job: job_facets,
        outputs: &event.outputs,
    };
    own.facets.extend(facets::run_lineage(&maps));
    if !altered.is_empty() {
        events.push(about_contexts(event.time, altered));
    }
    events.push(own);
    events
}

/// Adds what a run did to a dataset. Datasets of which it changed no data are `altered`.
fn add_output(
    run: &mut RunEvent,
    altered: &mut Vec<ContextRef>,
    given: &Dataset<'_>,
    run_id: &str,
) {
    let uri = uri_of(given);
    run.facets
        .extend(facets::lifecycle(given.facets.as_ref(), &uri));
    let of_use = given.output_facets.as_ref();
    run.facets.extend(facets::output_use(of_use, &uri));
    let written = |uri| ArtifactRef {
        path: facets::path(of_use),
        ..version(given, uri, DatasetVersion::WrittenBy(run_id))
    };
    match DatasetFact::of(given.facets.as_ref()).lifecycle {
        Lifecycle::Write => run.outputs.push(written(uri)),
        Lifecycle::Alter => altered.push(dataset(given)),
        Lifecycle::Removal => run.outputs.push(removal(dataset(given), uri)),
        Lifecycle::Rename(previous) => {
            let previous_uri = dataset_uri(&previous.namespace.0, &previous.name.0);
            if previous_uri == uri {
                altered.push(dataset(given));
                return;
            }
            let before = dataset_named(&previous.namespace.0, &previous.name.0);
            run.inputs.push(ArtifactRef {
                dataset_use: DatasetUse::Present,
                ..removal(before.clone(), previous_uri.clone())
            });
            run.outputs.push(removal(before, previous_uri));
            run.outputs.push(written(uri));
        }
    }
}

/// What is present of a dataset that has been removed.
fn removal(dataset: ContextRef, uri: String) -> ArtifactRef {
    let nothing = names::version_id(&uri, &DatasetVersion::Unknown);
    ArtifactRef {
        artifact_type: type_name(VERSION_TYPE),
        identity: Some(ArtifactIdentity::ExternalId(nothing)),
        dataset_use: DatasetUse::Removal,
        contexts: vec![dataset],
        uri: Some(uri),
        ..ArtifactRef::default()
    }
}

/// The run that a facet names as that above another one, with its job and no state.
fn above_run(time: EventTime, key: &RunKey) -> RunEvent {
    let (namespace, name) = (&key.job.namespace.0, &key.job.name.0);
    let mut event = run_event(time, RunEventType::Other, &key.run.id.0, namespace, name);
    event.contexts = vec![job_named(namespace, name), runs_below(&key.run.id.0)];
    event
}

fn run_event(
    time: EventTime,
    event_type: RunEventType,
    id: &str,
    namespace: &str,
    name: &str,
) -> RunEvent {
    RunEvent {
        scope: EventScope::AnyRun,
        event_type: Some(event_type),
        time: Some(time),
        type_policy: Some(TypePolicy::Create),
        run_type: type_name(RUN_TYPE),
        name: Some(names::run(&names::job(namespace, name), id)),
        external_id: Some(names::run_id(id)),
        ..RunEvent::default()
    }
}

fn type_name(name: &str) -> TypeName {
    TypeName {
        name: name.to_owned(),
        version: None,
    }
}

pub(super) fn context(context_type: &str, name: &str) -> ContextRef {
    ContextRef {
        context_type: type_name(context_type),
        name: short_name(Cow::Borrowed(name)).into_owned(),
        ..ContextRef::default()
    }
}

/// A context with a namespace and a name in it.
fn with_names(mut context: ContextRef, namespace: &str, name: &str) -> ContextRef {
    let texts = [("namespace", namespace), ("name", name)];
    let texts = texts.map(|(key, text)| (key.to_owned(), Value::String(text.to_owned())));
    let storable = texts
        .into_iter()
        .filter(|(_, text)| text.defect().is_none());
    context.custom_properties = storable.collect::<Properties>();
    context
}

fn job_named(namespace: &str, name: &str) -> ContextRef {
    let full_name = names::job(namespace, name);
    with_names(context(JOB_TYPE, &full_name), namespace, name)
}

fn job_of(job: &Job<'_>) -> ContextRef {
    ContextRef {
        facets: facets::job(job.facets.as_ref()),
        ..job_named(&job.namespace.0, &job.name.0)
    }
}

/// The context of all runs below a run, and of itself.
fn runs_below(run: &str) -> ContextRef {
    context(RUN_TYPE, run)
}

/// The code of a job at the time of a run, which is a fact of the run too.
fn code_of(job: &ContextRef) -> impl Iterator<Item = Facet> {
    let facets = job.facets.iter();
    facets.filter(|it| it.key == "sourceCodeLocation").cloned()
}

pub(super) fn uri_of(given: &Dataset<'_>) -> String {
    dataset_uri(&given.namespace.0, &given.name.0)
}

fn dataset(given: &Dataset<'_>) -> ContextRef {
    dataset_at(given, &uri_of(given))
}

/// A dataset of an event without a run, with the lineage that its facets say.
fn declared_dataset(given: &Dataset<'_>) -> ContextRef {
    let mut declared = dataset(given);
    facets::attach_to_dataset(&mut declared.facets, given);
    declared
}

/// The dataset at its canonical URI.
fn dataset_at(given: &Dataset<'_>, uri: &str) -> ContextRef {
    let others = facets::other_names(given.facets.as_ref());
    let others = others
        .iter()
        .map(|other| (&*other.namespace.0, &*other.name.0))
        .filter(|(namespace, name)| is_other_name(uri, &dataset_uri(namespace, name)));
    ContextRef {
        facets: facets::dataset(given.facets.as_ref()),
        other_names: others
            .map(|(namespace, name)| dataset_named(namespace, name))
            .collect(),
        ..dataset_named(&given.namespace.0, &given.name.0)
    }
}

/// The dataset that these identify, with their canonical notation.
fn dataset_named(namespace: &str, name: &str) -> ContextRef {
    let uri = dataset_uri(namespace, name);
    let (namespace, name) = canonical_pair(namespace, name);
    with_names(context(DATASET_TYPE, &uri), &namespace, &name)
}

/// Whether a URI is another one for the same data: neither of them is a folder of the other.
fn is_other_name(uri: &str, other: &str) -> bool {
    let is_folder = |of: &str, it: &str| {
        let rest = of.strip_prefix(it);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !is_folder(uri, other) && !is_folder(other, uri)
}

/// The version of a dataset that a run used or wrote: the named one, or else this one.
fn version(given: &Dataset<'_>, uri: String, unnamed: DatasetVersion<'_>) -> ArtifactRef {
    let named = DatasetFact::of(given.facets.as_ref()).version;
    let version = named.as_deref().map_or(unnamed, DatasetVersion::Named);
    // A version that is a SHA-256 says which content it is.
    let digest = named.clone().filter(|name| sha256_hex(name).is_some());
    let property = |name: &String| ("version".to_owned(), Value::String(name.clone()));
    let properties = named.iter().map(property);
    let properties = properties.filter(|(_, value)| value.defect().is_none());
    let mut own_facets = facets::output(given.output_facets.as_ref());
    if named.is_some() {
        own_facets.extend(facets::version(given.facets.as_ref()));
    }
    ArtifactRef {
        artifact_type: type_name(VERSION_TYPE),
        identity: Some(ArtifactIdentity::ExternalId(names::version_id(
            &uri, &version,
        ))),
        custom_properties: properties.collect(),
        dataset_use: match version {
            DatasetVersion::Unknown => DatasetUse::Present,
            DatasetVersion::Named(_) | DatasetVersion::WrittenBy(_) => DatasetUse::Version,
        },
        contexts: vec![dataset_at(given, &uri)],
        uri: Some(uri),
        digest,
        facets: own_facets,
        ..ArtifactRef::default()
    }
}
