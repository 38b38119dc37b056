//! Neighbours without their product.
//!
//! A query means: there is a choice of one neighbour for each alias, for which the condition is
//! true. As one join, that is every combination of neighbours: 40 contexts under each of four
//! aliases are 2.5 million rows for a single node. Here the condition is split, so that each
//! subquery looks for as few neighbours together as the meaning allows:
//!
//! * Conjuncts that share no alias are looked for apart.
//! * Alternatives are looked for apart. What another alternative mentions must exist all the same.
//! * What remains compares neighbours with each other. More than [`MAX_NEIGHBOURS_COMPARED`] at
//!   once are refused.

use std::collections::BTreeSet;

use super::analysis::PlannerHints;
use super::cost;
use super::error::Diagnostic;
use super::expr::{Expr, ExprKind, Join, TableAlias};
use super::limits::{
    MAX_DRIVING_SUBQUERIES, MAX_NEIGHBOURS_COMPARED, MAX_SQL_OPERANDS, MAX_SUBQUERIES,
};

/// The numbers of the joins to neighbours that an expression mentions.
type Neighbours = BTreeSet<usize>;

/// A condition with its subqueries.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A condition that mentions no neighbour.
    Plain(Expr),
    /// There are neighbours for which a condition is true.
    Exists(Neighbours, Expr),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Part {
    /// How many subqueries the planner may start from: none where a condition on the node itself
    /// selects few of them.
    pub(super) fn drivers(&self) -> usize {
        if self.is_selective() {
            0
        } else {
            MAX_DRIVING_SUBQUERIES
        }
    }

    fn is_selective(&self) -> bool {
        match self {
            Self::Plain(expr) => PlannerHints::of(expr).is_selective,
            Self::All(parts) => parts.iter().any(Self::is_selective),
            Self::Exists(..) | Self::Any(_) => false,
        }
    }

    /// Whether a subquery looks at combinations of neighbours.
    pub(super) fn has_products(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Exists(used, _) => used.len() > 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::has_products),
        }
    }
}

/// Splits a condition; `None` if it mentions one neighbour or none, which has no product.
///
/// # Errors
///
/// A query that compares too many neighbours with each other, or needs too many subqueries.
pub(super) fn split(joins: &[Join], condition: &Expr) -> Result<Option<Part>, Diagnostic> {
    let is_neighbour = |(number, join): (usize, &Join)| {
        let neighbour = matches!(join, Join::Neighbour { .. });
        neighbour.then_some(number)
    };
    let all: Neighbours = joins.iter().enumerate().filter_map(is_neighbour).collect();
    if all.len() < 2 {
        return Ok(None);
    }
    let mut splitter = Splitter {
        joins,
        must_exist: &all - &neighbours(condition),
        subqueries: 0,
        operands: 0,
    };
    let mut parts = vec![splitter.part(condition)?];
    for number in std::mem::take(&mut splitter.must_exist) {
        let any = Expr::bool(ExprKind::Bool(true));
        parts.push(splitter.exists([number].into(), any)?);
    }
    Ok(Some(Part::All(parts)))
}

struct Splitter<'a> {
    joins: &'a [Join],
    /// Neighbours that a node must have, whatever they are: an alternative without them can be the
    /// one that is true.
    must_exist: Neighbours,
    subqueries: usize,
    /// The columns and values of all subqueries.
    operands: usize,
}

impl Splitter<'_> {
    fn part(&mut self, expr: &Expr) -> Result<Part, Diagnostic> {
        let used = neighbours(expr);
        match (&expr.kind, used.len()) {
            (_, 0) => Ok(Part::Plain(expr.clone())),
            (_, 1) => self.exists(used, expr.clone()),
            (ExprKind::And(_) | ExprKind::Not(_), _) => {
                let mut conjuncts = Vec::new();
                push_conjuncts(&mut conjuncts, expr);
                match conjuncts.as_slice() {
                    [one] if matches!(one.kind, ExprKind::And(_) | ExprKind::Not(_)) => {
                        self.exists(used, one.clone())
                    }
                    [one] => self.part(one),
                    _ => self.all(conjuncts),
                }
            }
            (ExprKind::Or(exprs), _) => self.any(used, exprs),
            _ => self.exists(used, expr.clone()),
        }
    }

    /// All of these, each group apart that shares no neighbour with the others.
    fn all(&mut self, conjuncts: Vec<Expr>) -> Result<Part, Diagnostic> {
        let mut groups: Vec<(Neighbours, Vec<Expr>)> = Vec::new();
        for conjunct in conjuncts {
            let mut group = (neighbours(&conjunct), vec![conjunct]);
            // Conjuncts without neighbours are one group too.
            let (joined, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(used, _)| {
                !used.is_disjoint(&group.0) || used.is_empty() && group.0.is_empty()
            });
            groups = apart;
            for (used, exprs) in joined.into_iter().rev() {
                group.0.extend(used);
                group.1.splice(0..0, exprs);
            }
            groups.push(group);
        }
        let group = |(used, exprs): (Neighbours, Vec<Expr>)| self.group(used, exprs);
        groups
            .into_iter()
            .map(group)
            .collect::<Result<_, _>>()
            .map(Part::All)
    }

    /// All of these, which share neighbours.
    fn group(&mut self, used: Neighbours, mut exprs: Vec<Expr>) -> Result<Part, Diagnostic> {
        if let [expr] = exprs.as_slice() {
            return self.part(expr);
        }
        let is_alternative =
            |expr: &Expr| matches!(expr.kind, ExprKind::Or(_)) && neighbours(expr).len() > 1;
        let alternatives = exprs.iter().position(is_alternative);
        if used.len() > MAX_NEIGHBOURS_COMPARED
            && let Some(place) = alternatives
            && let ExprKind::Or(branches) = exprs.swap_remove(place).kind
        {
            // `(a OR b) AND c` is `a AND c OR b AND c`.
            let with_rest = |branch: Expr| {
                let branch = std::iter::once(branch).chain(exprs.iter().cloned());
                Expr::bool(ExprKind::And(branch.collect()))
            };
            let branches: Vec<Expr> = branches.into_iter().map(with_rest).collect();
            return self.any(used, &branches);
        }
        if used.is_empty() {
            return Ok(Part::Plain(Expr::bool(ExprKind::And(exprs))));
        }
        self.exists(used, Expr::bool(ExprKind::And(exprs)))
    }

    /// One of these. Those about the same neighbour are looked for together.
    fn any(&mut self, used: Neighbours, exprs: &[Expr]) -> Result<Part, Diagnostic> {
        self.must_exist.extend(used);
        let mut groups: Vec<(Neighbours, Vec<Expr>)> = Vec::new();
        for expr in exprs {
            let of = neighbours(expr);
            let same = groups
                .iter_mut()
                .find(|(used, _)| *used == of && of.len() < 2);
            match same {
                Some((_, group)) => group.push(expr.clone()),
                None => groups.push((of, vec![expr.clone()])),
            }
        }
        let part = |(_, group): (Neighbours, Vec<Expr>)| match group.as_slice() {
            [expr] => self.part(expr),
            _ => self.part(&Expr::bool(ExprKind::Or(group))),
        };
        groups
            .into_iter()
            .map(part)
            .collect::<Result<_, _>>()
            .map(Part::Any)
    }

    fn exists(&mut self, used: Neighbours, expr: Expr) -> Result<Part, Diagnostic> {
        if used.len() > MAX_NEIGHBOURS_COMPARED {
            let name = |number: &usize| match self.joins.get(*number) {
                Some(Join::Neighbour { name, .. }) => name.as_str(),
                _ => "",
            };
            let names: Vec<&str> = used.iter().map(name).collect();
            return Err(Diagnostic::overall(format!(
                "The neighbours {} are compared with each other: at most \
                 {MAX_NEIGHBOURS_COMPARED} can be. Compare each with a value, or send several \
                 requests",
                names.join(", ")
            )));
        }
        self.subqueries += 1;
        self.operands = self.operands.saturating_add(cost::sql_operands(&expr));
        if self.subqueries > MAX_SUBQUERIES || self.operands > MAX_SQL_OPERANDS {
            return Err(Diagnostic::overall(format!(
                "The alternatives are too many: they need more than {MAX_SUBQUERIES} subqueries, \
                 or {MAX_SQL_OPERANDS} columns and values. Send a request for each"
            )));
        }
        Ok(Part::Exists(used, expr))
    }
}

/// Appends the expressions that are all true where this one is. `NOT` goes inwards as far as it
/// meets `AND` and `OR`.
fn push_conjuncts(conjuncts: &mut Vec<Expr>, expr: &Expr) {
    match &expr.kind {
        _ if neighbours(expr).len() < 2 => conjuncts.push(expr.clone()),
        ExprKind::And(exprs) => exprs
            .iter()
            .for_each(|expr| push_conjuncts(conjuncts, expr)),
        ExprKind::Not(operand) => match &operand.kind {
            ExprKind::Not(operand) => push_conjuncts(conjuncts, operand),
            ExprKind::Or(exprs) => exprs
                .iter()
                .for_each(|expr| push_conjuncts(conjuncts, &expr.clone().not())),
            ExprKind::And(exprs) => {
                let negated = exprs.iter().map(|expr| expr.clone().not());
                conjuncts.push(Expr::bool(ExprKind::Or(negated.collect())));
            }
            _ => conjuncts.push(expr.clone()),
        },
        _ => conjuncts.push(expr.clone()),
    }
}

/// The neighbours that an expression mentions.
pub(super) fn neighbours(expr: &Expr) -> Neighbours {
    fn add(used: &mut Neighbours, expr: &Expr) {
        if let ExprKind::Column(column) = &expr.kind
            && let TableAlias::Neighbour(number) | TableAlias::NeighbourType(number) = column.table
        {
            used.insert(number);
        }
        expr.children()
            .into_iter()
            .for_each(|child| add(used, child));
    }
    let mut used = Neighbours::new();
    add(&mut used, expr);
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::parse;
    use crate::model::Kind;

    /// The subqueries of a query over artifacts: the number of neighbours of each.
    fn subqueries(query: &str) -> Vec<usize> {
        fn add(sizes: &mut Vec<usize>, part: &Part) {
            match part {
                Part::Plain(_) => {}
                Part::Exists(used, _) => sizes.push(used.len()),
                Part::All(parts) | Part::Any(parts) => {
                    for part in parts {
                        add(sizes, part);
                    }
                }
            }
        }
        let mut sizes = Vec::new();
        if let Some(part) = &parse(Kind::Artifact, query).unwrap().split {
            add(&mut sizes, part);
        }
        sizes
    }

    #[test]
    fn neighbours_are_looked_for_apart() {
        let (a, b, c) = (
            "contexts_a.id = 1",
            "contexts_b.id > 2",
            "contexts_c.id > 3",
        );
        for (query, expected) in [
            (a.to_owned(), vec![]),
            (format!("{a} AND {b} AND id > 7"), vec![1, 1]),
            // Each alternative, and what must exist.
            (format!("{a} OR {b} OR {c}"), vec![1; 6]),
            (format!("NOT ({a} OR {b} OR {c})"), vec![1; 3]),
            (format!("NOT ({a} AND {b} AND {c})"), vec![1; 6]),
            (format!("NOT NOT ({a} AND {b})"), vec![1; 2]),
            (format!("{a} AND ({b} OR {c})"), vec![1, 1, 1, 1, 1]),
            (
                "contexts_a.id = contexts_b.id AND contexts_c.id = 1".into(),
                vec![2, 1],
            ),
            (format!("({a} OR {b}) AND {a}"), vec![2]),
            (
                format!("({a} OR {b} OR {c}) AND {a}"),
                vec![1, 1, 1, 1, 1, 1, 1, 1],
            ),
            ("contexts_a.id = 1 AND contexts_a.name = 'x'".into(), vec![]),
        ] {
            assert_eq!(subqueries(&query), expected, "{query}");
        }
    }

    #[test]
    fn what_would_multiply_is_refused() {
        let sum = "contexts_a.id + contexts_b.id + contexts_c.id = -1";
        let deep = ["contexts_a", "contexts_b", "contexts_c"].map(|name| {
            let terms: Vec<String> = (0..9)
                .map(|id| format!("{name}.id + contexts_d.id = {id}"))
                .collect();
            format!("({})", terms.join(" OR "))
        });
        for query in [sum.to_owned(), format!("NOT {sum}"), deep.join(" AND ")] {
            let refusal = parse(Kind::Artifact, &query).unwrap_err().to_string();
            let advice = ["send several requests", "Send a request for each"];
            assert!(
                advice.iter().any(|advice| refusal.contains(advice)),
                "{refusal}"
            );
        }
    }
}
