//! The rows of a comparison: a property, a metric or an input, with its value in each column.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::api::openlineage::out::value::property;
use crate::api::ui::text;
use crate::api::ui::views::{NodeView, value_text};
use crate::graph::{ComparedNodes, MetricSummary};
use crate::model::{Event, Node};

/// The most rows of a part of a comparison.
const MAX_ROWS: usize = 300;

/// The most letters of a value.
const MAX_VALUE_LETTERS: usize = 80;

/// A value of a node in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparedCell {
    pub text: String,
    /// More about it, such as the smallest and the greatest value of a metric.
    pub note: String,
    /// Whether the node lacks it.
    pub is_missing: bool,
    /// Whether it is not what most nodes have.
    pub differs: bool,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedRow {
    pub name: String,
    /// Where the name leads; empty for nowhere.
    pub link: String,
    /// One for each node.
    pub cells: Vec<ComparedCell>,
    /// Whether the nodes differ in it.
    pub differs: bool,
}

/// A part of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedPart {
    pub title: &'static str,
    pub rows: Vec<ComparedRow>,
    /// What is not shown, as a sentence; empty if all is.
    pub left_out: String,
}

/// What a property says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactSort {
    Parameter,
    Metric,
    Environment,
    Tag,
    Other,
}

const FACT_SORTS: [(FactSort, &str); 5] = [
    (FactSort::Parameter, "Parameters"),
    (FactSort::Metric, "Metrics"),
    (FactSort::Environment, "Code and environment"),
    (FactSort::Tag, "Tags"),
    (FactSort::Other, "Other properties"),
];

/// What names of properties begin with that say one thing, and whether that is cut from the name.
/// The first that fits decides.
const PREFIXES: [(&str, FactSort, bool); 10] = [
    ("param.", FactSort::Parameter, true),
    ("input:", FactSort::Parameter, true),
    ("metric.", FactSort::Metric, true),
    ("code.", FactSort::Environment, false),
    ("environment.", FactSort::Environment, false),
    ("command", FactSort::Environment, false),
    ("tag.mlflow.source.", FactSort::Environment, true),
    ("tag.mlflow.user", FactSort::Environment, true),
    ("tag.mlflow.docker", FactSort::Environment, true),
    ("tag.", FactSort::Tag, true),
];

/// What the tags that are facts of code and environment keep of their names.
const TAG_PREFIX: &str = "tag.";

/// What a property says, and its brief name.
pub fn sort_of(name: &str) -> (FactSort, &str) {
    let found = PREFIXES
        .iter()
        .find(|(prefix, ..)| name.starts_with(prefix));
    match found {
        Some((_, FactSort::Environment, true)) => (
            FactSort::Environment,
            name.strip_prefix(TAG_PREFIX).unwrap_or(name),
        ),
        Some((prefix, sort, true)) => (*sort, name.strip_prefix(prefix).unwrap_or(name)),
        Some((_, sort, false)) => (*sort, name),
        None => (FactSort::Other, name),
    }
}

/// Marks the cells that are not what most nodes have, and returns whether there are any. Of two
/// texts that are as frequent, the first one counts. Where every one of many nodes has another
/// text, none stands out.
fn mark_differences(cells: &mut [ComparedCell]) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for cell in cells.iter() {
        *counts.entry(cell.text.as_str()).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or_default();
    let usual = cells
        .iter()
        .find(|cell| counts.get(cell.text.as_str()) == Some(&most));
    let Some(usual) = usual.map(|cell| (cell.text.clone(), cell.is_missing)) else {
        return false;
    };
    let stands_out = most > 1 || cells.len() == 2;
    let mut differ = false;
    for cell in cells {
        let is_other = cell.text != usual.0 || cell.is_missing != usual.1;
        differ |= is_other;
        cell.differs = is_other && stands_out;
    }
    differ
}

fn row(name: &str, texts: Vec<Option<String>>) -> ComparedRow {
    let cell = |text: Option<String>| ComparedCell {
        is_missing: text.is_none(),
        text: text.unwrap_or_default(),
        ..ComparedCell::default()
    };
    let mut cells: Vec<ComparedCell> = texts.into_iter().map(cell).collect();
    // Long values that begin alike may differ further on.
    let differs = mark_differences(&mut cells);
    for cell in &mut cells {
        let letters = cell.text.chars().count();
        if letters > MAX_VALUE_LETTERS {
            let begin: String = cell.text.chars().take(MAX_VALUE_LETTERS).collect();
            cell.text = format!("{begin}… ({letters} letters)");
        }
    }
    ComparedRow {
        name: text::cell(name),
        link: String::new(),
        cells,
        differs,
    }
}

/// A part with the rows that are asked for.
fn part(title: &'static str, mut rows: Vec<ComparedRow>, is_all: bool) -> Option<ComparedPart> {
    let found = rows.len();
    if !is_all {
        rows.retain(|row| row.differs);
    }
    let same = found - rows.len();
    let cut = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let mut left_out = Vec::new();
    if same > 0 {
        left_out.push(text::count(same, "other row") + " the same everywhere");
    }
    if cut > 0 {
        left_out.push(text::count(cut, "row") + " not shown");
    }
    (found > 0).then(|| ComparedPart {
        title,
        rows,
        left_out: left_out.join(", "),
    })
}

/// The properties of nodes in parts, and the metrics of which series are known.
pub fn parts(compared: &ComparedNodes, is_all: bool) -> Vec<ComparedPart> {
    let nodes = &compared.nodes;
    let mut names: BTreeMap<FactSort, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for node in nodes {
        let content = &node.content;
        for name in content
            .properties
            .keys()
            .chain(content.custom_properties.keys())
        {
            let (sort, brief) = sort_of(name);
            names.entry(sort).or_default().insert((brief, name));
        }
    }
    let series = compared.metrics.iter();
    let has_series: BTreeSet<&str> = series.map(|it| it.latest.key.as_str()).collect();
    let mut parts = Vec::new();
    for (sort, title) in FACT_SORTS {
        let known = names.remove(&sort).unwrap_or_default();
        let mut rows = Vec::new();
        if sort == FactSort::Metric {
            rows.extend(metric_rows(nodes, &compared.metrics));
        }
        for (brief, name) in known {
            if sort == FactSort::Metric && has_series.contains(brief) {
                continue;
            }
            let value = |node: &Node| property(&node.content, name).map(|it| value_text(it).0);
            rows.push(row(brief, nodes.iter().map(value).collect()));
        }
        parts.extend(part(title, rows, is_all));
    }
    parts
}

/// The last value of each metric, with the smallest and the greatest one.
fn metric_rows(nodes: &[Node], metrics: &[MetricSummary]) -> Vec<ComparedRow> {
    let mut of_keys: BTreeMap<&str, HashMap<i64, &MetricSummary>> = BTreeMap::new();
    for metric in metrics {
        let of_key = of_keys.entry(&metric.latest.key).or_default();
        of_key.insert(metric.execution_id, metric);
    }
    let metric_row = |(key, of_nodes): (&str, HashMap<i64, &MetricSummary>)| {
        let latest = |node: &Node| {
            let metric = of_nodes.get(&node.id)?;
            Some(metric.latest.value.to_string())
        };
        let mut found = row(key, nodes.iter().map(latest).collect());
        for (cell, node) in found.cells.iter_mut().zip(nodes) {
            if let Some(metric) = of_nodes.get(&node.id) {
                cell.note = metric_note(metric);
            }
        }
        found
    };
    of_keys.into_iter().map(metric_row).collect()
}

fn metric_note(metric: &MetricSummary) -> String {
    match (metric.points(), metric.values()) {
        (Some(points), Some((least, greatest))) if points > 1 => {
            let points = text::count(usize::try_from(points).unwrap_or(usize::MAX), "point");
            format!("min {least}, max {greatest}, {points}")
        }
        _ => String::new(),
    }
}

/// Facts that every node has: its state, its type and its times.
pub fn facts(nodes: &[Node], views: &[NodeView], is_all: bool) -> Option<ComparedPart> {
    let of_view = |name: &str, fact: fn(&NodeView) -> String| {
        row(name, views.iter().map(|view| Some(fact(view))).collect())
    };
    let mut rows = vec![
        of_view("Type", |view| view.type_name.clone()),
        of_view("State", |view| {
            view.mark
                .map(|mark| mark.word().to_owned())
                .unwrap_or_default()
        }),
        of_view("Took", |view| view.took.clone()),
        of_view("Created", |view| view.created.clone()),
    ];
    let uri = |node: &Node| node.content.uri.as_deref().map(text::cell);
    rows.push(row("URI", nodes.iter().map(uri).collect()));
    rows.retain(|row| row.cells.iter().any(|cell| !cell.text.is_empty()));
    part("Facts", rows, is_all)
}

/// What nodes are linked to: each node at the other end of an event is a row, with the roles that
/// it has in each column.
pub fn links(
    compared: &ComparedNodes,
    (title, is_all): (&'static str, bool),
    ends: impl Fn(&Event) -> (i64, i64, String),
    name: impl Fn(i64, &Node) -> (String, String),
) -> Option<ComparedPart> {
    let mut roles: BTreeMap<i64, HashMap<i64, BTreeSet<String>>> = BTreeMap::new();
    for event in &compared.events {
        let (node, other, role) = ends(event);
        let of_node = roles.entry(other).or_default().entry(node).or_default();
        of_node.insert(role);
    }
    let mut rows: Vec<ComparedRow> = roles
        .into_iter()
        .filter_map(|(other, of_nodes)| {
            let known = compared.others.get(&other)?;
            let cell = |node: &Node| {
                let roles = of_nodes.get(&node.id)?;
                let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
                Some(roles.join(", "))
            };
            let (label, link) = name(other, known);
            let mut found = row(&label, compared.nodes.iter().map(cell).collect());
            found.link = link;
            Some(found)
        })
        .collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    part(title, rows, is_all)
}

#[cfg(test)]
mod table_tests {
    use super::*;
    use crate::model::{NodeContent, Value};

    fn node(id: i64, properties: &[(&str, &str)]) -> Node {
        let property =
            |(name, text): &(&str, &str)| ((*name).to_owned(), Value::String((*text).to_owned()));
        Node {
            id,
            type_id: 1,
            type_name: None,
            content: NodeContent {
                custom_properties: properties.iter().map(property).collect(),
                ..NodeContent::default()
            },
            create_time: 0,
            update_time: 0,
        }
    }

    fn compared() -> ComparedNodes {
        ComparedNodes {
            nodes: vec![
                node(
                    1,
                    &[
                        ("param.lr", "0.1"),
                        ("code.commit", "a"),
                        ("tag.mlflow.user", "u"),
                    ],
                ),
                node(
                    2,
                    &[("param.lr", "0.2"), ("code.commit", "a"), ("note", "x")],
                ),
                node(
                    3,
                    &[
                        ("param.lr", "0.2"),
                        ("code.commit", "a"),
                        ("tag.mlflow.user", "u"),
                    ],
                ),
            ],
            ..ComparedNodes::default()
        }
    }

    #[test]
    fn rows_that_differ_are_shown_first_of_all() {
        let parts = parts(&compared(), false);
        let shown: Vec<(&str, Vec<&str>, &str)> = parts
            .iter()
            .map(|part| {
                let names = part.rows.iter().map(|row| row.name.as_str()).collect();
                (part.title, names, part.left_out.as_str())
            })
            .collect();
        let environment = "1 other row the same everywhere";
        assert_eq!(
            shown,
            [
                ("Parameters", vec!["lr"], ""),
                ("Code and environment", vec!["mlflow.user"], environment),
                ("Other properties", vec!["note"], ""),
            ]
        );
        let marked: Vec<bool> = parts[0].rows[0].cells.iter().map(|it| it.differs).collect();
        assert_eq!(marked, [true, false, false], "two have 0.2");
    }

    #[test]
    fn all_rows_are_shown_on_demand() {
        let all = parts(&compared(), true);
        assert_eq!(all[1].rows.len(), 2);
        assert!(all.iter().all(|part| part.left_out.is_empty()));
    }

    #[test]
    fn what_is_missing_is_not_what_is_empty() {
        let nodes = vec![node(1, &[("param.a", "")]), node(2, &[])];
        let compared = ComparedNodes {
            nodes,
            ..ComparedNodes::default()
        };
        let found = parts(&compared, false);
        assert_eq!(found[0].rows.len(), 1);
        assert!(found[0].rows[0].cells[1].is_missing);
    }

    #[test]
    fn long_values_that_begin_alike_differ() {
        let texts = ["x".repeat(500) + "a", "x".repeat(500) + "b"];
        let nodes = vec![
            node(1, &[("param.a", &texts[0])]),
            node(2, &[("param.a", &texts[1])]),
        ];
        let compared = ComparedNodes {
            nodes,
            ..ComparedNodes::default()
        };
        assert!(parts(&compared, false)[0].rows[0].differs);
    }
}
