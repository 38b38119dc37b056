//! The job of a run, and the runs above it.

use std::collections::HashMap;
use std::sync::Arc;

use super::ids::ExportIds;
use super::value::{int_of, text_of};
use crate::api::openlineage::report::JOB_TYPE;
use crate::graph::PlacedRun;
use crate::model::Node;

/// The types of contexts that stand for a pipeline: of Kubeflow Pipelines and of TFX.
const PIPELINE_TYPES: [&str; 2] = ["system.Pipeline", "pipeline"];

/// The types of contexts that stand for a run of a pipeline.
const PIPELINE_RUN_TYPES: [&str; 2] = ["system.PipelineRun", "pipeline_run"];

/// The type of contexts of TFX that stand for a step. They are named `PIPELINE.STEP`.
const STEP_TYPE: &str = "node";

/// The property in which Kubeflow Pipelines has the name of a step.
const STEP_PROPERTY: &str = "task_name";

/// The property in which Kubeflow Pipelines has the execution above one.
const PARENT_PROPERTY: &str = "parent_dag_id";

/// The namespace and the name of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobName {
    pub namespace: String,
    pub name: String,
}

/// A run and its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunAbove {
    pub run_id: String,
    pub job: JobName,
}

/// The run that began a run, and the first one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunsAbove {
    pub parent: RunAbove,
    pub root: Option<RunAbove>,
}

/// What names an execution that is above others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ParentRef {
    Execution(i64),
    /// The `OpenLineage` id of a run.
    Run(String),
}

/// What names the parent of a run: a property.
fn named_parent(run: &PlacedRun) -> Option<ParentRef> {
    let content = &run.run.content;
    let told = text_of(content, "parent_run").map(ParentRef::Run);
    let step = || int_of(content, PARENT_PROPERTY).filter(|id| *id > 0);
    told.or_else(|| step().map(ParentRef::Execution))
}

/// What names the root of a run.
fn named_root(run: &PlacedRun) -> Option<ParentRef> {
    text_of(&run.run.content, "root_run").map(ParentRef::Run)
}

/// The executions that the properties of a run name as those above it.
pub(super) fn named_above(run: &PlacedRun) -> impl Iterator<Item = ParentRef> {
    named_parent(run).into_iter().chain(named_root(run))
}

/// The runs above a run: those that its properties name, and the run of the pipeline.
pub(super) fn parent(
    run: &PlacedRun,
    known: &HashMap<ParentRef, PlacedRun>,
    ids: &ExportIds<'_>,
    namespace: &str,
) -> Option<RunsAbove> {
    let named = |named: Option<ParentRef>| {
        let above = known.get(&named?)?;
        (above.run.id != run.run.id).then(|| RunAbove {
            run_id: ids.run(&above.run),
            job: of_run(above, namespace),
        })
    };
    let of_pipeline = pipeline_run(run, ids, namespace);
    let parent = named(named_parent(run)).or_else(|| of_pipeline.clone())?;
    let root = named(named_root(run)).or(of_pipeline);
    Some(RunsAbove { parent, root })
}

/// The run of the pipeline that a run is a step of. No execution stands for it.
fn pipeline_run(run: &PlacedRun, ids: &ExportIds<'_>, namespace: &str) -> Option<RunAbove> {
    let context = of_type(run, &PIPELINE_RUN_TYPES)?;
    let name = pipeline(run).or(context.content.name.as_deref());
    Some(RunAbove {
        run_id: ids.run_context(context),
        job: JobName {
            namespace: namespace.to_owned(),
            name: name?.to_owned(),
        },
    })
}

/// The job of a run: the one in its events, else `PIPELINE.STEP` in a namespace.
pub(super) fn of_run(run: &PlacedRun, namespace: &str) -> JobName {
    let told = of_type(run, &[JOB_TYPE]).and_then(|job| {
        Some(JobName {
            namespace: text_of(&job.content, "namespace")?,
            name: text_of(&job.content, "name")?,
        })
    });
    told.unwrap_or_else(|| JobName {
        namespace: namespace.to_owned(),
        name: step(run),
    })
}

fn step(run: &PlacedRun) -> String {
    let of_tfx = of_type(run, &[STEP_TYPE]).and_then(|step| step.content.name.clone());
    if let Some(name) = of_tfx.filter(|name| !name.is_empty()) {
        return name;
    }
    let type_name = || run.run.type_name.clone().filter(|name| !name.is_empty());
    let step = text_of(&run.run.content, STEP_PROPERTY).or_else(type_name);
    let step = step.unwrap_or_else(|| "execution".to_owned());
    match pipeline(run) {
        Some(pipeline) => format!("{pipeline}.{step}"),
        None => step,
    }
}

fn pipeline(run: &PlacedRun) -> Option<&str> {
    let name = of_type(run, &PIPELINE_TYPES)?.content.name.as_deref();
    name.filter(|name| !name.is_empty())
}

/// The first context of a run that has one of these types.
fn of_type<'r>(run: &'r PlacedRun, types: &[&str]) -> Option<&'r Arc<Node>> {
    let has_type = |context: &&Arc<Node>| {
        let name = context.type_name.as_deref();
        name.is_some_and(|name| types.contains(&name))
    };
    run.contexts.iter().find(has_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NodeContent, Value};

    fn node(id: i64, type_name: &str, name: &str) -> Node {
        Node {
            id,
            type_id: 1,
            type_name: Some(type_name.to_owned()),
            content: NodeContent {
                name: Some(name.to_owned()),
                ..NodeContent::default()
            },
            create_time: 0,
            update_time: 0,
        }
    }

    fn placed(run: Node, contexts: Vec<Node>) -> PlacedRun {
        PlacedRun {
            run,
            contexts: contexts.into_iter().map(Arc::new).collect(),
        }
    }

    fn kubeflow_run(id: i64, task: &str, parent: i64) -> PlacedRun {
        let mut run = node(id, "system.ContainerExecution", "x");
        let properties = &mut run.content.custom_properties;
        properties.insert("task_name".into(), Value::String(task.into()));
        properties.insert("parent_dag_id".into(), Value::Int(parent));
        let run_id = "0198fd6e-7a5f-7c3e-9d3b-1f2a3b4c5d6e";
        let contexts = vec![
            node(1, "system.Pipeline", "churn"),
            node(2, "system.PipelineRun", run_id),
        ];
        placed(run, contexts)
    }

    #[test]
    fn jobs_are_named_by_pipeline_and_step() {
        let name = |run: &PlacedRun| of_run(run, "prod").name;
        assert_eq!(name(&kubeflow_run(5, "train", 4)), "churn.train");
        let tfx = vec![node(1, "pipeline", "p"), node(2, "node", "p.Trainer")];
        assert_eq!(name(&placed(node(5, "tfx.Trainer", "x"), tfx)), "p.Trainer");
        assert_eq!(name(&placed(node(5, "Trainer", "x"), vec![])), "Trainer");
        let mut job = node(1, JOB_TYPE, "team/train");
        for (key, text) in [("namespace", "team"), ("name", "train")] {
            let text = Value::String(text.to_owned());
            job.content.custom_properties.insert(key.to_owned(), text);
        }
        let told = of_run(&placed(node(5, "openlineage.Run", "x"), vec![job]), "prod");
        assert_eq!((&*told.namespace, &*told.name), ("team", "train"));
    }

    #[test]
    fn a_step_is_below_its_graph_and_the_run_of_the_pipeline() {
        let ids = ExportIds::of_store("store");
        let graph = kubeflow_run(4, "graph", 0);
        let step = kubeflow_run(5, "train", 4);
        let known = HashMap::from([(ParentRef::Execution(4), graph.clone())]);
        let above = parent(&step, &known, &ids, "prod").unwrap();
        assert_eq!(above.parent.run_id, ids.run(&graph.run));
        assert_eq!(above.parent.job.name, "churn.graph");
        let root = above.root.unwrap();
        assert_eq!(root.run_id, "0198fd6e-7a5f-7c3e-9d3b-1f2a3b4c5d6e");
        assert_eq!(root.job.name, "churn");
        let above = parent(&graph, &known, &ids, "prod").unwrap();
        assert_eq!(above.parent, root);
    }
}
