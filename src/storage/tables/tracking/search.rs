//! The SQL of searches.
//!
//! A search reads nodes `n` with their rows in a table of experiments `e`, or with the context `m`
//! above them; or runs `r`, of which [`super::run_search`] says more. Each field that it compares
//! or orders by has a number: of the field with the number 3, a property has the alias `p3`, a
//! series of a metric `s3`, a metric of a model `m3`, and an input `v3`, with a property `a3` or a
//! tag `g3`.

use super::metrics::rank_of;
use super::text::push_text_test;
use crate::model::{
    ExperimentField, FieldCondition, FieldOrder, FieldTest, Kind, LifecycleView, MetricDataset,
    ModelField, NumberOp, OffsetPage, PropertyName, RegistryField, TrackingQuery,
};
use crate::storage::SqlFragment;
use crate::storage::query::Query;
use crate::storage::tables::joins::{PropertyKey, push_property};

/// Where a statement has a value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValuePlace {
    /// A column of a table that is joined once.
    Column(&'static str),
    /// A column whose index SQLite is not to use.
    Unindexed(&'static str),
    /// A column, behind an alias with a number.
    Numbered(&'static str, usize, &'static str),
    /// The name of the state of the node.
    /// It stands in this column as a number, and each number has a name.
    State(&'static str, &'static [(i64, &'static str)]),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SqlValueKind {
    Int,
    /// The rank of a number.
    Rank,
    /// A text that an index has as a whole.
    Text,
    /// A text of any length.
    LongText,
}

/// A value of a field in a statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldValue {
    pub place: ValuePlace,
    pub kind: SqlValueKind,
    /// Whether it may be missing.
    pub is_optional: bool,
}

impl FieldValue {
    pub(super) const fn column(name: &'static str, kind: SqlValueKind) -> Self {
        Self {
            place: ValuePlace::Column(name),
            kind,
            is_optional: false,
        }
    }

    pub(super) const fn numbered(
        alias: &'static str,
        number: usize,
        name: &'static str,
        kind: SqlValueKind,
    ) -> Self {
        Self {
            place: ValuePlace::Numbered(alias, number, name),
            kind,
            is_optional: true,
        }
    }

    /// Appends the value.
    pub(super) fn push(&self, sql: &mut SqlFragment) {
        match self.place {
            ValuePlace::Column(name) => _ = sql.push(name),
            ValuePlace::Unindexed(name) => {
                let opt_out = sql.dialect().index_opt_out();
                sql.push(opt_out).push(name);
            }
            ValuePlace::Numbered(alias, number, name) => {
                sql.push(alias).push_number(number).push(name);
            }
            ValuePlace::State(column, names) => {
                sql.push("CASE ").push(column);
                for (number, name) in names {
                    sql.push(" WHEN ").push_int(*number);
                    sql.push(" THEN '").push(name).push("'");
                }
                sql.push(" END");
            }
        }
    }

    /// Appends an order by the value, with a comma behind it. What is missing comes last.
    fn push_order(&self, sql: &mut SqlFragment, is_descending: bool) {
        if self.is_optional {
            sql.push("(");
            self.push(sql);
            sql.push(" IS NULL), ");
        }
        if self.kind == SqlValueKind::Rank {
            sql.push("(");
            self.push(sql);
            sql.push(" = ?), ").bind(rank_of(f64::NAN));
        }
        let (before, after) = match self.kind {
            SqlValueKind::Text | SqlValueKind::LongText => sql.dialect().code_point_order(),
            SqlValueKind::Int | SqlValueKind::Rank => ("", ""),
        };
        sql.push(before);
        self.push(sql);
        sql.push(after);
        sql.push(if is_descending { " DESC, " } else { ", " });
    }

    /// Appends a condition.
    pub(super) fn push_test(&self, sql: &mut SqlFragment, test: &FieldTest) {
        match test {
            FieldTest::Int(op, number) if self.kind == SqlValueKind::Rank => {
                #[expect(clippy::cast_precision_loss, reason = "the metric is a double")]
                self.push_rank_test(sql, *op, *number as f64);
            }
            FieldTest::Double(op, number) if self.kind == SqlValueKind::Rank => {
                self.push_rank_test(sql, *op, *number);
            }
            FieldTest::Int(op, number) => {
                self.push(sql);
                sql.push(operator(*op)).push_typed(*number);
            }
            FieldTest::Double(op, number) => {
                self.push(sql);
                // Otherwise, the parameter has the type of the column.
                sql.push(operator(*op)).push_typed(*number);
            }
            FieldTest::IsSet => {
                self.push(sql);
                sql.push(" IS NOT NULL");
            }
            FieldTest::IsUnset => {
                self.push(sql);
                sql.push(" IS NULL");
            }
            FieldTest::Text(..)
            | FieldTest::OneOf(_)
            | FieldTest::NoneOf(_)
            | FieldTest::UnsetOrNot(_) => {
                push_text_test(sql, self, test);
            }
        }
    }

    fn push_rank_test(&self, sql: &mut SqlFragment, op: NumberOp, number: f64) {
        self.push(sql);
        sql.push(operator(op)).push_typed(rank_of(number));
        if matches!(op, NumberOp::Greater | NumberOp::GreaterOrEqual) {
            sql.push(" AND ");
            self.push(sql);
            sql.push(" < ?").bind(rank_of(f64::NAN));
        }
    }
}

const fn operator(op: NumberOp) -> &'static str {
    match op {
        NumberOp::Equal => " = ",
        NumberOp::NotEqual => " <> ",
        NumberOp::Less => " < ",
        NumberOp::LessOrEqual => " <= ",
        NumberOp::Greater => " > ",
        NumberOp::GreaterOrEqual => " >= ",
    }
}

/// How a field is joined to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldJoin {
    /// Nodes without the field are left out.
    Inner,
    /// Nodes without the field have NULL.
    Outer,
}

/// A field of a search.
pub(super) trait SearchField {
    /// Joins the field to the node. `None` for a field that a node has several times.
    fn join(&self, sql: &mut SearchSql, join: FieldJoin) -> Option<FieldValue>;

    /// Begins a condition that the node has such a field, for one that a node has several times,
    /// and for one that is better looked up than joined. It ends with a parenthesis.
    fn begin_exists(&self, _: &mut SearchSql) -> Option<FieldValue> {
        None
    }
}

/// The SQL of a search, while it is put together.
pub(super) struct SearchSql {
    query: Query,
    kind: Kind,
    /// The column with the id of the node.
    node: &'static str,
    /// How many fields have been joined.
    fields: usize,
    joins: SqlFragment,
    conditions: SqlFragment,
    order: SqlFragment,
}

impl SearchSql {
    /// A search of nodes of a kind that begins so, up to the joins of fields. `node` is the column
    /// with their ids.
    pub(super) fn new(begin: Query, kind: Kind, node: &'static str) -> Self {
        let dialect = begin.dialect();
        Self {
            query: begin,
            kind,
            node,
            fields: 0,
            joins: SqlFragment::new(dialect),
            conditions: SqlFragment::new(dialect),
            order: SqlFragment::new(dialect),
        }
    }

    /// Adds a condition that the expression before it, which is text, decides.
    pub(super) fn push_scope(&mut self, expression: &'static str, numbers: &[i64]) {
        self.conditions.push(" AND ").push(expression);
        self.conditions.push_in(numbers.to_vec());
    }

    /// Adds the condition of a view on a column that says what is deleted.
    pub(super) fn push_view(&mut self, view: LifecycleView, is_deleted: &'static str) {
        if let Some(deleted) = view.is_deleted() {
            let conditions = self.conditions.push(" AND ").push(is_deleted);
            conditions.push(" = ?").bind(deleted);
        }
    }

    /// Adds the condition that an artifact is not in the state with this number.
    pub(super) fn push_without_state(&mut self, state: i64) {
        let conditions = self.conditions.push(" AND (n.state IS NULL OR n.state <> ");
        conditions.push_int(state).push(")");
    }

    /// Adds the condition that a context lacks a custom property. `id` is the column of its id.
    pub(super) fn push_without_property(&mut self, id: &'static str, property: &'static str) {
        let conditions = &mut self.conditions;
        conditions
            .push(" AND NOT EXISTS (SELECT 1 FROM ContextProperty d WHERE d.context_id = ")
            .push(id)
            .push(" AND d.name = ?")
            .bind(property);
        conditions.push(" AND d.is_custom_property = ?)").bind(true);
    }

    /// The statement of a search, up to the end of its order. `last_order` decides where the order
    /// leaves it open.
    pub(super) fn finish<F: SearchField>(
        mut self,
        asked: &TrackingQuery<F>,
        last_order: &'static str,
    ) -> Query {
        for condition in &asked.conditions {
            self.add_condition(condition);
        }
        self.add_orders(&asked.order);
        self.page(last_order, asked.page)
    }

    /// Adds orders behind those that there are.
    pub(super) fn add_orders<F: SearchField>(&mut self, orders: &[FieldOrder<F>]) {
        for order in orders {
            if let Some(value) = order.field.join(self, FieldJoin::Outer) {
                value.push_order(&mut self.order, order.is_descending);
            }
        }
    }

    /// The statement of a page. `last_order` decides where the orders leave it open.
    pub(super) fn page(mut self, last_order: &'static str, page: OffsetPage) -> Query {
        self.order.push(last_order);
        let order = std::mem::replace(&mut self.order, SqlFragment::new(self.query.dialect()));
        let mut query = self.all();
        query.push(" ORDER BY ").push_fragment(&order);
        query.push(" LIMIT ?").bind(page.limit);
        query.push(" OFFSET ?").bind(page.offset);
        query
    }

    /// The statement of all that is found, in no order.
    pub(super) fn all(self) -> Query {
        let mut query = self.query;
        query.push_fragment(&self.joins).push(" WHERE 1 = 1");
        query.push_fragment(&self.conditions);
        query
    }

    /// The column with the id of the node.
    pub(super) const fn node(&self) -> &'static str {
        self.node
    }

    /// The joins, for more of them.
    pub(super) const fn joins(&mut self) -> &mut SqlFragment {
        &mut self.joins
    }

    /// The conditions, for more of them: each begins with AND.
    pub(super) const fn conditions(&mut self) -> &mut SqlFragment {
        &mut self.conditions
    }

    /// The orders, for more of them: each ends with a comma.
    pub(super) const fn orders(&mut self) -> &mut SqlFragment {
        &mut self.order
    }

    /// Adds a condition on a field.
    pub(super) fn add_condition<F: SearchField>(&mut self, condition: &FieldCondition<F>) {
        let FieldCondition { field, test } = condition;
        let is_there = !matches!(test, FieldTest::IsUnset | FieldTest::UnsetOrNot(_));
        if is_there && let Some(value) = field.begin_exists(self) {
            self.conditions.push(" AND ");
            value.push_test(&mut self.conditions, test);
            self.conditions.push(")");
            return;
        }
        let join = if is_there {
            FieldJoin::Inner
        } else {
            FieldJoin::Outer
        };
        if let Some(value) = field.join(self, join) {
            self.conditions.push(" AND ");
            value.push_test(&mut self.conditions, test);
        }
    }

    /// The number of the next field.
    pub(super) const fn next_number(&mut self) -> usize {
        self.fields += 1;
        self.fields
    }

    /// Joins a property of the node, whose value is in this column.
    pub(super) fn join_property(
        &mut self,
        property: &PropertyName,
        join: FieldJoin,
        (column, kind): (&'static str, SqlValueKind),
    ) -> FieldValue {
        let number = self.next_number();
        self.joins.push(join.before());
        let node = (self.kind, self.node);
        push_property(&mut self.joins, node, key_of(property), number);
        FieldValue::numbered("p", number, column, kind)
    }
}

impl FieldJoin {
    /// What stands before ` JOIN`.
    pub(super) const fn before(self) -> &'static str {
        match self {
            Self::Inner => "",
            Self::Outer => " LEFT",
        }
    }
}

pub(super) fn key_of(property: &PropertyName) -> PropertyKey<'_> {
    PropertyKey {
        name: &property.name,
        is_custom: property.is_custom,
    }
}

pub(super) const TEXT_PROPERTY: (&str, SqlValueKind) = (".string_value", SqlValueKind::LongText);
pub(super) const INT_PROPERTY: (&str, SqlValueKind) = (".int_value", SqlValueKind::Int);

impl SearchField for ExperimentField {
    fn join(&self, sql: &mut SearchSql, join: FieldJoin) -> Option<FieldValue> {
        Some(match self {
            Self::Id => FieldValue::column("e.experiment_id", SqlValueKind::Int),
            Self::ExternalId => FieldValue::column("n.external_id", SqlValueKind::Text),
            Self::Name => FieldValue::column("n.name", SqlValueKind::Text),
            Self::CreateTime => FieldValue::column("n.create_time_since_epoch", SqlValueKind::Int),
            Self::UpdateTime => {
                FieldValue::column("n.last_update_time_since_epoch", SqlValueKind::Int)
            }
            Self::Text(property) => sql.join_property(property, join, TEXT_PROPERTY),
        })
    }
}

impl SearchField for ModelField {
    fn join(&self, sql: &mut SearchSql, join: FieldJoin) -> Option<FieldValue> {
        Some(match self {
            Self::Id => FieldValue::column("n.name", SqlValueKind::Text),
            Self::CreateTime => FieldValue::column("n.create_time_since_epoch", SqlValueKind::Int),
            Self::UpdateTime => {
                FieldValue::column("n.last_update_time_since_epoch", SqlValueKind::Int)
            }
            Self::State(names) => FieldValue {
                place: ValuePlace::State("n.state", names),
                kind: SqlValueKind::Text,
                is_optional: true,
            },
            Self::Text(property) => sql.join_property(property, join, TEXT_PROPERTY),
            Self::Metric(key, datasets) => {
                let number = sql.next_number();
                let joins = sql.joins.push(join.before());
                joins.push_numbered(
                    " JOIN PedigreeModelMetric m# ON m#.artifact_id = n.id AND m#.metric_key = ?",
                    number,
                );
                joins.bind(key.as_str());
                if let Some(dataset) = datasets.first() {
                    push_dataset(joins.push(" AND "), dataset, number);
                } else {
                    joins.push_numbered(" AND m#.is_latest = ?", number);
                    joins.bind(true);
                }
                FieldValue::numbered("m", number, ".value_rank", SqlValueKind::Rank)
            }
            Self::AnyMetric(_) => return None,
        })
    }

    fn begin_exists(&self, sql: &mut SearchSql) -> Option<FieldValue> {
        let (key, datasets) = match self {
            Self::Metric(key, datasets) if !datasets.is_empty() => (Some(key), datasets),
            Self::AnyMetric(datasets) => (None, datasets),
            _ => return None,
        };
        let number = sql.next_number();
        let conditions = sql.conditions.push_numbered(
            " AND EXISTS (SELECT 1 FROM PedigreeModelMetric m# WHERE m#.artifact_id = n.id",
            number,
        );
        if let Some(key) = key {
            conditions.push_numbered(" AND m#.metric_key = ?", number);
            conditions.bind(key.as_str());
        }
        let joints = std::iter::once(" AND (").chain(std::iter::repeat(" OR "));
        for (joint, dataset) in joints.zip(datasets) {
            push_dataset(conditions.push(joint), dataset, number);
        }
        conditions.push(")");
        let kind = SqlValueKind::Rank;
        Some(FieldValue::numbered("m", number, ".value_rank", kind))
    }
}

/// Appends the condition that the metric of a model with this number is one on a dataset.
fn push_dataset(sql: &mut SqlFragment, dataset: &MetricDataset, number: usize) {
    sql.push_numbered("m#.dataset_name = ?", number);
    sql.bind(dataset.name.as_str());
    if let Some(digest) = &dataset.digest {
        sql.push_numbered(" AND m#.dataset_digest = ?", number);
        sql.bind(digest.as_str());
    }
}

impl SearchField for RegistryField {
    fn join(&self, sql: &mut SearchSql, join: FieldJoin) -> Option<FieldValue> {
        Some(match self {
            Self::Name => FieldValue::column("n.name", SqlValueKind::Text),
            Self::ParentName => FieldValue::column("m.name", SqlValueKind::Text),
            Self::CreateTime => FieldValue::column("n.create_time_since_epoch", SqlValueKind::Int),
            Self::Int(property) => sql.join_property(property, join, INT_PROPERTY),
            Self::Text(property) => sql.join_property(property, join, TEXT_PROPERTY),
        })
    }
}
