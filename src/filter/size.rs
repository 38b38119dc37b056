//! How large things get: the SQL of a query, and the texts it makes the database compute.

use super::functions::Function;
use super::portable::{self, DIALECTS};
use super::term::{Node, Term, Type};

/// Most columns and values in the SQL of one query. SQLite allows 32,766 values in a statement, and
/// the statement around the filter has some of its own.
pub(super) const MAX_SIZE: usize = 20_000;

/// Most that REPLACE may multiply the length of a text by. Unlimited, a short query could make
/// texts of many gigabytes.
pub(super) const MAX_GROWTH: usize = 100;

/// Longest list that is bound value by value; longer ones are one value.
const LONGEST_PADDED_LIST: usize = 256;

/// How many columns and values the SQL has, on the database where it has most. Some operands are
/// written more than once, by us or by the database, so nesting multiplies.
pub(super) fn size(term: &Term) -> usize {
    let sizes = term.children().into_iter().map(size).enumerate();
    let sizes = sizes.map(|(index, size)| size.saturating_mul(uses(&term.node, index)));
    let padding = match &term.node {
        Node::In(_, list) => list.len().min(LONGEST_PADDED_LIST).next_power_of_two(),
        _ => 0,
    };
    sizes.fold(padding, usize::saturating_add).max(1)
}

/// How often an operand is repeated, on the database that does so most.
fn uses(node: &Node, index: usize) -> usize {
    match node {
        // With an indexed text, on PostgreSQL.
        Node::Compare(..) => 2,
        // PostgreSQL makes two comparisons of it.
        Node::Between(..) if index == 0 => 2,
        // PostgreSQL makes one comparison with the plain values and one with each other item.
        Node::In(_, list) if index == 0 => 1 + list.iter().filter(|term| !term.is_plain()).count(),
        Node::Call(function, _) => uses_of_argument(*function, index),
        _ => 1,
    }
}

fn uses_of_argument(function: Function, index: usize) -> usize {
    let name = ["@1", "@2", "@3"].get(index).copied().unwrap_or_default();
    let count = |template: &str| template.matches(name).count();
    let most = DIALECTS.into_iter().map(|dialect| match function {
        _ if portable::variadic(dialect, function).is_some() => 1,
        // MariaDB computes the first argument more than once.
        Function::NullIf if index == 0 => 3,
        Function::Substr => {
            usize::from(index == 0)
                + count(portable::start(dialect))
                + count(portable::count(dialect))
        }
        _ => count(portable::function(dialect, function, Type::Int)),
    });
    most.max().unwrap_or(1)
}

/// How many times longer a text may get by the replacements in the expression.
pub(super) fn growth(term: &Term) -> usize {
    let inside = term.children().into_iter().map(growth).max().unwrap_or(1);
    let Node::Call(Function::Replace, arguments) = &term.node else {
        return inside;
    };
    let argument = |index: usize| arguments.get(index).and_then(Term::as_text);
    let by = match (argument(1), argument(2)) {
        (from, Some(to)) => to.len().div_ceil(from.map_or(1, str::len).max(1)).max(1),
        (_, None) => MAX_GROWTH,
    };
    inside.saturating_mul(by)
}
