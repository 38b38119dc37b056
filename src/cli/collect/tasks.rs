//! Which task of a pipeline each execution is.

use std::collections::BTreeMap;

use super::spec::{PipelineComponent, PipelineSpec, TaskGraph};

/// What the graph and the API say about the place of an execution in its run.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskPlace {
    pub execution: i64,
    /// The execution of the task graph around it; `None` for that of the whole run.
    pub parent: Option<i64>,
    /// It stands for all iterations of a loop.
    pub is_loop: bool,
    /// What its task may be called; the first one that names a task counts.
    pub names: Vec<String>,
}

/// The task of an execution.
#[derive(Clone, Debug)]
pub(super) struct FoundTask<'s> {
    /// The names of the tasks around it and its own, with slashes between them.
    pub path: String,
    pub component: &'s PipelineComponent,
}

/// The tasks of executions by their ids, without those that the specification does not have.
///
/// A loop has an execution of its own, and one below it for each iteration, of the same task.
pub(super) fn find<'s>(
    spec: &'s PipelineSpec,
    places: &[TaskPlace],
) -> BTreeMap<i64, FoundTask<'s>> {
    let mut below: BTreeMap<Option<i64>, Vec<&TaskPlace>> = BTreeMap::new();
    for place in places {
        below.entry(place.parent).or_default().push(place);
    }
    let mut found = BTreeMap::new();
    let whole = FoundTask {
        path: String::new(),
        component: &spec.root,
    };
    let roots = below.remove(&None).unwrap_or_default().into_iter();
    let mut open: Vec<(&TaskPlace, FoundTask<'s>)> =
        roots.map(|root| (root, whole.clone())).collect();
    while let Some((place, task)) = open.pop() {
        let inner = below.remove(&Some(place.execution)).unwrap_or_default();
        for inner in inner {
            let next = if place.is_loop {
                Some(task.clone())
            } else {
                task_below(spec, &task, inner)
            };
            open.extend(next.map(|next| (inner, next)));
        }
        found.insert(place.execution, task);
    }
    found
}

fn task_below<'s>(
    spec: &'s PipelineSpec,
    around: &FoundTask<'s>,
    place: &TaskPlace,
) -> Option<FoundTask<'s>> {
    let graph = around.component.dag.as_ref()?;
    let name = place.names.iter().find_map(|name| task_name(graph, name))?;
    let component = &graph.tasks.get(name)?.component_ref.name;
    let separator = if around.path.is_empty() { "" } else { "/" };
    Some(FoundTask {
        path: [&around.path, separator, name].concat(),
        component: spec.components.get(component)?,
    })
}

/// The task with a name, or the only one that is called so for people.
fn task_name<'s>(graph: &'s TaskGraph, name: &str) -> Option<&'s str> {
    if let Some((known, _)) = graph.tasks.get_key_value(name) {
        return Some(known);
    }
    let mut called = graph
        .tasks
        .iter()
        .filter(|(_, task)| task.task_info.name == name);
    let (known, _) = called.next()?;
    called.next().is_none().then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::collect::spec::training;

    fn place(execution: i64, parent: i64, name: &str) -> TaskPlace {
        TaskPlace {
            execution,
            parent: Some(parent),
            names: vec![name.to_owned()],
            ..TaskPlace::default()
        }
    }

    fn paths(places: &[TaskPlace]) -> Vec<(i64, String)> {
        let spec = training();
        let found = find(&spec, places).into_iter();
        found.map(|(id, task)| (id, task.path)).collect()
    }

    #[test]
    fn tasks_are_found_in_task_graphs_and_loops() {
        let root = TaskPlace {
            execution: 1,
            ..TaskPlace::default()
        };
        let mut head = place(4, 1, "for-loop-2");
        head.is_loop = true;
        let places = [
            place(9, 8, "evaluate"),
            root,
            place(2, 1, "fit"),
            place(3, 2, "train"),
            head,
            // Drivers name the task again, or not at all.
            place(5, 4, "for-loop-2"),
            place(6, 5, "evaluate"),
            place(7, 4, ""),
            place(8, 7, "evaluate"),
        ];
        let expected = [
            (1, ""),
            (2, "fit"),
            (3, "fit/train"),
            (4, "for-loop-2"),
            (5, "for-loop-2"),
            (6, "for-loop-2/evaluate"),
            (7, "for-loop-2"),
            (8, "for-loop-2/evaluate"),
        ];
        let mut found = paths(&places);
        // What is below a step is no task.
        assert!(found.iter().all(|(id, _)| *id != 9), "{found:?}");
        found.retain(|(id, _)| *id != 9);
        assert_eq!(found, expected.map(|(id, path)| (id, path.to_owned())));
    }

    #[test]
    fn a_task_is_found_by_what_it_is_called_and_only_in_its_own_graph() {
        let root = || TaskPlace {
            execution: 1,
            ..TaskPlace::default()
        };
        let mut several = place(2, 1, "unknown");
        several.names.push("Publish the model".to_owned());
        assert_eq!(paths(&[root(), several])[1], (2, "publish".to_owned()));
        assert_eq!(paths(&[root(), place(2, 1, "train")]).len(), 1);
        assert_eq!(
            paths(&[root(), place(2, 3, "fit"), place(3, 2, "fit")]).len(),
            1
        );
    }
}
