//! Comparisons and lists, where the names of enum values can stand beside an enum column.
//!
//! MLMD's rules, which saved queries rely on: `!=` and `NOT IN` with names also match a column that
//! is unset, while `NOT state = LIVE` does not. Names are case-sensitive. Numbers are refused
//! beside `=` and `!=` and in lists of two or more, while `state > 1` and `state IN (2)` are plain
//! integer comparisons. Beyond MLMD, all names of the enums are known, `<>` is `!=`, and the name
//! may come first.

use super::check::{Checker, mismatch, typed};
use super::invalid::{Checked, Problem};
use super::names::{self, Enumeration};
use super::syntax::{Comparison, Expr, Node as Syntax};
use super::term::{Node, Term, common_type, type_list};

impl Checker {
    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: Expr,
        right: Expr,
        at: usize,
    ) -> Checked<Term> {
        let name = comparison.name();
        let (mut left_values, mut right_values) = (None, None);
        if comparison.is_equality() {
            left_values = self.names.enumeration(&left);
            right_values = self.names.enumeration(&right);
        }
        if left_values.is_some() && comparison != Comparison::LessOrGreater {
            refuse_constant(&right)?;
        }
        // Each side is read by the other's enum.
        let (left, left_named) = self.enum_or(right_values, left, |checker, expr| {
            checker.operand(expr, name)
        })?;
        let (right, right_named) = self.enum_or(left_values, right, |checker, expr| {
            checker.operand(expr, name)
        })?;
        if left.ty.with(right.ty).is_none() {
            return Err(mismatch(
                at,
                name,
                &[left, right],
                &format!("ANY {name} ANY"),
            ));
        }
        let column = match (left_named, right_named) {
            _ if comparison == Comparison::Equal => None,
            (false, true) => Some(left.clone()),
            (true, false) => Some(right.clone()),
            _ => None,
        };
        Ok(or_null(
            Term::bool(Node::Compare(comparison, Box::new([left, right]))),
            column,
        ))
    }

    pub(super) fn contained(
        &mut self,
        operand: Expr,
        list: Vec<Expr>,
        negated: bool,
        at: usize,
    ) -> Checked<Term> {
        let values = self.names.enumeration(&operand);
        let operand = self.term(operand)?;
        let several = list.len() > 1;
        let mut any_named = false;
        let mut terms = Vec::with_capacity(list.len());
        for item in list {
            if values.is_some() && (several || matches!(item.node, Syntax::Null)) {
                refuse_constant(&item)?;
            }
            let (term, named) = self.enum_or_term(values, item)?;
            any_named |= named;
            terms.push(term);
        }
        let Some(common) = common_type(&terms).and_then(|common| common.with(operand.ty)) else {
            let (ty, list) = (operand.ty, type_list(&terms));
            let text = format!(
                "No matching signature for operator IN for argument types {ty} and {{{list}}}"
            );
            return Err(Problem::new(at, text));
        };
        let operand = operand.typed(common);
        let column = (negated && any_named).then(|| operand.clone());
        let contained = Term::bool(Node::In(Box::new(operand), typed(terms, common)));
        Ok(if negated {
            or_null(contained.not(), column)
        } else {
            contained
        })
    }

    /// Checks an expression that stands beside a column of that enum, if it is one. Also tells
    /// whether it was the name of an enum value.
    pub(super) fn enum_or_term(
        &mut self,
        values: Option<&Enumeration>,
        expr: Expr,
    ) -> Checked<(Term, bool)> {
        self.enum_or(values, expr, Self::term)
    }

    fn enum_or(
        &mut self,
        values: Option<&Enumeration>,
        expr: Expr,
        otherwise: impl FnOnce(&mut Self, Expr) -> Checked<Term>,
    ) -> Checked<(Term, bool)> {
        if let (Some(values), Some(name)) = (values, expr.bare_name()) {
            match names::value_of(values, name) {
                Some(value) => return Ok((Term::int(value), true)),
                None if self.names.is_attribute(name) => {}
                None => return Err(unsupported(name)),
            }
        }
        Ok((otherwise(self, expr)?, false))
    }
}

/// An enum column that is unset differs from every name.
fn or_null(condition: Term, column: Option<Term>) -> Term {
    match column {
        Some(column) => Term::bool(Node::Any(vec![condition, column.tested_for_null()])),
        None => condition,
    }
}

/// Negative numbers are no exception of ours: MLMD does not see them either.
fn refuse_constant(expr: &Expr) -> Checked<()> {
    match expr.node {
        Syntax::Int(value @ 0..) => Err(unsupported(value)),
        Syntax::Double(value) => Err(unsupported(value)),
        Syntax::Bool(true) => Err(unsupported("TRUE")),
        Syntax::Bool(false) => Err(unsupported("FALSE")),
        Syntax::Null => Err(unsupported("NULL")),
        _ => Ok(()),
    }
}

fn unsupported(value: impl std::fmt::Display) -> Problem {
    Problem::overall(format!(
        "Unsupported enum value specified in the query: {value}"
    ))
}
