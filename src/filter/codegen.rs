//! Code generation: typed expressions to SQL.

use std::collections::BTreeSet;

use super::analysis::PlannerHints;
use super::ast::ComparisonOp;
use super::dialect::{self, CallSyntax};
use super::expr::{ColumnRef, Expr, ExprKind, Join, TableAlias};
use super::functions::Function;
use super::split::Part;
use super::types::Type;
use crate::model::Kind;
use crate::storage::SqlFragment;
use crate::storage::tables::joins::{self, PropertyKey};

/// The filtered nodes, and what the query joins to them.
#[derive(Clone, Copy)]
pub(super) struct Joined<'a> {
    pub(super) kind: Kind,
    pub(super) joins: &'a [Join],
}

impl Joined<'_> {
    /// Appends the joins to the node `n` whose numbers are wanted.
    pub(super) fn push_joins(self, sql: &mut SqlFragment, is_wanted: impl Fn(usize) -> bool) {
        let numbered = self.joins.iter().enumerate();
        for (number, join) in numbered.filter(|(number, _)| is_wanted(*number)) {
            match join {
                Join::Type => joins::push_type(sql),
                Join::Neighbour {
                    relation, typed, ..
                } => {
                    joins::push_neighbours(sql, self.kind, relation.neighbours, number);
                    if *typed {
                        joins::push_neighbour_types(sql, number);
                    }
                }
                Join::Property { name, is_custom } => {
                    let key = PropertyKey {
                        name,
                        is_custom: *is_custom,
                    };
                    joins::push_property(sql, (self.kind, joins::NODE_ID), key, number);
                }
            }
        }
    }

    /// Appends a redundant condition on `type_id` for each table whose name is given. The index on
    /// names starts with `type_id`, and the condition lets the planner use it.
    pub(super) fn push_kinds(self, sql: &mut SqlFragment, named: &[TableAlias]) {
        for table in named {
            let kind = match table {
                TableAlias::Neighbour(number) => self.joins.get(*number).and_then(Join::kind),
                _ => Some(self.kind),
            };
            let Some(kind) = kind else { continue };
            sql.push(" AND ");
            push_table_alias(sql, *table);
            sql.push(".type_id IN (SELECT id FROM Type WHERE type_kind = ");
            sql.push_int(kind.number()).push(")");
        }
    }

    /// Appends a condition in parts. `drivers` subqueries may be where the planner starts from.
    pub(super) fn push_part(self, sql: &mut SqlFragment, part: &Part, drivers: &mut usize) {
        match part {
            Part::Plain(expr) => {
                push_expr(sql, expr);
                self.push_kinds(sql, &PlannerHints::of(expr).named);
            }
            Part::Exists(neighbours, expr) => {
                if *drivers > 0 && PlannerHints::of(expr).is_selective {
                    *drivers -= 1;
                    self.push_nodes_that(sql, neighbours, expr);
                } else {
                    self.push_exists(sql, neighbours, expr);
                }
            }
            Part::All(parts) => self.push_parts(sql, parts, " AND ", drivers),
            Part::Any(parts) => self.push_parts(sql, parts, " OR ", &mut 0),
        }
    }

    fn push_parts(
        self,
        sql: &mut SqlFragment,
        parts: &[Part],
        operator: &'static str,
        drivers: &mut usize,
    ) {
        for (index, part) in parts.iter().enumerate() {
            sql.push(if index == 0 { "((" } else { operator });
            sql.push(if index == 0 { "" } else { "(" });
            self.push_part(sql, part, drivers);
            sql.push(")");
        }
        sql.push(")");
    }

    /// Appends the condition that a node is one of those that have such neighbours. The planner can
    /// start from them.
    fn push_nodes_that(self, sql: &mut SqlFragment, neighbours: &BTreeSet<usize>, expr: &Expr) {
        let own = tables(expr);
        let is_own = |table| own.contains(&table);
        joins::push_nodes_that(sql, self.kind);
        self.push_joins(sql, |number| match &self.joins[number] {
            Join::Neighbour { .. } => neighbours.contains(&number),
            Join::Property { .. } => is_own(TableAlias::Property(number)),
            Join::Type => is_own(TableAlias::NodeType),
        });
        self.push_where(sql, expr);
        sql.push(")");
    }

    /// Appends the condition that a node has such neighbours, which is looked up node by node. The
    /// planner does not join the subquery to others, which takes it long when they are many.
    fn push_exists(self, sql: &mut SqlFragment, neighbours: &BTreeSet<usize>, expr: &Expr) {
        joins::push_first(sql);
        self.push_joins(sql, |number| neighbours.contains(&number));
        self.push_where(sql, expr);
        sql.push(" LIMIT 1) = 1");
    }

    fn push_where(self, sql: &mut SqlFragment, expr: &Expr) {
        sql.push(" WHERE ");
        push_expr(sql, expr);
        self.push_kinds(sql, &PlannerHints::of(expr).named);
    }
}

/// The tables whose columns an expression mentions.
fn tables(expr: &Expr) -> Vec<TableAlias> {
    let mut tables = match &expr.kind {
        ExprKind::Column(column) => vec![column.table],
        _ => Vec::new(),
    };
    let children = expr.children().into_iter();
    tables.extend(children.flat_map(self::tables));
    tables
}

/// Appends an expression that needs no parentheses around it.
pub(super) fn push_expr(sql: &mut SqlFragment, expr: &Expr) {
    let dialect = sql.dialect();
    match &expr.kind {
        ExprKind::Null => push_null(sql, expr.ty),
        ExprKind::Bool(true) => drop(sql.push("TRUE")),
        ExprKind::Bool(false) => drop(sql.push("FALSE")),
        ExprKind::Int(value) => drop(sql.push_typed(*value)),
        ExprKind::Double(value) => drop(sql.push_typed(*value)),
        ExprKind::Text(value) => drop(sql.push_typed(value.as_str())),
        ExprKind::Column(column) => push_column(sql, column),
        ExprKind::Not(operand) => push_template(sql, "(NOT @1)", &[operand]),
        ExprKind::Negate(operand) => {
            push_template(sql, dialect::negation(dialect, expr.ty), &[operand]);
        }
        ExprKind::Arithmetic(operator, operands) => {
            push_template(
                sql,
                dialect::arithmetic(dialect, *operator, expr.ty),
                &both(operands),
            );
        }
        ExprKind::Compare(comparison, operands) => push_comparison(sql, *comparison, operands),
        ExprKind::Like(operands) => push_template(sql, dialect::like(dialect), &both(operands)),
        ExprKind::Between(operands) => {
            let [operand, low, high] = operands.as_ref();
            push_template(sql, "(@1 BETWEEN @2 AND @3)", &[operand, low, high]);
        }
        ExprKind::In(operand, list) => push_in(sql, operand, list),
        ExprKind::Is(operand, truth) => {
            push_template(sql, "(@1 IS ", &[operand]);
            sql.push(truth.name()).push(")");
        }
        ExprKind::Case {
            subject,
            arms,
            otherwise,
        } => push_case(sql, subject.as_deref(), arms, otherwise.as_deref()),
        ExprKind::Call(function, arguments) => push_call(sql, *function, arguments, expr.ty),
        ExprKind::And(exprs) => push_balanced(sql, exprs, " AND "),
        ExprKind::Or(exprs) => push_balanced(sql, exprs, " OR "),
    }
}

fn both(operands: &[Expr; 2]) -> [&Expr; 2] {
    operands.each_ref()
}

/// Appends a NULL as a bound value, so that PostgreSQL knows its type.
fn push_null(sql: &mut SqlFragment, ty: Type) {
    match ty {
        Type::Int | Type::Null => sql.push_typed(None::<i64>),
        Type::Double => sql.push_typed(None::<f64>),
        Type::Text => sql.push_typed(None::<&str>),
        Type::Bool => sql.push_typed(None::<bool>),
    };
}

fn push_column(sql: &mut SqlFragment, column: &ColumnRef) {
    push_table_alias(sql, column.table);
    sql.push(".").push(column.name);
}

/// Appends the alias of a table.
fn push_table_alias(sql: &mut SqlFragment, table: TableAlias) {
    match table {
        TableAlias::Node => sql.push("n"),
        TableAlias::NodeType => sql.push("t"),
        TableAlias::Neighbour(number) => sql.push("m").push_number(number),
        TableAlias::NeighbourType(number) => sql.push("t").push_number(number),
        TableAlias::Property(number) => sql.push("p").push_number(number),
    };
}

/// Appends SQL with operands in the places of `@1` to `@9`.
fn push_template(sql: &mut SqlFragment, template: &'static str, operands: &[&Expr]) {
    let mut parts = template.split('@');
    sql.push(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_at(1);
        let operand = number
            .parse()
            .ok()
            .and_then(|number: usize| operands.get(number.checked_sub(1)?));
        if let Some(operand) = operand {
            push_expr(sql, operand);
        }
        sql.push(rest);
    }
}

fn push_comparison(sql: &mut SqlFragment, comparison: ComparisonOp, operands: &[Expr; 2]) {
    let template = match (comparison, operands) {
        (ComparisonOp::Equal, [left, right]) if left.is_long_text() != right.is_long_text() => {
            dialect::long_text_equals(sql.dialect())
        }
        (ComparisonOp::Equal, _) => "(@1 = @2)",
        (ComparisonOp::NotEqual | ComparisonOp::LessOrGreater, _) => "(@1 <> @2)",
        (ComparisonOp::Less, _) => "(@1 < @2)",
        (ComparisonOp::LessOrEqual, _) => "(@1 <= @2)",
        (ComparisonOp::Greater, _) => "(@1 > @2)",
        (ComparisonOp::GreaterOrEqual, _) => "(@1 >= @2)",
    };
    push_template(sql, template, &both(operands));
}

/// Appends an `IN` condition. The SQL of a list of literals hardly depends on its length, so that
/// prepared statements are reused.
fn push_in(sql: &mut SqlFragment, operand: &Expr, list: &[Expr]) {
    sql.push("(");
    if let Some(numbers) = list.iter().map(Expr::as_int).collect::<Option<Vec<_>>>() {
        push_expr(sql, operand);
        sql.push_in(numbers);
    } else if let Some(texts) = list.iter().map(Expr::as_text).collect::<Option<Vec<_>>>() {
        if operand.is_long_text() {
            let mut column = SqlFragment::new(sql.dialect());
            push_expr(&mut column, operand);
            sql.push_in_long_texts(column, &texts);
        } else {
            push_expr(sql, operand);
            sql.push_in_texts(&texts);
        }
    } else {
        push_expr(sql, operand);
        push_list(
            sql,
            list,
            &CallSyntax {
                open: " IN (",
                between: ", ",
                close: ")",
            },
        );
    }
    sql.push(")");
}

fn push_case(
    sql: &mut SqlFragment,
    subject: Option<&Expr>,
    arms: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
) {
    sql.push("(CASE");
    if let Some(subject) = subject {
        sql.push(" ");
        push_expr(sql, subject);
    }
    for (when, then) in arms {
        push_template(sql, " WHEN @1 THEN @2", &[when, then]);
    }
    if let Some(otherwise) = otherwise {
        push_template(sql, " ELSE @1", &[otherwise]);
    }
    sql.push(" END)");
}

fn push_call(sql: &mut SqlFragment, function: Function, arguments: &[Expr], ty: Type) {
    let dialect = sql.dialect();
    match dialect::variadic(dialect, function) {
        Some(list) if list.between == " || " => push_balanced(sql, arguments, list.between),
        Some(list) if arguments.len() > 1 => push_list(sql, arguments, &list),
        _ if function == Function::Substr => push_substr(sql, arguments),
        _ => {
            let operands: Vec<_> = arguments.iter().collect();
            push_template(sql, dialect::function(dialect, function, ty), &operands);
        }
    }
}

fn push_substr(sql: &mut SqlFragment, arguments: &[Expr]) {
    let dialect = sql.dialect();
    let operands: Vec<_> = arguments.iter().collect();
    push_template(sql, "SUBSTR(@1, ", &operands);
    for (index, general) in [dialect::start(dialect), dialect::count(dialect)]
        .into_iter()
        .enumerate()
    {
        let Some(number) = arguments.get(index + 1) else {
            break;
        };
        if index > 0 {
            sql.push(", ");
        }
        if matches!(number.kind, ExprKind::Int(1..=0x7fff_ffff)) {
            push_template(sql, dialect::small_integer(dialect), &[number]);
        } else {
            push_template(sql, general, &operands);
        }
    }
    sql.push(")");
}

fn push_list(sql: &mut SqlFragment, exprs: &[Expr], list: &CallSyntax) {
    sql.push(list.open);
    for (index, expr) in exprs.iter().enumerate() {
        if index > 0 {
            sql.push(list.between);
        }
        push_expr(sql, expr);
    }
    sql.push(list.close);
}

/// Appends a chain of operators as a balanced tree. SQLite allows expressions of 1000 levels, and
/// an unbalanced chain is as deep as it is long.
fn push_balanced(sql: &mut SqlFragment, exprs: &[Expr], operator: &'static str) {
    if let [expr] = exprs {
        return push_expr(sql, expr);
    }
    let (left, right) = exprs.split_at(exprs.len() / 2);
    sql.push("(");
    push_balanced(sql, left, operator);
    sql.push(operator);
    push_balanced(sql, right, operator);
    sql.push(")");
}
