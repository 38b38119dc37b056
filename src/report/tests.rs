//! Reports about small graphs.

use super::*;
use crate::proto::ml_metadata::event::Type;
use crate::proto::ml_metadata::{Value, value};
use crate::proto::pedigree::reproduction::v1::{PlanResponse, PlannedArtifact};

fn text(text: &str) -> Value {
    Value {
        value: Some(value::Value::StringValue(text.to_owned())),
    }
}

/// Artifact 4 is a model, trained by execution 11 from 2, and evaluated by 12 on 3. Execution 10
/// made both of 1.
fn evidence() -> Evidence {
    let planned = |id| PlannedArtifact {
        id,
        r#type: "Data".to_owned(),
        uri: format!("s3://bucket/{id}"),
        source: id == 1,
        ..PlannedArtifact::default()
    };
    let mut evidence = Evidence::default();
    evidence.provenance.plan = PlanResponse {
        artifact_id: 4,
        artifacts: vec![planned(1), planned(2), planned(4)],
        ..PlanResponse::default()
    };
    let lineage = &mut evidence.lineage;
    for id in 1..=4 {
        let node = Artifact {
            id: Some(id),
            r#type: Some("Data".to_owned()),
            ..Artifact::default()
        };
        lineage.artifacts.insert(id, node);
    }
    for (id, name) in [(10, "Split"), (11, "Train"), (12, "Evaluate")] {
        let node = Execution {
            id: Some(id),
            r#type: Some(name.to_owned()),
            ..Execution::default()
        };
        lineage.executions.insert(id, node);
    }
    for (execution, artifact, of) in [
        (10, 1, Type::Input),
        (10, 2, Type::Output),
        (10, 3, Type::Output),
        (11, 2, Type::Input),
        (11, 4, Type::Output),
        (12, 3, Type::Input),
        (12, 4, Type::Input),
    ] {
        add_event(&mut evidence, execution, artifact, of);
    }
    evidence
}

fn add_event(evidence: &mut Evidence, execution: i64, artifact: i64, of: Type) {
    evidence.lineage.events.push(Event {
        artifact_id: Some(artifact),
        execution_id: Some(execution),
        r#type: Some(of.into()),
        ..Event::default()
    });
}

fn report(evidence: &Evidence) -> Report {
    Report::new(evidence, &ReportMapping::built_in().unwrap()).unwrap()
}

/// The facts of a report with a status: section, name and node.
fn facts(report: &Report, status: FactStatus) -> Vec<(&str, &str, i64)> {
    let sections = report.sections.iter();
    let all = sections.flat_map(|section| {
        let facts = section.entries.iter().flat_map(|entry| &entry.facts);
        facts.map(move |fact| (section.id, fact))
    });
    let found = all.filter(|(_, fact)| fact.status == status);
    found
        .map(|(section, fact)| (section, fact.name.as_str(), fact.source.id))
        .collect()
}

#[test]
fn data_that_training_and_evaluation_share_is_found() {
    let mut evidence = evidence();
    assert_eq!(
        facts(&report(&evidence), FactStatus::Finding),
        [("evaluation", "common source", 1)]
    );
    add_event(&mut evidence, 12, 2, Type::Input);
    assert_eq!(
        facts(&report(&evidence), FactStatus::Finding),
        [
            ("evaluation", "overlap", 2),
            ("evaluation", "common source", 1)
        ]
    );
    // Without the split, each has data of its own.
    evidence
        .lineage
        .events
        .retain(|event| event.execution_id() != 10);
    evidence
        .lineage
        .events
        .retain(|event| event.execution_id() != 12 || event.artifact_id() != 2);
    assert_eq!(facts(&report(&evidence), FactStatus::Finding), []);
}

#[test]
fn what_is_missing_is_said_until_it_is_there() {
    let mut evidence = evidence();
    let missing = facts(&report(&evidence), FactStatus::Missing).len();
    let before = report(&evidence);
    assert_eq!(before.missing, missing);
    for wanted in [
        ("identity", "digest", 4),
        ("identity", "version", 4),
        ("purpose", "purpose, limits, owner", 4),
        ("data", "digest", 1),
        ("data", "data.license", 1),
        ("data", "data.origin", 1),
        ("evaluation", "metrics", 4),
        ("deployment", "deployment", 4),
        ("reproduction", "verdict of a rerun", 4),
    ] {
        let missing = facts(&before, FactStatus::Missing);
        assert!(missing.contains(&wanted), "no {wanted:?} in {missing:?}");
    }
    let evaluation = evidence.lineage.executions.get_mut(&12).unwrap();
    evaluation
        .custom_properties
        .insert("metric.accuracy".to_owned(), text("0.9"));
    let mut source = Artifact::default();
    source
        .custom_properties
        .insert("data.license".to_owned(), text("CC0-1.0"));
    evidence.provenance.artifacts.insert(1, source);
    let after = report(&evidence);
    assert_eq!(after.missing, missing - 2);
    assert!(facts(&after, FactStatus::Found).contains(&("evaluation", "metric.accuracy", 12)));
}

#[test]
fn a_page_has_no_markup_of_the_graph_and_no_reference() {
    let mut evidence = evidence();
    evidence.provenance.plan.artifacts[0].uri = "<script>x".to_owned();
    let page = report(&evidence).render().unwrap();
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&#60;script"), "{page}");
    for word in [" src=", " href=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}: {page}");
    }
}

#[test]
fn a_mapping_names_known_sections() {
    let mapping = ReportMapping::built_in().unwrap();
    assert!(!mapping.references("data").is_empty());
    let other = "notice = 'ours'\n[[framework]]\nname = 'Ours'\n[framework.sections]\ndata = '1'\n";
    let other = ReportMapping::parse(other).unwrap();
    assert_eq!(other.references("data")[0].framework, "Ours");
    assert_eq!(other.references("identity"), []);
    for (text, problem) in [
        (
            "notice = 'x'\n[[framework]]\nname = 'x'\n[framework.sections]\nfun = '1'",
            "no section `fun`",
        ),
        ("notice = 'x'\nlaws = 1", "unknown field"),
        ("", "missing field"),
        ("<", "TOML"),
    ] {
        let refused = ReportMapping::parse(text).unwrap_err();
        assert!(refused.contains(problem), "{refused}");
    }
}
