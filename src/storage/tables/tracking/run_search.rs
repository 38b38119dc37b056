//! Searches of runs, which read little more than the page that is asked for, however many runs the
//! experiment has.
//!
//! A statement reads runs `r`, or the series `o` of a metric with their runs, in the order of an
//! index and up to the end of the page: runs by their start, series by their start or by their
//! value. A condition on a metric is decided by the series that is read, any other one by a look at
//! the field of each run. Where a condition leaves few runs, these are read and sorted instead:
//! servers know that by their statistics, for SQLite it is counted before.

use super::metrics::NAN_RANK;
use super::run_fields::is_indexed;
use super::search::{FieldValue, SearchSql, SqlValueKind, TEXT_PROPERTY, ValuePlace, key_of};
use crate::error::Result;
use crate::model::{
    FieldCondition, FieldOrder, Kind, LifecycleView, OffsetPage, RunField, TrackingQuery,
};
use crate::storage::query::Query;
use crate::storage::tables::joins::push_property_key;
use crate::storage::{SqlFragment, Tx};

/// So few runs are read and sorted rather than that an index is followed.
const FEW_RUNS: i64 = 1000;

/// The most runs that a condition leaves whose ids are gathered before an index is followed. With
/// more, a look at each run of the index takes less.
const MAX_GATHERED_RUNS: i64 = 20_000;

/// So many of the newest runs are looked at to see whether a condition often holds, and it does if
/// so many of them pass it.
const SAMPLED_RUNS: i64 = 200;
const FREQUENT_RUNS: i64 = 20;

/// What decides where the orders leave it open.
const LAST_ORDER: &str = "r.start_time DESC, r.run_id";
const LAST_ORDER_OF_SERIES: &str = "o.start_time DESC, r.run_id";

/// The executions of a page of the runs in a view of these experiments that a search finds, in its
/// order. Runs that started later come first where the order leaves it open.
///
/// # Errors
///
/// Those of the database.
pub async fn search(
    tx: &mut Tx,
    experiments: &[i64],
    view: LifecycleView,
    asked: &TrackingQuery<RunField>,
) -> Result<Vec<i64>> {
    let mut search = RunSearch {
        experiments,
        view,
        conditions: &asked.conditions,
        order: without_last(&asked.order),
        narrow: None,
        last: None,
    };
    let path = search.path();
    if !tx.dialect().estimates_rows() {
        search.narrow = search.narrowest(tx, &path).await?;
    }
    if matches!(search.narrow, Some(NarrowCondition::Few(_))) {
        return tx.all(search.page(tx, &Path::Sorted, asked.page)).await;
    }
    if let (Path::Value, [first, rest @ ..]) = (&path, search.order)
        && let RunField::Metric(key) = &first.field
    {
        search.order = rest;
        return by_value(tx, search, (key, first.is_descending), asked.page).await;
    }
    search.last = search.find_last(tx, &path, asked.page).await?;
    tx.all(search.page(tx, &path, asked.page)).await
}

/// The order without an end that decides what is decided so anyway.
fn without_last(order: &[FieldOrder<RunField>]) -> &[FieldOrder<RunField>] {
    match order {
        [
            rest @ ..,
            FieldOrder {
                field: RunField::StartTime,
                is_descending: true,
            },
        ] => rest,
        order => order,
    }
}

/// What a statement reads, in which order.
#[derive(Clone, Copy, Debug)]
enum Path<'s> {
    /// Runs in no order, which are sorted.
    Sorted,
    /// Runs by their start.
    Start,
    /// The series of the condition with this index, by the start of runs.
    SeriesStart(usize),
    /// Series by their value.
    Value,
    /// A part of these.
    ValuePart(&'s str, ValuePart),
}

/// A part of what an order by a metric has: numbers, then NaN, then runs without the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValuePart {
    /// In ascending order, NaN is the greatest.
    Ascending,
    DescendingNumbers,
    Nan,
    Missing,
}

/// A column of series by which a statement follows their index.
struct FollowedColumn {
    column: &'static str,
    order: &'static str,
    /// A condition on the last one.
    until: &'static str,
}

impl Path<'_> {
    /// What decides first in the order of the index.
    const fn followed(&self) -> Option<FollowedColumn> {
        let (column, order, until) = match self {
            Self::SeriesStart(_) => (
                "o.start_time",
                "o.start_time DESC",
                " AND o.start_time >= ?",
            ),
            Self::ValuePart(_, ValuePart::Ascending) => {
                ("o.value_rank", "o.value_rank", " AND o.value_rank <= ?")
            }
            Self::ValuePart(_, ValuePart::DescendingNumbers) => (
                "o.value_rank",
                "o.value_rank DESC",
                " AND o.value_rank >= ?",
            ),
            _ => return None,
        };
        Some(FollowedColumn {
            column,
            order,
            until,
        })
    }
}

/// A condition that an index decides, by its place, and how many runs it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NarrowCondition {
    /// So few that no order of an index helps.
    Few(usize),
    /// So few that their ids are gathered.
    Gathered(usize),
}

struct RunSearch<'s> {
    experiments: &'s [i64],
    view: LifecycleView,
    conditions: &'s [FieldCondition<RunField>],
    order: &'s [FieldOrder<RunField>],
    narrow: Option<NarrowCondition>,
    /// What the last series of the page has in the order of the index, if that is known.
    last: Option<i64>,
}

/// A page in the order of a metric, part by part: of three parts at most.
async fn by_value(
    tx: &mut Tx,
    mut search: RunSearch<'_>,
    (key, is_descending): (&str, bool),
    mut page: OffsetPage,
) -> Result<Vec<i64>> {
    let parts: &[ValuePart] = if is_descending {
        &[
            ValuePart::DescendingNumbers,
            ValuePart::Nan,
            ValuePart::Missing,
        ]
    } else {
        &[ValuePart::Ascending, ValuePart::Missing]
    };
    let mut found = Vec::new();
    for part in parts {
        let path = Path::ValuePart(key, *part);
        search.last = search.find_last(tx, &path, page).await?;
        let ids: Vec<i64> = tx.all(search.page(tx, &path, page)).await?;
        page.limit -= i64::try_from(ids.len()).unwrap_or(page.limit);
        found.extend(ids);
        if page.limit <= 0 || *part == ValuePart::Missing {
            break;
        }
        search.last = None;
        page.offset = if found.is_empty() && page.offset > 0 {
            let count: Option<i64> = tx.first(search.count(tx, &path)).await?;
            page.offset - count.unwrap_or_default()
        } else {
            0
        };
    }
    Ok(found)
}

impl RunSearch<'_> {
    /// What the statement reads if no condition leaves few runs.
    fn path(&self) -> Path<'static> {
        if self.experiments.len() != 1 {
            return Path::Sorted;
        }
        let is_metric = |condition: &FieldCondition<RunField>| {
            matches!(condition.field, RunField::Metric(_)) && is_indexed(condition)
        };
        let metric = self.conditions.iter().position(is_metric);
        match (self.order.first().map(|order| &order.field), metric) {
            (Some(RunField::Metric(_)), _) => Path::Value,
            (None, Some(condition)) => Path::SeriesStart(condition),
            // The index of runs begins with whether they are deleted.
            (None | Some(RunField::StartTime), _) if self.view != LifecycleView::All => Path::Start,
            _ => Path::Sorted,
        }
    }

    /// The condition that leaves the fewest runs, if these are few.
    async fn narrowest(&self, tx: &mut Tx, path: &Path<'_>) -> Result<Option<NarrowCondition>> {
        let is_sorted = matches!(path, Path::Sorted);
        let limit = |condition: &FieldCondition<RunField>| match condition.field {
            // To follow the index of another order takes less than to gather these.
            RunField::Metric(_) if !is_sorted => FEW_RUNS,
            _ => MAX_GATHERED_RUNS,
        };
        let conditions = self.conditions.iter().enumerate();
        let indexed: Vec<_> = conditions.filter(|(_, it)| is_indexed(it)).collect();
        if indexed.is_empty() {
            return Ok(None);
        }
        // Each count is beside the limit of what is counted.
        let mut counts = SqlFragment::new(tx.dialect());
        let joints = std::iter::once("SELECT ").chain(std::iter::repeat(" UNION ALL SELECT "));
        for ((place, condition), joint) in indexed.into_iter().zip(joints) {
            let limit = limit(condition);
            counts
                .push(joint)
                .push_number(place)
                .push(", ")
                .push_int(limit);
            counts.push(", COUNT(*) FROM (");
            self.push_matching(&mut counts, condition, place);
            counts.push(" LIMIT ?) q").bind(limit + 1);
        }
        let mut query = tx.sql("runs::count_matching", "");
        query.push_fragment(&counts);
        let counts: Vec<(i64, i64, i64)> = tx.all(query).await?;
        let few = counts
            .into_iter()
            .filter(|(_, limit, count)| count <= limit);
        let narrowest = few.min_by_key(|(.., count)| *count);
        let Some((place, _, count)) = narrowest else {
            return Ok(None);
        };
        let place = usize::try_from(place).unwrap_or_default();
        if is_sorted || count <= FEW_RUNS {
            return Ok(Some(NarrowCondition::Few(place)));
        }
        let is_frequent = self.is_frequent(tx, &self.conditions[place]).await?;
        Ok((!is_frequent).then_some(NarrowCondition::Gathered(place)))
    }

    /// Whether many of the newest runs pass a condition, so that a page is soon complete.
    async fn is_frequent(&self, tx: &mut Tx, condition: &FieldCondition<RunField>) -> Result<bool> {
        let Some(deleted) = self.view.is_deleted() else {
            return Ok(false);
        };
        let mut query = tx.sql(
            "runs::is_frequent",
            "SELECT COUNT(*) FROM (SELECT r.execution_id FROM PedigreeRun r WHERE r.experiment_id",
        );
        query.push_in(self.experiments);
        query.push(" AND r.is_deleted = ?").bind(deleted);
        query.push(" ORDER BY r.start_time DESC, r.run_id LIMIT ?) r");
        query.bind(SAMPLED_RUNS);
        let mut sql = SearchSql::new(query, Kind::Execution, "r.execution_id");
        sql.add_condition(condition);
        let passed: Option<i64> = tx.first(sql.all()).await?;
        Ok(passed.is_some_and(|passed| passed >= FREQUENT_RUNS))
    }

    /// Appends a SELECT of the executions for which a condition holds that an index decides.
    fn push_matching(
        &self,
        sql: &mut SqlFragment,
        condition: &FieldCondition<RunField>,
        number: usize,
    ) {
        let value = match &condition.field {
            RunField::Metric(key) => {
                sql.push_numbered(
                    "SELECT s#.execution_id FROM PedigreeMetricSeries s# WHERE s#.experiment_id",
                    number,
                );
                sql.push_in(self.experiments.to_vec());
                sql.push_numbered(" AND s#.metric_key = ?", number);
                sql.bind(key.as_str());
                FieldValue::numbered("s", number, ".value_rank", SqlValueKind::Rank)
            }
            RunField::Text(property) => {
                sql.push_numbered(
                    "SELECT p#.execution_id FROM ExecutionProperty p# WHERE ",
                    number,
                );
                push_property_key(sql, key_of(property), number);
                // The index has this condition.
                sql.push_numbered(" AND LENGTH(p#.string_value) <= 255", number);
                let (column, kind) = TEXT_PROPERTY;
                FieldValue::numbered("p", number, column, kind)
            }
            _ => return,
        };
        sql.push(" AND ");
        value.push_test(sql, &condition.test);
    }

    /// What the last series of a page has in the order of the index, where a database sorts all
    /// series to put equal ones into an order. `None` where it does not, and if there are fewer.
    async fn find_last(
        &self,
        tx: &mut Tx,
        path: &Path<'_>,
        page: OffsetPage,
    ) -> Result<Option<i64>> {
        let Some(followed) = path.followed().filter(|_| !tx.dialect().sorts_by_prefix()) else {
            return Ok(None);
        };
        let last = OffsetPage {
            limit: 1,
            offset: page.offset.saturating_add(page.limit - 1),
        };
        let sql = self.sql(tx, path, followed.column);
        tx.first(sql.page(followed.order, last)).await
    }

    /// The statement of a page.
    fn page(&self, tx: &Tx, path: &Path<'_>, page: OffsetPage) -> Query {
        let mut sql = self.sql(tx, path, "r.execution_id");
        let last_order = match path {
            Path::ValuePart(_, ValuePart::Ascending) => {
                sql.orders().push("o.value_rank, ");
                LAST_ORDER_OF_SERIES
            }
            Path::ValuePart(_, ValuePart::DescendingNumbers) => {
                sql.orders().push("o.value_rank DESC, ");
                LAST_ORDER_OF_SERIES
            }
            Path::SeriesStart(_) | Path::ValuePart(_, ValuePart::Nan) => LAST_ORDER_OF_SERIES,
            _ => LAST_ORDER,
        };
        sql.add_orders(self.order);
        let mut query = sql.page(last_order, page);
        if !matches!(self.narrow, Some(NarrowCondition::Few(_))) && !self.conditions.is_empty() {
            query.takes_long();
        }
        query
    }

    /// The statement that counts all.
    fn count(&self, tx: &Tx, path: &Path<'_>) -> Query {
        let mut query = self.sql(tx, path, "r.execution_id").all();
        query.surround("SELECT COUNT(*) FROM (", ") q");
        query.takes_long();
        query
    }

    /// A search of a column without its order.
    fn sql(&self, tx: &Tx, path: &Path<'_>, column: &'static str) -> SearchSql {
        let mut sql = self.begin(tx, path, column);
        if let (Some(last), Some(followed)) = (self.last, path.followed()) {
            sql.conditions().push(followed.until).bind(last);
        }
        let states = self.conditions.iter().map(|it| &it.field);
        let mut states = states.chain(self.order.iter().map(|it| &it.field));
        if states.any(|field| matches!(field, RunField::State(_))) {
            let node = sql.node();
            let joins = sql.joins().push(" JOIN Execution n ON n.id = ");
            joins.push(node);
        }
        for (place, condition) in self.conditions.iter().enumerate() {
            match (self.narrow, path) {
                (Some(NarrowCondition::Few(narrow)), _) if narrow == place => {
                    self.add_matching(&mut sql, condition, "");
                }
                (Some(NarrowCondition::Gathered(narrow)), _) if narrow == place => {
                    let opt_out = tx.dialect().index_opt_out();
                    self.add_matching(&mut sql, condition, opt_out);
                }
                (_, Path::SeriesStart(series)) if *series == place => {
                    let value = FieldValue {
                        place: ValuePlace::Unindexed("o.value_rank"),
                        kind: SqlValueKind::Rank,
                        is_optional: false,
                    };
                    let conditions = sql.conditions().push(" AND ");
                    value.push_test(conditions, &condition.test);
                }
                _ => sql.add_condition(condition),
            }
        }
        sql
    }

    /// A search without conditions on fields.
    fn begin(&self, tx: &Tx, path: &Path<'_>, column: &'static str) -> SearchSql {
        const RUNS: &str = " FROM PedigreeRun r";
        const SERIES: &str = " FROM PedigreeMetricSeries o \
                              JOIN PedigreeRun r ON r.execution_id = o.execution_id";
        let begin = |tables, node| {
            let mut query = tx.sql("runs::search", "SELECT ");
            query.push(column).push(tables);
            SearchSql::new(query, Kind::Execution, node)
        };
        let opt_out = tx.dialect().index_opt_out();
        let of_runs = |opt_out: &'static str| {
            let mut sql = begin(RUNS, "r.execution_id");
            sql.conditions().push(" AND ").push(opt_out);
            sql.conditions().push("r.experiment_id");
            sql.conditions().push_in(self.experiments.to_vec());
            self.push_view(&mut sql, opt_out);
            sql
        };
        let of_series = |key: &str| {
            let mut sql = begin(SERIES, "o.execution_id");
            sql.conditions().push(" AND o.experiment_id");
            sql.conditions().push_in(self.experiments.to_vec());
            sql.conditions().push(" AND o.metric_key = ?").bind(key);
            self.push_view(&mut sql, opt_out);
            sql
        };
        match path {
            Path::Sorted if matches!(self.narrow, Some(NarrowCondition::Few(_))) => {
                of_runs(opt_out)
            }
            Path::Sorted | Path::Start | Path::Value => of_runs(""),
            Path::SeriesStart(place) => match self.conditions.get(*place).map(|it| &it.field) {
                Some(RunField::Metric(key)) => of_series(key),
                _ => of_runs(""),
            },
            Path::ValuePart(key, ValuePart::Missing) => {
                let mut sql = of_runs("");
                let conditions = sql.conditions().push(
                    " AND NOT EXISTS (SELECT 1 FROM PedigreeMetricSeries o \
                     WHERE o.execution_id = r.execution_id AND o.metric_key = ?)",
                );
                conditions.bind(*key);
                sql
            }
            Path::ValuePart(key, part) => {
                let test = match part {
                    ValuePart::DescendingNumbers => " < ?",
                    ValuePart::Nan => " = ?",
                    ValuePart::Ascending | ValuePart::Missing => " <= ?",
                };
                let mut sql = of_series(key);
                let conditions = sql.conditions().push(" AND o.value_rank").push(test);
                conditions.bind(NAN_RANK);
                sql
            }
        }
    }

    fn push_view(&self, sql: &mut SearchSql, opt_out: &'static str) {
        if let Some(deleted) = self.view.is_deleted() {
            let conditions = sql.conditions().push(" AND ").push(opt_out);
            conditions.push("r.is_deleted = ?").bind(deleted);
        }
    }

    /// Adds a condition as one on ids that are gathered before.
    fn add_matching(
        &self,
        sql: &mut SearchSql,
        condition: &FieldCondition<RunField>,
        opt_out: &'static str,
    ) {
        let (number, node) = (sql.next_number(), sql.node());
        let conditions = sql.conditions().push(" AND ").push(opt_out);
        conditions.push(node).push(" IN (");
        self.push_matching(conditions, condition, number);
        conditions.push(")");
    }
}
