//! `CASE`, with or without a subject that is compared with the `WHEN`s.

use super::check::{Checker, typed};
use super::invalid::{Checked, Problem};
use super::syntax::Expr;
use super::term::{Node, Term, Type, common_type, type_list};

impl Checker {
    pub(super) fn case(
        &mut self,
        subject: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
        at: usize,
    ) -> Checked<Term> {
        let values = subject
            .as_ref()
            .and_then(|subject| self.names.enumeration(subject));
        let subject = subject.map(|subject| self.term(*subject)).transpose()?;
        let (mut whens, mut results) = (Vec::new(), Vec::new());
        for (when, then) in arms {
            whens.push(self.enum_or_term(values, when)?.0);
            results.push(self.term(then)?);
        }
        let otherwise = otherwise
            .map(|otherwise| self.term(*otherwise))
            .transpose()?;
        let wanted = type_of_whens(subject.as_ref(), &whens, at)?;
        let ty = type_of_results(&results, otherwise.as_ref(), at)?;
        let node = Node::Case {
            subject: subject.map(|subject| Box::new(subject.typed(wanted))),
            arms: typed(whens, wanted)
                .into_iter()
                .zip(typed(results, ty))
                .collect(),
            otherwise: otherwise.map(|otherwise| Box::new(otherwise.typed(ty))),
        };
        Ok(Term::new(ty, node))
    }
}

fn type_of_whens(subject: Option<&Term>, whens: &[Term], at: usize) -> Checked<Type> {
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
        Problem::new(
            at,
            format!("No matching signature for operator CASE{rule} {types}"),
        )
    })
}

fn type_of_results(results: &[Term], otherwise: Option<&Term>, at: usize) -> Checked<Type> {
    let results = results.iter().chain(otherwise);
    common_type(results.clone())
        .map(Type::or_int)
        .ok_or_else(|| {
            let types = type_list(results);
            let text = format!(
                "No matching signature for operator CASE; all THEN/ELSE arguments must be \
             coercible to a common type but found: {types}"
            );
            Problem::new(at, text)
        })
}
