//! Searches of so many runs that a database follows indexes: their pages have the runs that a model
//! of them has, in its order.

use std::cmp::{Ordering, Reverse};
use std::fmt::Write;

use serde_json::{Value, json};

use super::{experiment, tell};
use crate::sql::{query, run_sql};
use crate::support::Store;

on_every_database!(pages_of_many_runs_have_the_order_of_a_model);

/// Runs of the experiment. More than are read and sorted match some of the filters.
const RUNS: i64 = 1800;

/// Runs of a page: some pages have an end of one part of an order and the start of the next one.
const PAGE_RUNS: usize = 500;

/// A run of the model.
#[derive(Debug)]
struct Run {
    number: i64,
    id: String,
    start: i64,
    is_deleted: bool,
    /// A text that most runs share, and one that few do.
    depth: Option<&'static str>,
    rare: String,
    acc: Option<f64>,
    loss: Option<f64>,
}

fn real(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap())
}

impl Run {
    fn new(number: i64) -> Self {
        Self {
            number,
            // In another order than numbers and starts.
            id: format!("{:032x}", number * 7919 % 100_003),
            start: number % 40 * 10,
            is_deleted: number % 10 == 3,
            depth: (number % 5 > 0).then_some(if number % 5 > 1 { "7" } else { "8" }),
            rare: (number % 100).to_string(),
            acc: match number % 7 {
                0 => None,
                1 => Some(f64::NAN),
                2 if number % 14 == 2 => Some(f64::NEG_INFINITY),
                _ => Some(real(number * 31 % 97) / 8.0 - 3.0),
            },
            loss: (number != 5).then(|| real(number * 104_729 % 99_991)),
        }
    }

    fn texts(&self) -> Vec<(&'static str, String)> {
        let depth = self.depth.map(|depth| ("param.depth", depth.to_owned()));
        let rare = ("param.rare", self.rare.clone());
        depth.into_iter().chain([rare]).collect()
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let metrics = [("acc", self.acc), ("loss", self.loss)];
        let metrics = metrics.into_iter();
        metrics
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

/// The integer that the store has for a value: one of the same order, NaN last.
fn rank(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// Ids of executions begin here, and of series.
const FIRST_ID: i64 = 100_000;

/// Rows for a statement.
fn rows<T>(of: &[T], row: impl Fn(&T) -> Vec<String>) -> String {
    let rows: Vec<String> = of.iter().flat_map(row).collect();
    rows.join(", ")
}

/// Writes the runs into the store, and some of another experiment with the same values.
async fn fill(store: &Store, number: &str, runs: &[Run]) {
    let run_type = "SELECT CONCAT(id, '') FROM Type WHERE name = 'mlflow.Run'";
    let run_type = query(store.url(), run_type).await.concat();
    let mut sql = String::new();
    for (first, number, mark) in [(FIRST_ID, number, ""), (2 * FIRST_ID, "0", "x")] {
        let id = |run: &Run| first + run.number;
        let executions =
            |run: &Run| vec![format!("({}, {run_type}, 3, '{}{mark}')", id(run), run.id)];
        let rows_of_runs = |run: &Run| {
            let (is_deleted, start) = (run.is_deleted, run.start);
            vec![format!(
                "({}, '{}{mark}', {number}, {is_deleted}, {start})",
                id(run),
                run.id
            )]
        };
        let texts = |run: &Run| {
            let row = |(name, text)| format!("({}, '{name}', TRUE, '{text}')", id(run));
            run.texts().into_iter().map(row).collect()
        };
        let series = |run: &Run| {
            let row = |(place, (key, value)): (i64, (&str, f64))| {
                let (series, start) = (2 * id(run) + place, run.start);
                let rank = rank(value);
                format!(
                    "({series}, {}, '{key}', 0, 0, {rank}, {number}, {start})",
                    id(run)
                )
            };
            (0..).zip(run.metrics()).map(row).collect()
        };
        let written = write!(
            sql,
            "INSERT INTO Execution (id, type_id, last_known_state, name) VALUES {};
             INSERT INTO PedigreeRun (execution_id, run_id, experiment_id, is_deleted, start_time)
             VALUES {};
             INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, string_value)
             VALUES {};
             INSERT INTO PedigreeMetricSeries (id, execution_id, metric_key, step,
                 time_since_epoch, value_rank, experiment_id, start_time)
             VALUES {};\n",
            rows(runs, executions),
            rows(runs, rows_of_runs),
            rows(runs, texts),
            rows(runs, series),
        );
        written.unwrap();
    }
    run_sql(store.url(), sql).await;
}

/// The ids of all runs that pages have.
async fn found(store: &Store, asked: &Value) -> Vec<String> {
    let mut asked = asked.clone();
    let mut found = Vec::new();
    loop {
        let page = tell(store, "/runs/search", asked.clone()).await;
        let runs = page["runs"].as_array().into_iter().flatten();
        let id = |run: &Value| run["info"]["run_id"].as_str().unwrap().to_owned();
        found.extend(runs.map(id));
        match page["next_page_token"].as_str() {
            Some(token) => asked["page_token"] = token.into(),
            None => return found,
        }
    }
}

type Test = fn(&Run) -> bool;
type Order = fn(&Run, &Run) -> Ordering;

/// Filters, the views of runs, and what the model says.
const FILTERS: [(&str, &str, Test); 12] = [
    ("", "ALL", |_| true),
    ("", "ACTIVE_ONLY", |run| !run.is_deleted),
    ("metrics.acc > 0", "ALL", |run| {
        run.acc.is_some_and(|it| it > 0.0)
    }),
    ("metrics.acc <= 8", "DELETED_ONLY", |run| {
        run.is_deleted && run.acc.is_some_and(|it| it <= 8.0)
    }),
    ("metrics.acc != 1", "ACTIVE_ONLY", |run| {
        !run.is_deleted && run.acc.is_some() && run.acc != Some(1.0)
    }),
    ("metrics.acc = 1", "ALL", |run| run.acc == Some(1.0)),
    ("params.depth = '7'", "ALL", |run| run.depth == Some("7")),
    ("params.depth = '7'", "ACTIVE_ONLY", |run| {
        !run.is_deleted && run.depth == Some("7")
    }),
    ("params.rare = '7'", "ACTIVE_ONLY", |run| {
        !run.is_deleted && run.rare == "7"
    }),
    (
        "params.depth = '7' AND metrics.loss < 90000",
        "ACTIVE_ONLY",
        |run| !run.is_deleted && run.depth == Some("7") && run.loss.is_some_and(|it| it < 90_000.0),
    ),
    (
        "params.depth IS NULL AND status = 'FINISHED'",
        "ACTIVE_ONLY",
        |run| !run.is_deleted && run.depth.is_none(),
    ),
    (
        "params.depth LIKE '_' AND metrics.acc < 9",
        "ACTIVE_ONLY",
        |run| !run.is_deleted && run.depth.is_some() && run.acc.is_some_and(|it| it < 9.0),
    ),
];

/// What lacks the metric comes last, and NaN before that.
fn by_value(one: Option<f64>, other: Option<f64>, is_descending: bool) -> Ordering {
    let key = |value: Option<f64>| {
        let place = value.filter(|it| !it.is_nan()).map_or(0, rank);
        let place = if is_descending { !place } else { place };
        (value.is_none(), value.is_some_and(f64::is_nan), place)
    };
    key(one).cmp(&key(other))
}

const ORDERS: [(&[&str], Order); 8] = [
    (&[], |_, _| Ordering::Equal),
    (&["start_time DESC"], |_, _| Ordering::Equal),
    (&["start_time"], |one, other| one.start.cmp(&other.start)),
    (&["metrics.acc"], |one, other| {
        by_value(one.acc, other.acc, false)
    }),
    (&["metrics.acc DESC"], |one, other| {
        by_value(one.acc, other.acc, true)
    }),
    (&["metrics.acc DESC", "metrics.loss"], |one, other| {
        by_value(one.acc, other.acc, true).then(by_value(one.loss, other.loss, false))
    }),
    (&["metrics.none DESC", "params.rare"], |one, other| {
        one.rare.cmp(&other.rare)
    }),
    (&["params.rare", "metrics.acc"], |one, other| {
        let order = one.rare.cmp(&other.rare);
        order.then(by_value(one.acc, other.acc, false))
    }),
];

async fn pages_of_many_runs_have_the_order_of_a_model(store: Store) {
    let number = experiment(&store, "many").await;
    let mut runs: Vec<Run> = (0..RUNS).map(Run::new).collect();
    fill(&store, &number, &runs).await;
    for (order_by, order) in ORDERS {
        let last = |run: &Run| (Reverse(run.start), run.id.clone());
        runs.sort_by(|one, other| order(one, other).then_with(|| last(one).cmp(&last(other))));
        for (filter, view, test) in FILTERS {
            let asked = json!({
                "experiment_ids": [number], "filter": filter, "order_by": order_by,
                "run_view_type": view, "max_results": PAGE_RUNS,
            });
            let expected = runs.iter().filter(|run| test(run));
            let expected: Vec<&str> = expected.map(|run| run.id.as_str()).collect();
            assert!(!expected.is_empty(), "{filter}");
            assert!(found(&store, &asked).await == expected, "{asked}");
        }
    }
}
