//! Filters as conditions.

use proptest::prelude::*;

use super::*;
use crate::graph::tracking::names;

fn condition(filter: &str) -> FieldCondition<RunField> {
    let mut conditions = run_conditions(filter).unwrap();
    assert_eq!(conditions.len(), 1, "{filter}");
    conditions.remove(0)
}

#[test]
fn a_key_may_have_quotes_and_dots() {
    let field = RunField::Text(names::param_property("p.q"));
    for filter in [
        "params.p.q = 'x'",
        "param.`p.q`='x'",
        "parameters.\"p.q\" = \"x\"",
    ] {
        let expected = FieldCondition {
            field: field.clone(),
            test: FieldTest::Text(TextOp::Equal, "x".to_owned()),
        };
        assert_eq!(condition(filter), expected);
    }
}

#[test]
fn numbers_keep_what_they_are() {
    for (filter, test) in [
        ("metrics.m > 1", FieldTest::Int(NumberOp::Greater, 1)),
        (
            "metrics.m <= -1.5",
            FieldTest::Double(NumberOp::LessOrEqual, -1.5),
        ),
        (
            "metrics.m != 1e308",
            FieldTest::Double(NumberOp::NotEqual, 1e308),
        ),
        (
            "start_time = 9223372036854775807",
            FieldTest::Int(NumberOp::Equal, i64::MAX),
        ),
    ] {
        assert_eq!(condition(filter).test, test, "{filter}");
    }
}

#[test]
fn texts_are_compared_as_they_are_stored() {
    let list = condition("dataset.digest NOT IN ('a', 'b')");
    let stored = ["a", "b"].map(str::to_owned).to_vec();
    assert_eq!(list.test, FieldTest::NoneOf(stored));
    let found = experiment_conditions("experiment_id = '7'").unwrap();
    let stored = names::experiment_external_id("7");
    assert_eq!(found[0].test, FieldTest::Text(TextOp::Equal, stored));
    let order = experiment_orders(&["experiment_id DESC".to_owned()]).unwrap();
    assert_eq!(order[0].field, ExperimentField::Id);
}

#[test]
fn comparisons_are_joined_by_and_alone() {
    assert_eq!(run_conditions(" \n ").unwrap().len(), 0);
    let several = "tags.a IS NULL and params.b is not null AND status LIKE 'F%' AND";
    let tests: Vec<FieldTest> = run_conditions(several)
        .unwrap()
        .into_iter()
        .map(|it| it.test)
        .collect();
    let like = FieldTest::Text(TextOp::Like, "F%".to_owned());
    assert_eq!(tests, [FieldTest::IsUnset, FieldTest::IsSet, like]);
    for wrong in [
        "metrics.m > 0 OR metrics.m < 1",
        "(metrics.m > 0)",
        "metrics.m > 0 metrics.m < 1",
        "metrics.m > 0, metrics.m < 1",
        "metrics.m >",
        "metrics.m",
        "= 1",
        "run_id IN ()",
        "run_id IN ('a' 'b')",
        "run_id IN 'a'",
        "run_id = 'open",
        "tags.a IS 'x'",
        "metrics.m > 'x' AND",
    ] {
        assert!(run_conditions(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_filter_panics(filter in r#"(metrics|tags|run_id|AND|NOT|IN|IS|NULL|[a-c.`'"()\\ =<>!;,\-0-9ée%]){0,12}"#) {
        _ = run_conditions(&filter);
        _ = experiment_conditions(&filter);
        _ = run_orders(&[filter]);
    }
}
