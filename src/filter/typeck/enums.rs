//! Type rules of comparisons and lists, with the names of enum values beside enum columns.
//!
//! MLMD's rules, which saved queries rely on:
//!
//! * `!=` and `NOT IN` with names also match a column that is not set; `NOT state = LIVE` does not.
//! * Names are case-sensitive.
//! * Numbers are refused beside `=` and `!=`, unless in parentheses. `state > 1`, `state = (2)` and
//!   `state IN (2, 3)` are integer comparisons.
//!
//! Beyond MLMD, all names of the enums are known, `<>` is `!=`, the name may come first, and a list
//! may have two numbers, or names and numbers.

use super::{TypeChecker, mismatch, typed};
use crate::filter::ast::{AstKind, AstNode, ComparisonOp};
use crate::filter::catalog::{self, EnumValues};
use crate::filter::error::Diagnostic;
use crate::filter::expr::{Expr, ExprKind, common_type, type_list};

impl TypeChecker {
    pub(super) fn compare(
        &mut self,
        comparison: ComparisonOp,
        left: AstNode,
        right: AstNode,
        offset: usize,
    ) -> Result<Expr, Diagnostic> {
        let name = comparison.name();
        let (mut left_values, mut right_values) = (None, None);
        if comparison.is_equality() {
            left_values = self.resolver.enum_values(&left);
            right_values = self.resolver.enum_values(&right);
        }
        if left_values.is_some() && comparison != ComparisonOp::LessOrGreater {
            refuse_constant(&right)?;
        }
        // A name on one side is looked up in the enum of the other side.
        let (left, left_named) = self.enum_or(right_values, left, |checker, ast| {
            checker.operand(ast, name)
        })?;
        let (right, right_named) = self.enum_or(left_values, right, |checker, ast| {
            checker.operand(ast, name)
        })?;
        if left.ty.with(right.ty).is_none() {
            return Err(mismatch(
                offset,
                name,
                &[left, right],
                &format!("ANY {name} ANY"),
            ));
        }
        let column = match (left_named, right_named) {
            _ if comparison == ComparisonOp::Equal => None,
            (false, true) => Some(left.clone()),
            (true, false) => Some(right.clone()),
            _ => None,
        };
        Ok(or_null(
            Expr::bool(ExprKind::Compare(comparison, Box::new([left, right]))),
            column,
        ))
    }

    pub(super) fn contained(
        &mut self,
        operand: AstNode,
        list: Vec<AstNode>,
        negated: bool,
        offset: usize,
    ) -> Result<Expr, Diagnostic> {
        let values = self.resolver.enum_values(&operand);
        let operand = self.check(operand)?;
        let several = list.len() > 1;
        let mut any_named = false;
        let mut exprs = Vec::with_capacity(list.len());
        for item in list {
            let is_number = matches!(item.kind, AstKind::Int(_) | AstKind::Double(_));
            let is_null = matches!(item.kind, AstKind::Null);
            if values.is_some() && (is_null || several && !is_number) {
                refuse_constant(&item)?;
            }
            let (expr, named) = self.enum_or_expr(values, item)?;
            any_named |= named;
            exprs.push(expr);
        }
        let Some(common) = common_type(&exprs).and_then(|common| common.with(operand.ty)) else {
            let (ty, list) = (operand.ty, type_list(&exprs));
            let text = format!(
                "No matching signature for operator IN for argument types {ty} and {{{list}}}"
            );
            return Err(Diagnostic::new(offset, text));
        };
        let operand = operand.typed(common);
        let column = (negated && any_named).then(|| operand.clone());
        let contained = Expr::bool(ExprKind::In(Box::new(operand), typed(exprs, common)));
        Ok(if negated {
            or_null(contained.not(), column)
        } else {
            contained
        })
    }

    /// Checks an expression beside an enum column with these values; `None` for another column.
    /// Returns the expression, and whether it is the name of an enum value.
    pub(super) fn enum_or_expr(
        &mut self,
        values: Option<&EnumValues>,
        ast: AstNode,
    ) -> Result<(Expr, bool), Diagnostic> {
        self.enum_or(values, ast, Self::check)
    }

    fn enum_or(
        &mut self,
        values: Option<&EnumValues>,
        ast: AstNode,
        otherwise: impl FnOnce(&mut Self, AstNode) -> Result<Expr, Diagnostic>,
    ) -> Result<(Expr, bool), Diagnostic> {
        if let (Some(values), Some(name)) = (values, ast.bare_name()) {
            match catalog::value_of(values, name) {
                Some(value) => return Ok((Expr::int(value), true)),
                None if self.resolver.is_attribute(name) => {}
                None => return Err(unsupported(name)),
            }
        }
        Ok((otherwise(self, ast)?, false))
    }
}

/// Extends a condition to NULL: an enum column that is not set differs from every name.
fn or_null(condition: Expr, column: Option<Expr>) -> Expr {
    match column {
        Some(column) => Expr::bool(ExprKind::Or(vec![condition, column.tested_for_null()])),
        None => condition,
    }
}

/// Refuses a constant beside an enum column. Like MLMD, it accepts negative numbers.
fn refuse_constant(ast: &AstNode) -> Result<(), Diagnostic> {
    match ast.kind {
        AstKind::Int(value @ 0..) => Err(unsupported(value)),
        AstKind::Double(value) => Err(unsupported(value)),
        AstKind::Bool(true) => Err(unsupported("TRUE")),
        AstKind::Bool(false) => Err(unsupported("FALSE")),
        AstKind::Null => Err(unsupported("NULL")),
        _ => Ok(()),
    }
}

fn unsupported(value: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::overall(format!(
        "Unsupported enum value specified in the query: {value}"
    ))
}
