//! Events out: what the graph has of runs, as events of `OpenLineage`.
//!
//! A change of a run, of its edges or its contexts makes events that say all of the run as it is
//! now: each start and each end that it has had, and that it is running. Events add to a run, and
//! may be sent again, so a target needs no event that came before.
//!
//! * `run`: the events of a run and its facets; `job`: the job of a run, and the runs above it.
//! * `data`: artifacts as versions of datasets.
//! * `ids`: ids of runs and versions, which never change; `value`: values as JSON.

mod data;
mod ids;
mod job;
mod run;
pub(in crate::api) mod value;

use std::collections::{BTreeSet, HashMap};

use self::ids::ExportIds;
use self::job::{JobName, ParentRef};
use super::names;
use crate::error::Result;
use crate::graph::{EventTime, Graph, PlacedRun, RunWithData};
use crate::model::{Door, JournalEntry, Kind, Subject, distinct_ids};

/// Which runs are sent, and how. An empty list selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRules {
    /// Of the changes.
    pub doors: Vec<Door>,
    /// Names of the types of executions.
    pub types: Vec<String>,
    /// Names of contexts that runs are in.
    pub contexts: Vec<String>,
    /// Namespaces of jobs.
    pub namespaces: Vec<String>,
    /// The namespace of the jobs of runs that have none of their own.
    pub job_namespace: String,
}

/// An event, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEvent {
    pub time: EventTime,
    /// JSON.
    pub body: String,
}

impl ExportRules {
    fn takes_door(&self, door: Door) -> bool {
        // What was stored without a door did not come through that of `OpenLineage`.
        let door = if door == Door::Unknown {
            Door::Command
        } else {
            door
        };
        self.doors.is_empty() || self.doors.contains(&door)
    }

    fn takes_run(&self, run: &PlacedRun) -> bool {
        let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
        let type_name = run.run.type_name.as_deref().unwrap_or_default();
        let mut contexts = run.contexts.iter();
        let is_in = |name: Option<&str>| name.is_some_and(|name| has(&self.contexts, name));
        (self.types.is_empty() || has(&self.types, type_name))
            && (self.contexts.is_empty()
                || contexts.any(|context| is_in(context.content.name.as_deref())))
    }

    fn takes_job(&self, job: &JobName) -> bool {
        self.namespaces.is_empty() || self.namespaces.contains(&job.namespace)
    }
}

/// The executions that changes are about, ascending by id.
#[must_use]
pub fn changed_runs(rules: &ExportRules, changes: &[JournalEntry]) -> Vec<i64> {
    let is_sent = |entry: &&JournalEntry| rules.takes_door(entry.origin.caller.door);
    let sent = changes.iter().filter(is_sent);
    distinct_ids(sent.filter_map(|entry| run_of(&entry.change.subject)))
}

/// The events of executions with these ids, in the order of their times. `store_id` is that of the
/// database.
///
/// # Errors
///
/// Those of the database.
pub async fn events(
    graph: &Graph,
    store_id: &str,
    rules: &ExportRules,
    run_ids: &[i64],
) -> Result<Vec<OutgoingEvent>> {
    let mut runs = graph.export().runs_with_data(run_ids).await?;
    runs.retain(|run| rules.takes_run(&run.placed));
    let above = runs_above(graph, &runs).await?;
    let ids = ExportIds::of_store(store_id);
    let mut events = Vec::new();
    for run in &runs {
        let job = job::of_run(&run.placed, &rules.job_namespace);
        if rules.takes_job(&job) {
            let parent = job::parent(&run.placed, &above, &ids, &rules.job_namespace);
            events.extend(run::events(run, &job, parent.as_ref(), &ids));
        }
    }
    events.sort_by_key(|event| event.time);
    Ok(events)
}

/// The execution that a change is about.
const fn run_of(subject: &Subject) -> Option<i64> {
    match subject {
        Subject::Node(Kind::Execution, node) => Some(node.id),
        Subject::Event(event) => Some(event.execution_id),
        Subject::Membership(Kind::Execution, member) => Some(member.node_id),
        Subject::Node(..) | Subject::Type(..) | Subject::Membership(..) => None,
    }
}

/// The executions above runs, by what names them.
async fn runs_above(graph: &Graph, runs: &[RunWithData]) -> Result<HashMap<ParentRef, PlacedRun>> {
    let (mut ids, mut external_ids) = (BTreeSet::new(), BTreeSet::new());
    for run in runs {
        for named in job::named_above(&run.placed) {
            match named {
                ParentRef::Execution(id) => _ = ids.insert(id),
                ParentRef::Run(id) => _ = external_ids.insert(names::run_id(&id)),
            }
        }
    }
    let ids: Vec<i64> = ids.into_iter().collect();
    let external_ids: Vec<String> = external_ids.into_iter().collect();
    let found = graph.export().placed_runs(&ids, &external_ids).await?;
    let mut above = HashMap::new();
    for run in found {
        if let Some(id) = ids::told_id(&run.run) {
            above.insert(ParentRef::Run(id.to_owned()), run.clone());
        }
        above.insert(ParentRef::Execution(run.run.id), run);
    }
    Ok(above)
}
