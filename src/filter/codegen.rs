//! Code generation: typed expressions to SQL.

use super::ast::ComparisonOp;
use super::dialect::{self, CallSyntax};
use super::expr::{ColumnRef, Expr, ExprKind, Join, TableAlias};
use super::functions::Function;
use super::types::Type;
use crate::model::Kind;
use crate::storage::Query;

/// Appends the joins to the node `n`.
pub(super) fn push_joins(query: &mut Query, kind: Kind, joins: &[Join]) {
    for (number, join) in joins.iter().enumerate() {
        match join {
            Join::Type => {
                // The planner must go from the node to its type, not from a type to all its nodes.
                query.push(" JOIN Type t ON t.id = ");
                query
                    .push(query.dialect().index_opt_out())
                    .push("n.type_id");
            }
            Join::Neighbour {
                relation, typed, ..
            } => {
                push_numbered(query, relation.join, number);
                if *typed {
                    push_numbered(query, " JOIN Type t# ON t#.id = m#.type_id", number);
                }
            }
            Join::Property { name, is_custom } => {
                push_property(query, kind, number, name, *is_custom);
            }
        }
    }
}

fn push_property(query: &mut Query, kind: Kind, number: usize, name: &str, is_custom: bool) {
    let join = match kind {
        Kind::Artifact => " JOIN ArtifactProperty p# ON p#.artifact_id = n.id AND ",
        Kind::Execution => " JOIN ExecutionProperty p# ON p#.execution_id = n.id AND ",
        Kind::Context => " JOIN ContextProperty p# ON p#.context_id = n.id AND ",
    };
    let same_name = dialect::property_name(query.dialect());
    push_numbered(query, join, number);
    push_numbered(query, same_name, number);
    for _ in same_name.matches('?') {
        query.bind(name);
    }
    push_numbered(query, " AND p#.is_custom_property = ?", number);
    query.bind(is_custom);
}

/// Appends a redundant condition on `type_id` for each table whose name is given. The index on
/// names starts with `type_id`, and the condition lets the planner use it.
pub(super) fn push_kinds(query: &mut Query, kind: Kind, joins: &[Join], named: &[TableAlias]) {
    for table in named {
        let kind = match table {
            TableAlias::Neighbour(number) => joins.get(*number).and_then(Join::kind),
            _ => Some(kind),
        };
        let Some(kind) = kind else { continue };
        query.push(" AND ");
        push_table_alias(query, *table);
        query.push(".type_id IN (SELECT id FROM Type WHERE type_kind = ");
        query.push_int(kind.number()).push(")");
    }
}

/// Appends SQL with `number` in the place of each `#`.
fn push_numbered(query: &mut Query, sql: &'static str, number: usize) {
    let mut parts = sql.split('#');
    query.push(parts.next().unwrap_or_default());
    for part in parts {
        query.push_number(number).push(part);
    }
}

/// Appends an expression that needs no parentheses around it.
pub(super) fn push_expr(query: &mut Query, expr: &Expr) {
    let dialect = query.dialect();
    match &expr.kind {
        ExprKind::Null => push_null(query, expr.ty),
        ExprKind::Bool(true) => drop(query.push("TRUE")),
        ExprKind::Bool(false) => drop(query.push("FALSE")),
        ExprKind::Int(value) => drop(query.push_typed(*value)),
        ExprKind::Double(value) => drop(query.push_typed(*value)),
        ExprKind::Text(value) => drop(query.push_typed(value.as_str())),
        ExprKind::Column(column) => push_column(query, column),
        ExprKind::Not(operand) => push_template(query, "(NOT @1)", &[operand]),
        ExprKind::Negate(operand) => {
            push_template(query, dialect::negation(dialect, expr.ty), &[operand]);
        }
        ExprKind::Arithmetic(operator, operands) => {
            push_template(
                query,
                dialect::arithmetic(dialect, *operator, expr.ty),
                &both(operands),
            );
        }
        ExprKind::Compare(comparison, operands) => push_comparison(query, *comparison, operands),
        ExprKind::Like(operands) => push_template(query, dialect::like(dialect), &both(operands)),
        ExprKind::Between(operands) => {
            let [operand, low, high] = operands.as_ref();
            push_template(query, "(@1 BETWEEN @2 AND @3)", &[operand, low, high]);
        }
        ExprKind::In(operand, list) => push_in(query, operand, list),
        ExprKind::Is(operand, truth) => {
            push_template(query, "(@1 IS ", &[operand]);
            query.push(truth.name()).push(")");
        }
        ExprKind::Case {
            subject,
            arms,
            otherwise,
        } => push_case(query, subject.as_deref(), arms, otherwise.as_deref()),
        ExprKind::Call(function, arguments) => push_call(query, *function, arguments, expr.ty),
        ExprKind::And(exprs) => push_balanced(query, exprs, " AND "),
        ExprKind::Or(exprs) => push_balanced(query, exprs, " OR "),
    }
}

fn both(operands: &[Expr; 2]) -> [&Expr; 2] {
    operands.each_ref()
}

/// Appends a NULL as a bound value, so that PostgreSQL knows its type.
fn push_null(query: &mut Query, ty: Type) {
    match ty {
        Type::Int | Type::Null => query.push_typed(None::<i64>),
        Type::Double => query.push_typed(None::<f64>),
        Type::Text => query.push_typed(None::<&str>),
        Type::Bool => query.push_typed(None::<bool>),
    };
}

fn push_column(query: &mut Query, column: &ColumnRef) {
    push_table_alias(query, column.table);
    query.push(".").push(column.name);
}

/// Appends the alias of a table.
fn push_table_alias(query: &mut Query, table: TableAlias) {
    match table {
        TableAlias::Node => query.push("n"),
        TableAlias::NodeType => query.push("t"),
        TableAlias::Neighbour(number) => query.push("m").push_number(number),
        TableAlias::NeighbourType(number) => query.push("t").push_number(number),
        TableAlias::Property(number) => query.push("p").push_number(number),
    };
}

/// Appends SQL with operands in the places of `@1` to `@9`.
fn push_template(query: &mut Query, sql: &'static str, operands: &[&Expr]) {
    let mut parts = sql.split('@');
    query.push(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_at(1);
        let operand = number
            .parse()
            .ok()
            .and_then(|number: usize| operands.get(number.checked_sub(1)?));
        if let Some(operand) = operand {
            push_expr(query, operand);
        }
        query.push(rest);
    }
}

fn push_comparison(query: &mut Query, comparison: ComparisonOp, operands: &[Expr; 2]) {
    let template = match (comparison, operands) {
        (ComparisonOp::Equal, [left, right]) if left.is_long_text() != right.is_long_text() => {
            dialect::long_text_equals(query.dialect())
        }
        (ComparisonOp::Equal, _) => "(@1 = @2)",
        (ComparisonOp::NotEqual | ComparisonOp::LessOrGreater, _) => "(@1 <> @2)",
        (ComparisonOp::Less, _) => "(@1 < @2)",
        (ComparisonOp::LessOrEqual, _) => "(@1 <= @2)",
        (ComparisonOp::Greater, _) => "(@1 > @2)",
        (ComparisonOp::GreaterOrEqual, _) => "(@1 >= @2)",
    };
    push_template(query, template, &both(operands));
}

/// Appends an `IN` condition. The SQL of a list of literals hardly depends on its length, so that
/// prepared statements are reused.
fn push_in(query: &mut Query, operand: &Expr, list: &[Expr]) {
    query.push("(");
    if let Some(numbers) = list.iter().map(Expr::as_int).collect::<Option<Vec<_>>>() {
        push_expr(query, operand);
        query.push_in(&numbers);
    } else if let Some(texts) = list.iter().map(Expr::as_text).collect::<Option<Vec<_>>>() {
        if operand.is_long_text() {
            query.push_in_long_texts(|query| push_expr(query, operand), &texts);
        } else {
            push_expr(query, operand);
            query.push_in_texts(&texts);
        }
    } else {
        push_expr(query, operand);
        push_list(
            query,
            list,
            &CallSyntax {
                open: " IN (",
                between: ", ",
                close: ")",
            },
        );
    }
    query.push(")");
}

fn push_case(
    query: &mut Query,
    subject: Option<&Expr>,
    arms: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
) {
    query.push("(CASE");
    if let Some(subject) = subject {
        query.push(" ");
        push_expr(query, subject);
    }
    for (when, then) in arms {
        push_template(query, " WHEN @1 THEN @2", &[when, then]);
    }
    if let Some(otherwise) = otherwise {
        push_template(query, " ELSE @1", &[otherwise]);
    }
    query.push(" END)");
}

fn push_call(query: &mut Query, function: Function, arguments: &[Expr], ty: Type) {
    let dialect = query.dialect();
    match dialect::variadic(dialect, function) {
        Some(list) if list.between == " || " => push_balanced(query, arguments, list.between),
        Some(list) if arguments.len() > 1 => push_list(query, arguments, &list),
        _ if function == Function::Substr => push_substr(query, arguments),
        _ => {
            let operands: Vec<_> = arguments.iter().collect();
            push_template(query, dialect::function(dialect, function, ty), &operands);
        }
    }
}

fn push_substr(query: &mut Query, arguments: &[Expr]) {
    let dialect = query.dialect();
    let operands: Vec<_> = arguments.iter().collect();
    push_template(query, "SUBSTR(@1, ", &operands);
    for (index, general) in [dialect::start(dialect), dialect::count(dialect)]
        .into_iter()
        .enumerate()
    {
        let Some(number) = arguments.get(index + 1) else {
            break;
        };
        if index > 0 {
            query.push(", ");
        }
        if matches!(number.kind, ExprKind::Int(1..=0x7fff_ffff)) {
            push_template(query, dialect::small_integer(dialect), &[number]);
        } else {
            push_template(query, general, &operands);
        }
    }
    query.push(")");
}

fn push_list(query: &mut Query, exprs: &[Expr], list: &CallSyntax) {
    query.push(list.open);
    for (index, expr) in exprs.iter().enumerate() {
        if index > 0 {
            query.push(list.between);
        }
        push_expr(query, expr);
    }
    query.push(list.close);
}

/// Appends a chain of operators as a balanced tree. SQLite allows expressions of 1000 levels, and
/// an unbalanced chain is as deep as it is long.
fn push_balanced(query: &mut Query, exprs: &[Expr], operator: &'static str) {
    if let [expr] = exprs {
        return push_expr(query, expr);
    }
    let (left, right) = exprs.split_at(exprs.len() / 2);
    query.push("(");
    push_balanced(query, left, operator);
    query.push(operator);
    push_balanced(query, right, operator);
    query.push(")");
}
