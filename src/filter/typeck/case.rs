//! Type rules of `CASE`, with or without a subject.

use super::{TypeChecker, typed};
use crate::filter::ast::AstNode;
use crate::filter::error::Diagnostic;
use crate::filter::expr::{Expr, ExprKind, common_type, type_list};
use crate::filter::types::Type;

impl TypeChecker {
    pub(super) fn case(
        &mut self,
        subject: Option<Box<AstNode>>,
        arms: Vec<(AstNode, AstNode)>,
        otherwise: Option<Box<AstNode>>,
        offset: usize,
    ) -> Result<Expr, Diagnostic> {
        let values = subject
            .as_ref()
            .and_then(|subject| self.resolver.enum_values(subject));
        let subject = subject.map(|subject| self.check(*subject)).transpose()?;
        let (mut whens, mut results) = (Vec::new(), Vec::new());
        for (when, then) in arms {
            whens.push(self.enum_or_expr(values, when)?.0);
            results.push(self.check(then)?);
        }
        let otherwise = otherwise
            .map(|otherwise| self.check(*otherwise))
            .transpose()?;
        let wanted = type_of_whens(subject.as_ref(), &whens, offset)?;
        let ty = type_of_results(&results, otherwise.as_ref(), offset)?;
        let kind = ExprKind::Case {
            subject: subject.map(|subject| Box::new(subject.typed(wanted))),
            arms: typed(whens, wanted)
                .into_iter()
                .zip(typed(results, ty))
                .collect(),
            otherwise: otherwise.map(|otherwise| Box::new(otherwise.typed(ty))),
        };
        Ok(Expr::new(ty, kind))
    }
}

fn type_of_whens(
    subject: Option<&Expr>,
    whens: &[Expr],
    offset: usize,
) -> Result<Type, Diagnostic> {
    let wanted = match subject {
        Some(subject) => common_type(whens).and_then(|common| common.with(subject.ty)),
        None => whens
            .iter()
            .all(|when| when.ty.fits(Type::Bool))
            .then_some(Type::Bool),
    };
    wanted.ok_or_else(|| {
        let rule = match subject {
            Some(_) => " for argument types:",
            None => "; all WHEN argument types must be BOOL but found:",
        };
        let types = type_list(subject.into_iter().chain(whens));
        Diagnostic::new(
            offset,
            format!("No matching signature for operator CASE{rule} {types}"),
        )
    })
}

fn type_of_results(
    results: &[Expr],
    otherwise: Option<&Expr>,
    offset: usize,
) -> Result<Type, Diagnostic> {
    let results = results.iter().chain(otherwise);
    common_type(results.clone())
        .map(Type::or_int)
        .ok_or_else(|| {
            let types = type_list(results);
            let text = format!(
                "No matching signature for operator CASE; all THEN/ELSE arguments must be \
             coercible to a common type but found: {types}"
            );
            Diagnostic::new(offset, text)
        })
}
