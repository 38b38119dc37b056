//! Cost of a query: the size of its SQL, and how much longer it can make a text.

use super::dialect;
use super::expr::{Expr, ExprKind};
use super::functions::Function;
use super::limits::MAX_REPLACE_GROWTH_FACTOR;
use super::types::Type;
use crate::storage::{Dialect, MAX_PADDED_LIST_VALUES};

/// The number of columns and values in the SQL, on the database where it is largest.
///
/// Code generation and some databases write an operand more than once, so nesting multiplies.
pub(super) fn sql_operands(expr: &Expr) -> usize {
    let counts = expr.children().into_iter().map(sql_operands).enumerate();
    let counts = counts.map(|(index, count)| count.saturating_mul(uses(&expr.kind, index)));
    let padding = match &expr.kind {
        ExprKind::In(_, list) => list.len().min(MAX_PADDED_LIST_VALUES).next_power_of_two(),
        _ => 0,
    };
    counts.fold(padding, usize::saturating_add).max(1)
}

/// How often the SQL repeats an operand, on the database that repeats it most.
fn uses(kind: &ExprKind, index: usize) -> usize {
    match kind {
        // PostgreSQL, where one side is an indexed text.
        ExprKind::Compare(..) => 2,
        // PostgreSQL rewrites it as two comparisons.
        ExprKind::Between(..) if index == 0 => 2,
        // PostgreSQL makes one comparison with all literals, and one with each other item.
        ExprKind::In(_, list) if index == 0 => {
            1 + list.iter().filter(|expr| !expr.is_plain()).count()
        }
        ExprKind::Call(function, _) => uses_of_argument(*function, index),
        _ => 1,
    }
}

fn uses_of_argument(function: Function, index: usize) -> usize {
    let name = ["@1", "@2", "@3"].get(index).copied().unwrap_or_default();
    let count = |template: &str| template.matches(name).count();
    let most = Dialect::ALL.into_iter().map(|dialect| match function {
        _ if dialect::variadic(dialect, function).is_some() => 1,
        // MariaDB evaluates the first argument more than once.
        Function::NullIf if index == 0 => 3,
        Function::Substr => {
            usize::from(index == 0)
                + count(dialect::start(dialect))
                + count(dialect::count(dialect))
        }
        _ => count(dialect::function(dialect, function, Type::Int)),
    });
    most.max().unwrap_or(1)
}

/// Whether an expression computes with texts that are stored, which takes as long as they are.
pub(super) fn computes_with_texts(expr: &Expr) -> bool {
    let computes = match &expr.kind {
        ExprKind::Like(operands) => operands.iter().any(|expr| !expr.is_plain()),
        ExprKind::Call(_, arguments) => arguments
            .iter()
            .any(|expr| expr.ty == Type::Text && !expr.is_plain()),
        _ => false,
    };
    computes || expr.children().into_iter().any(computes_with_texts)
}

/// The factor by which the calls of REPLACE in an expression can make a text longer.
pub(super) fn replace_growth_factor(expr: &Expr) -> usize {
    let inside = expr
        .children()
        .into_iter()
        .map(replace_growth_factor)
        .max()
        .unwrap_or(1);
    let ExprKind::Call(Function::Replace, arguments) = &expr.kind else {
        return inside;
    };
    let argument = |index: usize| arguments.get(index).and_then(Expr::as_text);
    let by = match (argument(1), argument(2)) {
        (from, Some(to)) => to.len().div_ceil(from.map_or(1, str::len).max(1)).max(1),
        (_, None) => MAX_REPLACE_GROWTH_FACTOR,
    };
    inside.saturating_mul(by)
}
