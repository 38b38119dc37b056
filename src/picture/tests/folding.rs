//! Folds: repeated steps become one, nothing gets lost, and what is asked for stays.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::generate::{Pipeline, choices, generated};
use crate::picture::fold::MAX_FIGURES;
use crate::picture::{FigureKey, FoldRules, Grouping, LineageFolder, TracedLineage, fold};

/// A model that thirteen nights score, all but one with an output, beside one evaluation.
fn scored() -> (TracedLineage, FigureKey) {
    let mut pipeline = Pipeline::default();
    let raw = pipeline.artifact("events", "Dataset");
    let model = pipeline.step("train", &[raw], "Model");
    for night in 0..12 {
        pipeline.step(&format!("score {night}"), &[model], "Scores");
    }
    // The last night failed, and wrote nothing.
    pipeline.run("score 12", &[model]);
    pipeline.step("evaluate", &[model], "Metrics");
    (pipeline.around(model), model)
}

fn rules(focus: FigureKey) -> FoldRules {
    FoldRules {
        hops: 8,
        focus: BTreeSet::from([focus]),
        ..FoldRules::default()
    }
}

#[test]
fn repeated_steps_are_one_figure() {
    let (lineage, model) = scored();
    let scene = fold(&lineage, &rules(model));
    let mut found: Vec<(&str, usize)> = scene
        .figures
        .iter()
        .map(|figure| (figure.label.as_str(), figure.members.len()))
        .collect();
    found.sort_unstable();
    let expected = [
        ("Metrics", 1),
        ("Model", 1),
        ("Scores", 12),
        ("evaluate", 1),
        ("events", 1),
        ("score", 13),
        ("train", 1),
    ];
    assert_eq!(found, expected);
}

#[test]
fn runs_with_names_that_mlflow_made_up_are_one_figure() {
    let mut pipeline = Pipeline::default();
    let data = pipeline.artifact("customers", "Dataset");
    for name in [
        "bold-fox-7",
        "salty-moth-903",
        "lively-robin-214",
        "wise-owl-0",
    ] {
        let run = pipeline.run(name, &[data]);
        pipeline.edge(data, run, "again");
    }
    // The types of runs are the first words of their names here.
    let mut lineage = pipeline.around(data);
    for node in &mut lineage.nodes {
        node.type_name = "Run".to_owned();
    }
    let scene = fold(&lineage, &rules(data));
    let sizes: Vec<usize> = scene.figures.iter().map(|it| it.members.len()).collect();
    assert_eq!(sizes, [1, 4]);
    // Names that people give stay apart, and so do those of artifacts.
    for (place, node) in lineage.nodes.iter_mut().enumerate().skip(1) {
        node.label = format!(
            "{}-fox-{place}x",
            ["bold", "wise", "calm", "loud"][place - 1]
        );
    }
    assert_eq!(fold(&lineage, &rules(data)).figures.len(), 5);
}

#[test]
fn a_crowd_on_an_opened_side_is_folded_by_type() {
    let mut pipeline = Pipeline::default();
    let raw = pipeline.artifact("events", "Dataset");
    let model = pipeline.step("train", &[raw], "Model");
    for first in 'a'..='f' {
        for second in 'a'..='g' {
            pipeline.run(&format!("job {first}{second}"), &[model]);
        }
    }
    let lineage = pipeline.around(raw);
    let near = FoldRules {
        hops: 2,
        ..rules(raw)
    };
    assert_eq!(fold(&lineage, &near).figures.len(), 3);
    let opened = FoldRules {
        opened_after: BTreeSet::from([model]),
        ..near.clone()
    };
    let scene = fold(&lineage, &opened);
    let crowd = scene.figures.iter().find(|it| it.is_fold()).unwrap();
    assert_eq!((scene.figures.len(), crowd.members.len()), (4, 42));
    // Asked for, all are drawn; and what was near before is never folded.
    let all = FoldRules {
        unfolded: BTreeSet::from([crowd.key]),
        ..opened.clone()
    };
    assert_eq!(fold(&lineage, &all).figures.len(), 45);
    let far = FoldRules { hops: 3, ..opened };
    assert_eq!(fold(&lineage, &far).figures.len(), 45);
}

#[test]
fn an_opened_fold_is_drawn_as_its_members() {
    let (lineage, model) = scored();
    let folded = fold(&lineage, &rules(model));
    let fold_key = folded
        .figures
        .iter()
        .find(|it| it.label == "Scores")
        .unwrap()
        .key;
    let opened = FoldRules {
        unfolded: BTreeSet::from([fold_key]),
        ..rules(model)
    };
    let opened = fold(&lineage, &opened);
    assert_eq!(opened.figures.len(), folded.figures.len() + 11);
}

#[test]
fn what_is_not_drawn_is_counted_and_can_be_opened() {
    let (lineage, model) = scored();
    let near = FoldRules {
        hops: 1,
        ..rules(model)
    };
    let scene = fold(&lineage, &near);
    let train = scene.figures.iter().find(|it| it.label == "train").unwrap();
    assert_eq!((train.more_before, train.more_after), (1, 0));
    assert_eq!(scene.hidden, 14, "events, and what thirteen runs wrote");
    let opened = FoldRules {
        opened_before: BTreeSet::from([train.key]),
        ..near
    };
    let scene = fold(&lineage, &opened);
    assert!(scene.figures.iter().any(|it| it.label == "events"));
    assert_eq!(scene.hidden, 13);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_node_is_in_one_figure_or_hidden(
        choices in choices(120),
        hops in 1..9_u32,
        grouping in prop_oneof![
            Just(Grouping::RepeatedSteps),
            Just(Grouping::Type),
            Just(Grouping::Nothing)
        ],
    ) {
        let (lineage, focus) = generated(&choices);
        let rules = FoldRules { grouping, hops, ..rules(focus) };
        let scene = fold(&lineage, &rules);
        let members: Vec<FigureKey> =
            scene.figures.iter().flat_map(|it| it.members.iter().copied()).collect();
        let distinct: BTreeSet<FigureKey> = members.iter().copied().collect();
        prop_assert_eq!(distinct.len(), members.len());
        prop_assert_eq!(members.len() + scene.hidden, lineage.nodes.len());
        prop_assert!(scene.figures.len() <= MAX_FIGURES);
        prop_assert!(scene.figures.iter().any(|it| it.is_focus && !it.is_fold()));
    }

    #[test]
    fn the_order_of_what_was_traced_means_nothing(choices in choices(60), seed in any::<u64>()) {
        let (lineage, focus) = generated(&choices);
        let mut shuffled = lineage.clone();
        let shift = usize::try_from(seed % 97).unwrap();
        let nodes = shuffled.nodes.len();
        shuffled.nodes.rotate_left(shift % nodes);
        let edges = shuffled.edges.len();
        shuffled.edges.rotate_left(shift % edges.max(1));
        shuffled.normalize();
        prop_assert_eq!(fold(&lineage, &rules(focus)), fold(&shuffled, &rules(focus)));
    }

    #[test]
    fn more_hops_are_drawn_while_there_is_room(choices in choices(120)) {
        let (lineage, focus) = generated(&choices);
        let (scene, hops) = LineageFolder::new(&lineage).fold_within(&rules(focus), 8, 60);
        prop_assert!(hops == 2 || scene.figures.len() <= 60);
    }
}

#[test]
fn steps_of_pipelines_with_ids_in_their_names_fold() {
    let mut pipeline = Pipeline::default();
    let raw = pipeline.artifact("raw", "Dataset");
    for run in 0..9_u128 {
        let id = uuid::Uuid::from_u128(run * 0x1234_5678_9abc_def0_1234_5678_9abc);
        let step = pipeline.run(&format!("split {id}/part"), &[raw]);
        let output = pipeline.artifact(
            &format!("taxi:2026-01-0{run}T02:00:Trainer:model:0"),
            "Model",
        );
        pipeline.edge(step, output, "out");
    }
    let rules = FoldRules {
        hops: 4,
        focus: [raw].into(),
        ..FoldRules::default()
    };
    let scene = fold(&pipeline.around(raw), &rules);
    let labels: Vec<(&str, usize)> = scene
        .figures
        .iter()
        .map(|figure| (figure.label.as_str(), figure.members.len()))
        .collect();
    assert_eq!(
        labels,
        [("raw", 1), ("taxi…Trainer:model", 9), ("split…part", 9)]
    );
}
