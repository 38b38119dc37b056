//! Plans of small lineages, and of random ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::{
    Event, EventType, ExecutionState, Node, NodeContent, NodeState, Properties, Step, Value,
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn digest(number: i64) -> String {
    format!("sha256:{number:064}")
}

fn node(id: i64, type_name: &str, facts: &[(&str, &str)]) -> Node {
    let fact =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Value::String((*value).to_owned()));
    Node {
        id,
        type_id: 1,
        type_name: Some(type_name.to_owned()),
        content: NodeContent {
            custom_properties: facts.iter().map(fact).collect::<Properties>(),
            ..NodeContent::default()
        },
        create_time: id,
        update_time: id,
    }
}

/// A lineage that is put together by hand.
#[derive(Default)]
struct Story(ArtifactLineage);

impl Story {
    fn artifact(&mut self, id: i64) -> &mut Node {
        let digest = digest(id);
        let mut made = node(id, "Data", &[("digest", &digest)]);
        made.content.uri = Some(format!("file:///data/{id}"));
        self.0.artifacts.entry(id).or_insert(made)
    }

    /// An execution with all facts, which reads and writes artifacts as `a1`, `a2` and so on.
    fn step(&mut self, id: i64, inputs: &[i64], outputs: &[i64]) -> &mut Node {
        let lock = 1_000_000 + id;
        let mut blob = node(lock, BLOB_TYPE, &[("digest", &digest(lock))]);
        blob.content.uri = Some("file:///blobs/lock".to_owned());
        self.0.artifacts.insert(lock, blob);
        self.event(id, lock, EventType::Input, ENVIRONMENT_LOCK);
        for (artifacts, event_type) in [(inputs, EventType::Input), (outputs, EventType::Output)] {
            for artifact in artifacts {
                self.artifact(*artifact);
                self.event(id, *artifact, event_type, &format!("a{artifact}"));
            }
        }
        let mut made = node(
            id,
            "Train",
            &[
                ("command", r#"["sh", "step.sh", "{param:seed}"]"#),
                ("param.seed", "7"),
                ("code.repository", "https://host/code.git"),
                ("code.commit", COMMIT),
                (ENVIRONMENT_LOCK, &digest(lock)),
                ("environment.python", "3.11.7"),
            ],
        );
        for (side, artifacts) in [("input", inputs), ("output", outputs)] {
            for artifact in artifacts {
                let path = Value::String(format!("data/{artifact}"));
                let name = format!("{side}.a{artifact}");
                made.content.custom_properties.insert(name, path);
            }
        }
        self.0.executions.insert(id, made);
        self.execution(id)
    }

    fn execution(&mut self, id: i64) -> &mut Node {
        self.0.executions.get_mut(&id).unwrap()
    }

    fn event(&mut self, execution_id: i64, artifact_id: i64, event_type: EventType, role: &str) {
        self.0.events.push(Event {
            artifact_id,
            execution_id,
            event_type,
            milliseconds: None,
            path: vec![Step::Key(role.to_owned())],
        });
    }

    fn reproduced(&mut self, id: i64, artifact: i64, verdict: &str) {
        let made = node(id, REPRODUCTION_TYPE, &[(VERDICT, verdict)]);
        self.0.executions.insert(id, made);
        self.event(id, artifact, EventType::Input, REPRODUCED_ROLE);
    }

    fn plan(&self, artifact: i64) -> ReproductionPlan {
        self.plan_with(artifact, &PlanOptions::default())
    }

    fn plan_with(&self, artifact: i64, options: &PlanOptions) -> ReproductionPlan {
        plan(&self.0, artifact, options).unwrap()
    }
}

/// Raw data 1, cleaned data 2, model 3.
fn pipeline() -> Story {
    let mut story = Story::default();
    story.step(10, &[1], &[2]);
    story.step(11, &[2], &[3]);
    story
}

fn executions(plan: &ReproductionPlan) -> Vec<i64> {
    plan.steps.iter().map(|step| step.execution).collect()
}

fn gaps(plan: &ReproductionPlan) -> Vec<&str> {
    plan.gaps.iter().map(|gap| gap.text.as_str()).collect()
}

#[test]
fn steps_are_in_order_and_sources_are_known() {
    let plan = pipeline().plan(3);
    assert_eq!(executions(&plan), [10, 11]);
    assert_eq!(gaps(&plan), [""; 0]);
    assert_eq!(plan.level, ReproductionLevel::Runnable);
    assert_eq!(plan.score.percent(), 100);
    let sources = plan.artifacts.iter().filter(|(_, it)| it.is_source);
    assert_eq!(sources.map(|(id, _)| *id).collect::<Vec<_>>(), [1]);
    assert_eq!(plan.steps[0].inputs[0].path, "data/1");
}

#[test]
fn an_artifact_that_is_not_in_the_lineage_has_no_plan() {
    assert_eq!(plan(&pipeline().0, 99, &PlanOptions::default()), None);
}

#[test]
fn what_is_missing_is_a_gap_and_lowers_the_level() {
    for (fact, gap, level) in [
        ("command", "Train (execution 11): no command", 1),
        ("param.seed", "Train (execution 11): no param.seed", 1),
        ("code.commit", "Train (execution 11): no code.commit", 0),
        (
            "code.repository",
            "Train (execution 11): no code.repository",
            0,
        ),
        (
            ENVIRONMENT_LOCK,
            "Train (execution 11): no environment.lock, and no environment.image with a digest",
            1,
        ),
        (
            "environment.python",
            "Train (execution 11): no environment.python for environment.lock, and no \
             environment.image",
            2,
        ),
        (
            "input.a2",
            "Train (execution 11): the input `a2` has no path that can be made again",
            1,
        ),
    ] {
        let mut story = pipeline();
        story.execution(11).content.custom_properties.remove(fact);
        let plan = story.plan(3);
        assert_eq!(gaps(&plan), [gap]);
        assert_eq!(plan.level.number(), level, "{fact}");
        let is_unscored = ["input.a2", "environment.python"].contains(&fact);
        assert!(is_unscored || plan.score.percent() < 100, "{fact}");
        assert_eq!(plan.steps[0].level.number(), 2);
    }
}

#[test]
fn an_artifact_without_a_good_digest_is_a_gap() {
    for (digest, gap) in [
        (None, "Data (artifact 1): it has no digest"),
        (
            Some("mlflow:0a1b"),
            "Data (artifact 1): its digest mlflow:0a1b is no SHA-256",
        ),
    ] {
        let mut story = pipeline();
        let facts = &mut story.artifact(1).content.custom_properties;
        facts.remove("digest");
        facts.extend(digest.map(|it| ("digest".to_owned(), Value::String(it.to_owned()))));
        let plan = story.plan(3);
        assert_eq!(gaps(&plan), [gap]);
        assert_eq!(plan.level, ReproductionLevel::Traced);
    }
}

#[test]
fn a_blob_that_no_artifact_has_is_a_gap() {
    let mut story = pipeline();
    story.0.artifacts.remove(&1_000_011);
    let plan = story.plan(3);
    assert_eq!(plan.gaps[0].id, GapId::Blob);
    assert_eq!(plan.level, ReproductionLevel::Pinned);
}

#[test]
fn observations_raise_the_level_or_are_gaps() {
    let story = pipeline();
    let mut options = PlanOptions::default();
    for id in [1, 1_000_010, 1_000_011] {
        options.artifacts.insert(id, Finding::Present);
    }
    options.commits.insert(COMMIT.to_owned(), Finding::Present);
    assert_eq!(
        story.plan_with(3, &options).level,
        ReproductionLevel::Present
    );
    options.artifacts.insert(1, Finding::Changed);
    let plan = story.plan_with(3, &options);
    assert_eq!(plan.level, ReproductionLevel::Runnable);
    let gap = "Data (artifact 1): the source at file:///data/1 has another digest now: it was \
               overwritten";
    assert_eq!(gaps(&plan), [gap]);
    options.artifacts.insert(1, Finding::Present);
    options.commits.insert(COMMIT.to_owned(), Finding::Missing);
    let plan = story.plan_with(3, &options);
    assert_eq!(plan.gaps[0].id, GapId::CommitMissing);
    assert_eq!(plan.level, ReproductionLevel::Runnable);
}

#[test]
fn the_newest_verdict_decides() {
    let mut story = pipeline();
    story.reproduced(20, 2, IDENTICAL);
    assert_eq!(story.plan(2).level, ReproductionLevel::Reproduced);
    assert_eq!(story.plan(3).level, ReproductionLevel::Runnable);
    story.reproduced(21, 3, PASSES_CHECK);
    assert_eq!(story.plan(3).level, ReproductionLevel::Reproduced);
    story.reproduced(22, 3, DIFFERS);
    assert_eq!(story.plan(3).level, ReproductionLevel::Runnable);
    assert_eq!(executions(&story.plan(3)), [10, 11]);
}

#[test]
fn the_newest_execution_that_did_not_fail_is_taken() {
    let mut story = pipeline();
    story.step(12, &[2], &[3]);
    assert_eq!(executions(&story.plan(3)), [10, 12]);
    let options = PlanOptions {
        executions: BTreeSet::from([11]),
        ..PlanOptions::default()
    };
    assert_eq!(executions(&story.plan_with(3, &options)), [10, 11]);
    for state in [ExecutionState::Failed, ExecutionState::Cached] {
        story.execution(12).content.state = Some(NodeState::Execution(state));
        assert_eq!(executions(&story.plan(3)), [10, 11], "{state:?}");
    }
}

#[test]
fn a_tag_says_a_fact_where_the_door_has_no_place_for_it() {
    let mut story = pipeline();
    let custom = &mut story.execution(11).content.custom_properties;
    for name in ["command", "code.commit", "input.a2", "output.a3"] {
        let value = custom.remove(name).unwrap();
        custom.insert(format!("tag.pedigree.{name}"), value);
    }
    let plan = story.plan(3);
    assert_eq!(plan, pipeline().plan(3));
    // A fact by its own name counts.
    let command = Value::String("[\"true\"]".to_owned());
    let custom = &mut story.execution(11).content.custom_properties;
    custom.insert("command".to_owned(), command);
    assert_eq!(story.plan(3).steps[1].command, ["true"]);
}

#[test]
fn outputs_without_a_place_are_left_out_unless_something_needs_them() {
    let mut story = pipeline();
    // Outputs of the cleaning: what nothing reads, and what the training reads.
    for artifact in [4, 5] {
        story.artifact(artifact);
        story.event(10, artifact, EventType::Output, "");
    }
    story.event(11, 5, EventType::Input, "a5");
    let path = Value::String("data/5".to_owned());
    let custom = &mut story.execution(11).content.custom_properties;
    custom.insert("input.a5".to_owned(), path);
    let made = |plan: &ReproductionPlan| -> BTreeSet<i64> {
        let outputs = plan.steps[0].outputs.iter();
        outputs.map(|output| output.artifact).collect()
    };
    let plan = story.plan(3);
    assert_eq!(made(&plan), [2, 5].into());
    assert!(!plan.artifacts.contains_key(&4));
    assert_eq!(plan.gaps[0].id, GapId::Path, "{plan:?}");
    assert_eq!(plan.gaps.len(), 1, "{plan:?}");
    // It is asked for.
    let plan = story.plan(4);
    assert_eq!(made(&plan), [2, 4].into());
    assert_eq!(plan.gaps[0].id, GapId::Path, "{plan:?}");
    // The same content as an output with a place: another door's name of the same file.
    let same = Value::String(digest(2));
    let known = &mut story.artifact(5).content.custom_properties;
    known.insert("digest".to_owned(), same);
    let plan = story.plan(3);
    assert_eq!(gaps(&plan), [""; 0]);
    let outputs = plan.steps[0].outputs.iter();
    let places: BTreeSet<_> = outputs
        .map(|it| (it.role.as_str(), it.path.as_str()))
        .collect();
    assert_eq!(places, [("a2", "data/2")].into());
    assert_eq!(made(&plan), [2, 5].into());
    // A step that says no place has all outputs.
    let custom = &mut story.execution(10).content.custom_properties;
    custom.remove("output.a2");
    assert_eq!(made(&story.plan(3)), [2, 4, 5].into());
}

#[test]
fn an_artifact_that_is_made_from_itself_is_a_source() {
    let mut story = Story::default();
    story.step(10, &[1, 2], &[1]);
    let plan = story.plan(1);
    assert_eq!(executions(&plan), [10]);
    assert_eq!(plan.gaps[0].id, GapId::Circle);
}

#[test]
fn an_artifact_that_no_execution_made_has_no_plan_to_run() {
    let mut story = Story::default();
    story.artifact(1);
    let plan = story.plan(1);
    assert_eq!(gaps(&plan), ["Data (artifact 1): no execution made it"]);
    assert_eq!(plan.level, ReproductionLevel::Traced);
}

#[test]
fn a_lineage_deeper_than_a_stack_can_be_planned() {
    let mut story = Story::default();
    for step in 0..5_000 {
        story.step(10_000 + step, &[step], &[step + 1]);
    }
    let plan = story.plan(5_000);
    assert_eq!(executions(&plan), (10_000..15_000).collect::<Vec<_>>());
}

#[test]
fn paths_that_leave_the_folder_are_not_inner() {
    for (path, is_inner) in [
        ("a", true),
        ("a/b", true),
        ("./a", true),
        ("..a/b", true),
        ("", false),
        ("/a", false),
        ("..", false),
        ("a/../../b", false),
    ] {
        assert_eq!(is_inner_path(path), is_inner, "{path}");
    }
}

proptest! {
    /// Whatever the edges are, circles included.
    #[test]
    fn each_step_comes_once_and_after_those_that_it_needs(
        edges in prop::collection::vec((0..12_i64, 0..12_i64, any::<bool>()), 0..60)
    ) {
        let mut story = Story::default();
        story.artifact(0);
        for step in 0..12 {
            let of = |side| edges.iter().filter(move |edge| edge.0 == step && edge.2 == side);
            let inputs: BTreeSet<i64> = of(true).map(|edge| edge.1).collect();
            let outputs: BTreeSet<i64> = of(false).map(|edge| edge.1).collect();
            let (inputs, outputs) = (Vec::from_iter(inputs), Vec::from_iter(outputs));
            story.step(100 + step, &inputs, &outputs);
        }
        let plan = story.plan(0);
        let mut made = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for step in &plan.steps {
            prop_assert!(seen.insert(step.execution), "twice");
            for input in &step.inputs {
                let is_source = plan.artifacts[&input.artifact].is_source;
                prop_assert!(is_source || made.contains(&input.artifact), "too early");
            }
            made.extend(step.outputs.iter().map(|output| output.artifact));
        }
        prop_assert!(plan.artifacts[&0].is_source || made.contains(&0));
        prop_assert!(plan.score.percent() <= 100);
    }
}

/// A step that one door tells of, with a source and an output.
fn door(facts: &[(&str, &str)], source: &[(&str, &str)], output: &[(&str, &str)]) -> Story {
    let mut story = Story::default();
    for (id, facts) in [(1, source), (2, output)] {
        let mut made = node(id, "Data", facts);
        made.content.uri = Some(format!("s3://lake/{id}"));
        story.0.artifacts.insert(id, made);
    }
    story.0.executions.insert(10, node(10, "Train", facts));
    story.event(10, 1, EventType::Input, "raw");
    story.event(10, 2, EventType::Output, "model");
    story
}

#[test]
fn the_facts_of_each_door_are_read_by_their_own_names() {
    let strong = digest(1);
    let (strong, weak): (&[_], &[_]) = (
        &[("digest", strong.as_str())],
        &[("digest", "mlflow:0a1b2c3d")],
    );
    let image = "host/train@sha256:00";
    let git = [
        ("tag.mlflow.source.git.repoURL", "https://host/code.git"),
        ("tag.mlflow.source.git.commit", COMMIT),
    ];
    let code = [
        ("code.repository", "https://host/code.git"),
        ("code.commit", COMMIT),
    ];
    let launcher = [
        code[0],
        code[1],
        ("image", image),
        ("command", "[\"train\"]"),
    ];
    let script = [git[0], git[1], ("tag.mlflow.source.name", "train.py")];
    let dirty = [git[0], git[1], ("tag.mlflow.source.git.dirty", "true")];
    let version: &[_] = &[("version", "17")];
    for (name, facts, files, level) in [
        (
            "OpenLineage with versions",
            &code[..],
            version,
            ReproductionLevel::Pinned,
        ),
        (
            "OpenLineage without versions",
            &code,
            &[],
            ReproductionLevel::Traced,
        ),
        (
            "KFP's launcher",
            &launcher,
            strong,
            ReproductionLevel::Pinned,
        ),
        (
            "MLflow with digests of files",
            &script,
            strong,
            ReproductionLevel::Pinned,
        ),
        (
            "MLflow with its own digests",
            &script,
            weak,
            ReproductionLevel::Traced,
        ),
        (
            "MLflow with its own digests and versions",
            &script,
            &[weak[0], version[0]],
            ReproductionLevel::Pinned,
        ),
        (
            "MLflow with a changed work tree",
            &dirty,
            strong,
            ReproductionLevel::Traced,
        ),
    ] {
        let plan = door(facts, files, files).plan(2);
        assert_eq!(plan.level, level, "{name}: {:?}", gaps(&plan));
    }
    let step = &door(&script, strong, strong).plan(2).steps[0];
    assert_eq!(step.command, ["python", "train.py"]);
    assert_eq!(step.code.commit, COMMIT);
    let step = &door(&launcher, strong, strong).plan(2).steps[0];
    assert_eq!(step.environment.image, image);
}
