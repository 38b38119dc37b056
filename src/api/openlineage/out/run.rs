//! The events of a run, and its facets.

use serde_json::{Map, Value as Json, json};

use super::OutgoingEvent;
use super::data::{DataSide, datasets};
use super::ids::{ExportIds, told_id};
use super::job::{JobName, RunAbove, RunsAbove};
use super::value::{int_of, json, text_of};
use crate::api::openlineage::facets::{HOPS_FACT, is_reported};
use crate::api::openlineage::time;
use crate::build_info;
use crate::graph::{EventTime, RunEventType, RunWithData, told_times};
use crate::model::{ExecutionState, Node, NodeContent, NodeState, Value};

/// Where the schemas of `OpenLineage` are.
const SPEC: &str = "https://openlineage.io/spec/";

/// What the properties of a run begin with that say what it did to the lives of datasets.
pub(super) const LIFECYCLE_PREFIX: &str = "lifecycle.";

/// What the properties begin with that are parameters, and tags.
const PARAMETER_PREFIX: &str = "param.";
const TAG_PREFIX: &str = "tag.";

/// The events of a run: each start and end, and that it is running.
pub(super) fn events(
    run: &RunWithData,
    job: &JobName,
    above: Option<&RunsAbove>,
    ids: &ExportIds<'_>,
) -> Vec<OutgoingEvent> {
    let node = &run.placed.run;
    let whole = json!({
        "run": {"runId": ids.run(node), "facets": run_facets(node, above, ids)},
        "job": {
            "namespace": job.namespace,
            "name": job.name,
            "facets": job_facets(&node.content),
        },
        "inputs": datasets(run, DataSide::Input, ids),
        "outputs": datasets(run, DataSide::Output, ids),
        "producer": producer(),
        "schemaURL": format!("{SPEC}2-0-2/OpenLineage.json#/$defs/RunEvent"),
    });
    let event = |(time, event_type): (EventTime, RunEventType)| {
        let mut event = whole.clone();
        event["eventTime"] = time::format(time)?.into();
        event["eventType"] = name_of(event_type).into();
        Some(OutgoingEvent {
            time,
            body: event.to_string(),
        })
    };
    life(node).into_iter().filter_map(event).collect()
}

/// The starts and the ends of a run, in order: those of its events, else those that the state and
/// the times of the node show.
fn life(run: &Node) -> Vec<(EventTime, RunEventType)> {
    let mut life = told_times(&run.content);
    let created = EventTime::from_milliseconds(run.create_time);
    let updated = EventTime::from_milliseconds(run.update_time);
    // The times of this server are no times of a run that events tell of.
    let is_told = !life.is_empty() || told_id(run).is_some();
    let state = match run.content.state {
        Some(NodeState::Execution(state)) => state,
        Some(NodeState::Artifact(_)) | None => ExecutionState::Unknown(0),
    };
    let end = match state {
        ExecutionState::Complete | ExecutionState::Cached => Some(RunEventType::Complete),
        ExecutionState::Failed => Some(RunEventType::Fail),
        ExecutionState::Canceled => Some(RunEventType::Abort),
        ExecutionState::New | ExecutionState::Running | ExecutionState::Unknown(_) => None,
    };
    match (state, end) {
        (ExecutionState::Unknown(_), _) => life.push((updated, RunEventType::Other)),
        (_, Some(end)) if !is_told => {
            life.extend([(created, RunEventType::Start), (updated, end)]);
        }
        (_, Some(end)) if life.is_empty() => life.push((updated, end)),
        (_, Some(_)) => {}
        (_, None) if is_told => life.push((updated, RunEventType::Running)),
        (_, None) => {
            life.push((created, RunEventType::Start));
            // A client may have begun a run again that had ended.
            if updated > created {
                life.push((updated, RunEventType::Start));
            }
        }
    }
    life
}

const fn name_of(event_type: RunEventType) -> &'static str {
    match event_type {
        RunEventType::Start => "START",
        RunEventType::Running => "RUNNING",
        RunEventType::Complete | RunEventType::Cached => "COMPLETE",
        RunEventType::Fail => "FAIL",
        RunEventType::Abort => "ABORT",
        RunEventType::Other => "OTHER",
    }
}

fn producer() -> String {
    format!("urn:pedigree:{}", build_info::VERSION)
}

/// A facet of a schema, which is a file below [`SPEC`] and a name in it.
pub(super) fn facet(file: &str, name: &str, fields: Json) -> Json {
    let mut facet = fields;
    facet["_producer"] = producer().into();
    facet["_schemaURL"] = format!("{SPEC}{file}#/$defs/{name}").into();
    facet
}

/// A facet of our own, which has what any facet at its place has, and more.
pub(super) fn own_facet(base: &str, fields: Json) -> Json {
    facet("2-0-2/OpenLineage.json", base, fields)
}

pub(super) fn insert_present(
    fields: &mut Map<String, Json>,
    name: &str,
    value: Option<impl Into<Json>>,
) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}

/// The properties of a node that no other facet has.
pub(super) fn properties(node: &NodeContent) -> Json {
    let all = node.properties.iter().chain(&node.custom_properties);
    let reported = all.filter(|(name, _)| is_reported(name));
    let field = |(name, value): (&String, &Value)| Some((name.clone(), json(value)?));
    reported.filter_map(field).collect::<Map<_, _>>().into()
}

fn run_facets(run: &Node, above: Option<&RunsAbove>, ids: &ExportIds<'_>) -> Json {
    let content = &run.content;
    let mut facets = Map::new();
    let mut own = Map::new();
    own.insert("id".into(), run.id.into());
    insert_present(&mut own, "type", run.type_name.clone());
    insert_present(&mut own, "name", content.name.clone());
    own.insert("properties".into(), properties(content));
    let own = own_facet("RunFacet", own.into());
    facets.insert("pedigree_properties".into(), own);
    facets.insert("pedigree_hops".into(), hops(content, ids.store_id));
    insert_present(&mut facets, "parent", above.map(parent));
    insert_present(&mut facets, "executionParameters", parameters(content));
    insert_present(&mut facets, "tags", tags(content));
    insert_present(&mut facets, "errorMessage", error_message(content));
    insert_present(&mut facets, "processing_engine", engine(content));
    insert_present(&mut facets, "nominalTime", nominal_time(content));
    facets.into()
}

/// The databases that a run came through, and this one.
fn hops(run: &NodeContent, store_id: &str) -> Json {
    let before = text_of(run, HOPS_FACT).unwrap_or_default();
    let mut stores: Vec<String> = serde_json::from_str(&before).unwrap_or_default();
    if !stores.iter().any(|store| store == store_id) {
        stores.push(store_id.to_owned());
    }
    own_facet("RunFacet", json!({"stores": stores}))
}

fn parent(above: &RunsAbove) -> Json {
    let key = |run: &RunAbove| {
        json!({
            "run": {"runId": run.run_id},
            "job": {"namespace": run.job.namespace, "name": run.job.name},
        })
    };
    let mut fields = key(&above.parent);
    if let Some(root) = &above.root {
        fields["root"] = key(root);
    }
    facet("facets/1-2-0/ParentRunFacet.json", "ParentRunFacet", fields)
}

/// The properties whose names begin so, without that, as texts.
fn texts<'n>(
    node: &'n NodeContent,
    prefix: &'static str,
) -> impl Iterator<Item = (&'n str, String)> + 'n {
    let properties = node.custom_properties.iter();
    properties.filter_map(move |(name, value)| {
        let text = match json(value)? {
            Json::String(text) => text,
            other => other.to_string(),
        };
        Some((name.strip_prefix(prefix)?, text))
    })
}

fn parameters(run: &NodeContent) -> Option<Json> {
    let parameter = |(key, value): (&str, String)| json!({"key": key, "value": value});
    let parameters: Vec<Json> = texts(run, PARAMETER_PREFIX).map(parameter).collect();
    (!parameters.is_empty()).then(|| {
        facet(
            "facets/1-0-0/ExecutionParametersRunFacet.json",
            "ExecutionParametersRunFacet",
            json!({"parameters": parameters}),
        )
    })
}

fn tags(run: &NodeContent) -> Option<Json> {
    let tag = |(key, value): (&str, String)| json!({"key": key, "value": value});
    let tags: Vec<Json> = texts(run, TAG_PREFIX).map(tag).collect();
    (!tags.is_empty()).then(|| {
        facet(
            "facets/1-0-0/TagsRunFacet.json",
            "TagsRunFacet",
            json!({"tags": tags}),
        )
    })
}

fn error_message(run: &NodeContent) -> Option<Json> {
    let message = text_of(run, "error")?;
    // The facet requires a language, which is not stored.
    let fields = json!({"message": message, "programmingLanguage": "unknown"});
    Some(facet(
        "facets/1-0-1/ErrorMessageRunFacet.json",
        "ErrorMessageRunFacet",
        fields,
    ))
}

fn engine(run: &NodeContent) -> Option<Json> {
    let mut fields = Map::new();
    fields.insert("version".into(), text_of(run, "engine_version")?.into());
    insert_present(&mut fields, "name", text_of(run, "engine"));
    let (file, name) = (
        "facets/1-1-1/ProcessingEngineRunFacet.json",
        "ProcessingEngineRunFacet",
    );
    Some(facet(file, name, fields.into()))
}

fn nominal_time(run: &NodeContent) -> Option<Json> {
    let time = |name| time::format(EventTime::from_milliseconds(int_of(run, name)?));
    let mut fields = Map::new();
    fields.insert("nominalStartTime".into(), time("nominal_start")?.into());
    insert_present(&mut fields, "nominalEndTime", time("nominal_end"));
    let (file, name) = (
        "facets/1-0-1/NominalTimeRunFacet.json",
        "NominalTimeRunFacet",
    );
    Some(facet(file, name, fields.into()))
}

fn job_facets(run: &NodeContent) -> Json {
    let mut facets = Map::new();
    insert_present(&mut facets, "sourceCodeLocation", code(run));
    facets.into()
}

fn code(run: &NodeContent) -> Option<Json> {
    let repository = text_of(run, "code.repository")?;
    let mut fields = Map::new();
    fields.insert("type".into(), "git".into());
    // The facet requires a URL of its own, which only some repositories have.
    let url = url::Url::parse(&repository).map_or_else(|_| "urn:unknown".to_owned(), String::from);
    fields.insert("url".into(), url.into());
    fields.insert("repoUrl".into(), repository.into());
    insert_present(&mut fields, "version", text_of(run, "code.commit"));
    insert_present(&mut fields, "branch", text_of(run, "code.branch"));
    insert_present(&mut fields, "path", text_of(run, "code.path"));
    let (file, name) = (
        "facets/1-1-0/SourceCodeLocationJobFacet.json",
        "SourceCodeLocationJobFacet",
    );
    Some(facet(file, name, fields.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: Option<ExecutionState>, times: &[(&str, i64)]) -> Node {
        let property = |(name, time): &(&str, i64)| ((*name).to_owned(), Value::Int(*time));
        Node {
            id: 1,
            type_id: 1,
            type_name: Some("Trainer".into()),
            content: NodeContent {
                state: state.map(NodeState::from),
                custom_properties: times.iter().map(property).collect(),
                ..NodeContent::default()
            },
            create_time: 10,
            update_time: 20,
        }
    }

    #[test]
    fn the_life_of_a_run_is_told_from_its_beginning() {
        use ExecutionState::{Cached, Canceled, Complete, Failed, New, Running, Unknown};
        let told = [("started_at", 3), ("ended_at", 5)];
        for (state, times, expected) in [
            (Some(New), &told[..0], "START@10 START@20"),
            (Some(Running), &told[..0], "START@10 START@20"),
            (Some(Complete), &told[..0], "START@10 COMPLETE@20"),
            (Some(Cached), &told[..0], "START@10 COMPLETE@20"),
            (Some(Failed), &told[..0], "START@10 FAIL@20"),
            (Some(Canceled), &told[..0], "START@10 ABORT@20"),
            (None, &told[..0], "OTHER@20"),
            (Some(Unknown(9)), &told[..0], "OTHER@20"),
            (Some(Running), &told[..1], "START@3 RUNNING@20"),
            (Some(Failed), &told[..], "START@3 FAIL@5"),
        ] {
            let life = life(&run(state, times));
            let shown = |(time, event_type): &(EventTime, RunEventType)| {
                format!("{}@{}", name_of(*event_type), time.milliseconds)
            };
            let lines: Vec<String> = life.iter().map(shown).collect();
            assert_eq!(lines.join(" "), expected, "{state:?} {times:?}");
        }
    }

    #[test]
    fn a_run_that_events_tell_of_has_no_times_of_this_server() {
        let mut run = run(Some(ExecutionState::Running), &[]);
        run.content.external_id = Some("openlineage:run:r".into());
        let running = (EventTime::from_milliseconds(20), RunEventType::Running);
        assert_eq!(life(&run), [running]);
        run.content.state = Some(ExecutionState::Failed.into());
        let failed = (EventTime::from_milliseconds(20), RunEventType::Fail);
        assert_eq!(life(&run), [failed]);
    }

    #[test]
    fn facts_are_in_facets_of_the_standard_and_all_others_in_our_own() {
        let mut run = run(Some(ExecutionState::Complete), &[("metric.auc", 1)]);
        for (name, text) in [
            ("param.rate", "0.1"),
            ("tag.team", "a"),
            ("code.repository", "git@host:a/b.git"),
            ("pedigree.facets", "{}"),
            ("note", "x"),
        ] {
            let text = Value::String(text.to_owned());
            run.content.custom_properties.insert(name.to_owned(), text);
        }
        let ids = ExportIds::of_store("s");
        let facets = run_facets(&run, None, &ids);
        let parameters = &facets["executionParameters"]["parameters"];
        assert_eq!(*parameters, json!([{"key": "rate", "value": "0.1"}]));
        assert_eq!(
            facets["tags"]["tags"],
            json!([{"key": "team", "value": "a"}])
        );
        let own = &facets["pedigree_properties"]["properties"];
        assert_eq!(*own, json!({"metric.auc": 1, "note": "x"}));
        assert_eq!(facets["pedigree_hops"]["stores"], json!(["s"]));
        let code = &job_facets(&run.content)["sourceCodeLocation"];
        assert_eq!(code["repoUrl"], "git@host:a/b.git");
        assert_eq!(code["url"], "urn:unknown");
    }
}
