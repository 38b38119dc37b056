//! The filter language of MLMD: the text of a `filter_query` to SQL with bound values.
//!
//! A query is one condition in GoogleSQL over the attributes of a node, its properties and its
//! neighbours:
//!
//! ```text
//! name LIKE 'run%' AND properties.accuracy.double_value > 0.9 AND contexts_a.type = 'pipeline'
//! ```
//!
//! * `lexer`, `literal`, `parser`, `operands`, `operators`: text to `syntax`.
//! * `check`, `case`, `enums`, `functions`, `resolve`: syntax to typed `term`s over known `names`.
//! * `facts`: what holds for every node that a condition lets through, for the planner.
//! * `sql`: terms to SQL, with the differences between databases in `portable`.
//! * `size`: how much a query may ask for; `invalid`: what is wrong with it.
//!
//! Every distinct neighbour alias, every distinct property and the attribute `type` is one inner
//! join, wherever it is mentioned. So a node that lacks one of them is never found, not even under
//! `OR` or `NOT`.
//!
//! No text of a client gets into the SQL: names are looked up in tables of our own, everything else
//! is bound. All sizes are bounded: length of the text, depth, number of tables, and size of the
//! SQL.

mod case;
mod check;
mod enums;
mod facts;
mod functions;
mod invalid;
mod lexer;
mod literal;
mod names;
mod operands;
mod operators;
mod parser;
mod portable;
mod resolve;
mod size;
mod sql;
mod syntax;
mod term;
#[cfg(test)]
mod tests;

pub use invalid::Invalid;

use crate::model::Kind;
use crate::storage::Query;
use crate::storage::tables::lists::Condition;
use facts::Facts;
use invalid::{Checked, Problem};
use size::{MAX_GROWTH, MAX_SIZE};
use term::{Join, Term};

/// Longest query text, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;

/// A checked query, ready to become SQL for any database.
#[derive(Clone, Debug)]
pub struct Filter {
    kind: Kind,
    joins: Vec<Join>,
    condition: Term,
    facts: Facts,
}

/// Reads a query over nodes of a kind. An empty text is no query; callers leave the filter out
/// then.
///
/// # Errors
///
/// Whatever is wrong with the text, worded for the client.
pub fn parse(kind: Kind, text: &str) -> Result<Filter, Invalid> {
    filter(kind, text).map_err(|problem| problem.into_invalid(text))
}

fn filter(kind: Kind, text: &str) -> Checked<Filter> {
    if text.len() > MAX_LENGTH {
        return Err(Problem::overall(format!(
            "The query is longer than {MAX_LENGTH} bytes"
        )));
    }
    let (joins, condition) = check::check(kind, parser::parse(text)?, text)?;
    if size::size(&condition) > MAX_SIZE {
        return Err(Problem::overall(format!(
            "The query is too large: it needs more than {MAX_SIZE} columns and values"
        )));
    }
    if size::growth(&condition) > MAX_GROWTH {
        return Err(Problem::overall(format!(
            "REPLACE may make texts at most {MAX_GROWTH} times as long"
        )));
    }
    Ok(Filter {
        kind,
        facts: Facts::of(&condition),
        joins,
        condition,
    })
}

impl Condition for Filter {
    /// A node has one type and one property of a name, but any number of neighbours.
    fn repeats(&self) -> bool {
        let is_neighbour = |join: &Join| matches!(join, Join::Neighbour { .. });
        self.joins.iter().any(is_neighbour)
    }

    fn type_names(&self) -> Option<Vec<&str>> {
        let names = self.facts.type_names.as_ref()?;
        Some(names.iter().map(String::as_str).collect())
    }

    fn is_selective(&self) -> bool {
        self.facts.is_selective
    }

    /// Appends the `JOIN` clauses, to follow `FROM Artifact n` or the table of another kind under
    /// the same alias. They take the aliases `t` and `l`, `m`, `p`, `t` with a number.
    fn push_joins(&self, query: &mut Query) {
        sql::push_joins(query, self.kind, &self.joins);
    }

    /// Appends the condition for the `WHERE` clause, in parentheses unless it is a single operand.
    /// More conditions may follow with AND.
    fn push_condition(&self, query: &mut Query) {
        sql::push_term(query, &self.condition);
        sql::push_kinds(query, self.kind, &self.joins, &self.facts.named);
    }
}
