//! Compiler of MLMD's filter language: from the text of a `filter_query` to SQL with bound values.
//!
//! A query is one boolean expression in GoogleSQL over the attributes of a node, its properties and
//! its neighbours (`docs/filter-language.md` is the reference):
//!
//! ```text
//! name LIKE 'run%' AND properties.accuracy.double_value > 0.9 AND contexts_a.type = 'pipeline'
//! ```
//!
//! A query goes through the stages of a compiler:
//!
//! 1. `lexer` and `literal` split the text into tokens.
//! 2. `parser` makes a syntax tree of them (`ast`).
//! 3. `typeck` resolves names (`resolve`, over the tables of `catalog`) and checks types, operators
//!    and calls (`types`, `functions`). The result is a typed expression (`expr`).
//! 4. `limits` and `cost` bound what a query may ask for.
//! 5. `split` keeps neighbours from multiplying each other; `analysis` derives planner hints.
//! 6. `codegen` writes SQL, with the differences between databases in `dialect`.
//!
//! `error` describes what is wrong with a query, and where.
//!
//! Each distinct neighbour alias, each distinct property and the attribute `type` is one inner
//! join, wherever the query mentions it. A node that lacks one of them does not match, not even
//! under `OR` or `NOT`.
//!
//! Text of a client never becomes a part of the SQL: names are looked up in constant tables, and
//! all other text is bound.

mod analysis;
mod ast;
mod catalog;
mod codegen;
mod cost;
mod dialect;
mod error;
mod expr;
mod functions;
mod lexer;
mod limits;
mod literal;
mod parser;
mod resolve;
mod split;
#[cfg(test)]
mod tests;
mod typeck;
mod types;

pub use error::FilterError;

use crate::model::Kind;
use crate::storage::{Dialect, Predicate, SqlFragment};
use analysis::PlannerHints;
use error::Diagnostic;
use expr::{Expr, Join};
use limits::{MAX_QUERY_BYTES, MAX_REPLACE_GROWTH_FACTOR, MAX_SQL_OPERANDS};
use split::Part;

/// A checked query, ready to become SQL for any database.
#[derive(Clone, Debug)]
pub struct Filter {
    kind: Kind,
    joins: Vec<Join>,
    condition: Expr,
    /// The condition in parts, if it mentions several neighbours.
    split: Option<Part>,
    hints: PlannerHints,
}

/// Compiles a query over nodes of a kind. An empty text is an error; callers treat it as no filter.
///
/// # Errors
///
/// A syntax error, an unknown name, a type error or an exceeded limit, with a message for the
/// client.
pub fn parse(kind: Kind, text: &str) -> Result<Filter, FilterError> {
    filter(kind, text).map_err(|diagnostic| diagnostic.into_error(text))
}

fn filter(kind: Kind, text: &str) -> Result<Filter, Diagnostic> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(Diagnostic::overall(format!(
            "The query is longer than {MAX_QUERY_BYTES} bytes"
        )));
    }
    let (joins, condition) = typeck::check(kind, parser::parse(text)?, text)?;
    if cost::sql_operands(&condition) > MAX_SQL_OPERANDS {
        return Err(Diagnostic::overall(format!(
            "The query is too large: it needs more than {MAX_SQL_OPERANDS} columns and values"
        )));
    }
    if cost::replace_growth_factor(&condition) > MAX_REPLACE_GROWTH_FACTOR {
        return Err(Diagnostic::overall(format!(
            "REPLACE may make texts at most {MAX_REPLACE_GROWTH_FACTOR} times as long"
        )));
    }
    Ok(Filter {
        kind,
        hints: PlannerHints::of(&condition),
        split: split::split(&joins, &condition)?,
        joins,
        condition,
    })
}

impl Filter {
    /// Whether the database may take long: the condition compares neighbours with each other, or
    /// computes with stored texts.
    #[must_use]
    pub fn is_costly(&self) -> bool {
        self.split.as_ref().is_some_and(Part::has_products)
            || cost::computes_with_texts(&self.condition)
    }

    /// Generates the SQL for a dialect.
    #[must_use]
    pub fn predicate(&self, dialect: Dialect) -> Predicate {
        let mut joins = SqlFragment::new(dialect);
        let mut condition = SqlFragment::new(dialect);
        let is_neighbour = |join: &Join| matches!(join, Join::Neighbour { .. });
        // A node has one type and one property of each name, but any number of neighbours.
        let repeats = self.split.is_none() && self.joins.iter().any(is_neighbour);
        let graph = codegen::Joined {
            kind: self.kind,
            joins: &self.joins,
        };
        if let Some(part) = &self.split {
            graph.push_joins(&mut joins, |number| !is_neighbour(&self.joins[number]));
            let mut drivers = part.drivers();
            graph.push_part(&mut condition, part, &mut drivers);
        } else {
            graph.push_joins(&mut joins, |_| true);
            codegen::push_expr(&mut condition, &self.condition);
            graph.push_kinds(&mut condition, &self.hints.named);
        }
        Predicate {
            joins,
            condition,
            repeats,
            is_costly: self.is_costly(),
            is_selective: self.hints.is_selective,
            type_names: self.hints.type_names.clone(),
        }
    }
}
