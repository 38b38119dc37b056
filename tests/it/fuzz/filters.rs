//! Random filters: each selects the same nodes on every database.

use std::time::Duration;

use tokio::time::timeout;

use crate::python::sized;
use crate::support::Backend;
use crate::support::Random;
use crate::support::prelude::*;

on_every_database! {
    random_filters_select_the_same_everywhere,
}

/// Far more than a filter takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Texts of ASCII: MySQL counts bytes where texts are sent as latin1.
const TEXTS: [&str; 6] = ["'n1'", "'1'", "''", "'N1'", r"'a\'b'", "'n1 '"];
/// Without letters, whose case `LIKE` ignores on SQLite.
const PATTERNS: [&str; 6] = ["'%1'", "'_1'", "'%'", r"'\\_%'", "'__'", "''"];
const INTEGERS: [&str; 6] = ["0", "1", "2", "3", "-1", "9223372036854775807"];
const DOUBLES: [&str; 4] = ["0.5", "-0.0", "1e300", "2.0"];

/// A filter for any kind of node, with as many levels. Not all of them are valid.
pub fn condition(random: &mut Random, levels: usize) -> String {
    let below = levels.saturating_sub(1);
    match if levels == 0 { 8 } else { random.below(12) } {
        0 | 1 => format!(
            "({} AND {})",
            condition(random, below),
            condition(random, below)
        ),
        2 | 3 => format!(
            "({} OR {})",
            condition(random, below),
            condition(random, below)
        ),
        4 => format!("NOT ({})", condition(random, below)),
        5 => {
            let [when, then, otherwise] = [(); 3].map(|()| condition(random, below));
            format!("CASE WHEN {when} THEN {then} ELSE {otherwise} END")
        }
        6 => format!(
            "({}) IS {}",
            condition(random, below),
            random.pick(&["TRUE", "NOT TRUE", "FALSE"])
        ),
        _ => comparison(random, below),
    }
}

fn comparison(random: &mut Random, levels: usize) -> String {
    let operator = random.pick(&["=", "!=", "<", ">=", "<>"]);
    match random.below(10) {
        0 => format!(
            "{} {} {}",
            text_term(random, levels),
            random.pick(&["=", "!="]),
            text_operand(random, levels)
        ),
        1 => format!(
            "{} IN ({}, {})",
            text_term(random, 0),
            text_operand(random, 0),
            text_operand(random, 0)
        ),
        2 => format!(
            "{} {} {}",
            text_column(random),
            random.pick(&["LIKE", "NOT LIKE"]),
            random.pick(&PATTERNS)
        ),
        3 => format!(
            "{} IS {}",
            column(random),
            random.pick(&["NULL", "NOT NULL"])
        ),
        4 => format!(
            "{} NOT IN ({}, {})",
            number_term(random, 0),
            number_term(random, 0),
            number_term(random, 0)
        ),
        5 => format!(
            "{} BETWEEN {} AND {}",
            number_term(random, 0),
            number_term(random, 0),
            number_term(random, 0)
        ),
        6 => enum_comparison(random),
        7 => format!(
            "STARTS_WITH({}, {})",
            text_term(random, levels),
            text_operand(random, 0)
        ),
        _ => format!(
            "{} {operator} {}",
            number_term(random, levels),
            number_term(random, levels)
        ),
    }
}

fn enum_comparison(random: &mut Random) -> String {
    let column = random.pick(&[
        "state",
        "last_known_state",
        "events_0.type",
        "contexts_a.id",
    ]);
    let condition = random.pick(&[
        "= LIVE",
        "!= LIVE",
        "IN (1, 2, 3)",
        "IN (2, LIVE)",
        "> 1",
        "= (2)",
    ]);
    format!("{column} {condition}")
}

fn column(random: &mut Random) -> String {
    if random.once_in(2) {
        text_column(random)
    } else {
        number_column(random)
    }
}

fn text_column(random: &mut Random) -> String {
    random
        .pick(&[
            "name",
            "name",
            "external_id",
            "uri",
            "type",
            "contexts_a.name",
            "contexts_b.name",
            "contexts_a.type",
            "parent_contexts_a.name",
            "properties.s.string_value",
            "custom_properties.c.string_value",
        ])
        .to_owned()
}

fn number_column(random: &mut Random) -> String {
    random
        .pick(&[
            "id",
            "id",
            "type_id",
            "contexts_a.id",
            "contexts_b.id",
            "contexts_c.id",
            "events_0.execution_id",
            "events_1.artifact_id",
            "properties.i.int_value",
            "properties.d.double_value",
            "custom_properties.c.int_value",
            "custom_properties.c.double_value",
        ])
        .to_owned()
}

/// What a text is compared with.
fn text_operand(random: &mut Random, levels: usize) -> String {
    if random.once_in(2) {
        random.pick(&TEXTS).to_owned()
    } else {
        text_term(random, levels)
    }
}

/// Has an attribute somewhere: MySQL compares constants by the rules of the connection.
fn text_term(random: &mut Random, levels: usize) -> String {
    match random.below(if levels == 0 { 3 } else { 9 }) {
        0..=2 => text_column(random),
        3 => format!(
            "CONCAT({}, {})",
            text_term(random, levels - 1),
            text_term(random, levels - 1)
        ),
        4 => format!(
            "REPLACE({}, {}, {})",
            text_term(random, levels - 1),
            random.pick(&TEXTS),
            random.pick(&TEXTS)
        ),
        5 => format!(
            "SUBSTR({}, {}, {})",
            text_term(random, levels - 1),
            random.pick(&INTEGERS),
            random.pick(&INTEGERS)
        ),
        6 => format!(
            "COALESCE({}, {})",
            text_term(random, levels - 1),
            text_term(random, levels - 1)
        ),
        7 => format!("TRIM({})", text_term(random, levels - 1)),
        _ => format!(
            "NULLIF({}, {})",
            text_term(random, levels - 1),
            random.pick(&TEXTS)
        ),
    }
}

fn number_term(random: &mut Random, levels: usize) -> String {
    match random.below(if levels == 0 { 4 } else { 10 }) {
        0 => random.pick(&INTEGERS).to_owned(),
        1 => random.pick(&DOUBLES).to_owned(),
        2 | 3 => number_column(random),
        4 => format!("LENGTH({})", text_term(random, levels - 1)),
        5 => format!(
            "STRPOS({}, {})",
            text_term(random, levels - 1),
            text_operand(random, 0)
        ),
        6 => format!("ABS({})", number_term(random, levels - 1)),
        7 => format!("MOD({}, {})", number_column(random), random.pick(&INTEGERS)),
        8 => format!(
            "GREATEST({}, {})",
            number_term(random, levels - 1),
            number_term(random, levels - 1)
        ),
        _ => format!(
            "({} {} {})",
            number_term(random, 0),
            random.pick(&["+", "-", "/"]),
            number_term(random, 0)
        ),
    }
}

/// Puts nodes of two types, some with properties.
async fn put_nodes<N: TestNode>(store: &Store, declared: &[(&str, PropertyType)]) -> Vec<i64> {
    let type_id = store.put_type::<N>("A", declared).await;
    let other = store.put_type::<N>("B", declared).await;
    let mut ids = Vec::new();
    for (place, name) in ["n1", "n2", "N1", "n1 ", "x", "a'b", "_1"]
        .iter()
        .enumerate()
    {
        let of = if place % 3 == 0 { other } else { type_id };
        let mut node = N::new(of, name);
        if place % 2 == 0 {
            let number = u32::try_from(place).unwrap();
            node = node
                .with_external_id(name)
                .with("i", int(i64::from(number) - 1));
            node = node.with_custom("c", double(f64::from(number) / 2.0));
        } else {
            node = node.with("d", double(-0.5)).with("s", text(*name));
            node = node.with_custom("c", text("n1"));
        }
        ids.push(store.put(node).await);
    }
    ids
}

/// Fills a store, with the same ids everywhere.
async fn fill(store: &Store) {
    let declared = [
        ("i", PropertyType::Int),
        ("d", PropertyType::Double),
        ("s", PropertyType::String),
    ];
    let artifacts = put_nodes::<Artifact>(store, &declared).await;
    let executions = put_nodes::<Execution>(store, &declared).await;
    let contexts = put_nodes::<Context>(store, &declared).await;
    let mut events = Vec::new();
    let mut attributions = Vec::new();
    let mut associations = Vec::new();
    for place in 0..5 {
        events.push(event(
            artifacts[place],
            executions[place],
            pb::event::Type::Output,
        ));
        events.push(event(
            artifacts[place],
            executions[place + 1],
            pb::event::Type::Input,
        ));
        for context in &contexts[..=place] {
            attributions.push((artifacts[place], *context));
            associations.push((executions[place], *context));
        }
    }
    store.ask(put_events(events)).await;
    store.ask(put_members(&attributions, &associations)).await;
    let parents = [(contexts[1], contexts[0]), (contexts[2], contexts[0])];
    store.ask(put_parents(&parents)).await;
}

async fn found<N: TestNode>(store: &Store, filter: &str) -> Result<Vec<i64>, Code> {
    let sent = store.send(N::list(Some(matching(filter))));
    let answer = timeout(PATIENCE, sent).await.unwrap();
    match answer {
        Ok(page) => Ok(ids(&page.nodes)),
        Err(status) if status.code() == Code::InvalidArgument => Err(status.code()),
        Err(status) => panic!("{filter}: {status:?}"),
    }
}

/// The filters run on SQLite too, whose answers are those to be had.
async fn random_filters_select_the_same_everywhere(store: Store) {
    let reference = Store::open(Backend::SqliteFile).await;
    fill(&store).await;
    fill(&reference).await;
    let mut random = Random::new(20_260_102);
    let mut matched = 0;
    for number in 0..sized(200, 100_000) {
        let levels = 1 + random.below(4);
        let filter = condition(&mut random, levels);
        let (ours, expected) = match number % 3 {
            0 => (
                found::<Artifact>(&store, &filter).await,
                found::<Artifact>(&reference, &filter).await,
            ),
            1 => (
                found::<Execution>(&store, &filter).await,
                found::<Execution>(&reference, &filter).await,
            ),
            _ => (
                found::<Context>(&store, &filter).await,
                found::<Context>(&reference, &filter).await,
            ),
        };
        assert_eq!(ours, expected, "{filter}");
        matched += usize::from(ours.is_ok_and(|ids| !ids.is_empty()));
    }
    assert!(matched > 20, "only {matched} filters selected something");
}
