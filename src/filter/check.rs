//! Syntax tree to typed terms: resolves names, collects joins, checks types by the rules of
//! GoogleSQL.

use super::functions::{self, Function};
use super::invalid::{Checked, Problem};
use super::resolve::Names;
use super::syntax::{Expr, Node as Syntax, Operator, Sign, Truth};
use super::term::{Join, Node, Term, Type, common_type, type_list};
use crate::model::Kind;

/// Longest literal `LIKE` pattern, in bytes. SQLite takes no more than 50,000.
const LONGEST_PATTERN: usize = 32 * 1024;

/// Checks a whole query, which must be a condition. `text` is its source, for messages.
pub(super) fn check(kind: Kind, query: Expr, text: &str) -> Checked<(Vec<Join>, Term)> {
    let mut checker = Checker {
        names: Names::new(kind),
    };
    let condition = checker.term(query)?;
    if condition.ty == Type::Bool {
        return Ok((checker.names.into_joins(), condition));
    }
    Err(Problem::overall(format!(
        "Given query string is not a valid boolean expression: {text}"
    )))
}

pub(super) struct Checker {
    pub(super) names: Names,
}

impl Checker {
    pub(super) fn term(&mut self, expr: Expr) -> Checked<Term> {
        let at = expr.at;
        match expr.node {
            Syntax::Null => Ok(Term::new(Type::Null, Node::Null)),
            Syntax::Bool(value) => Ok(Term::bool(Node::Bool(value))),
            Syntax::Int(value) => Ok(Term::int(value)),
            Syntax::Double(value) => Ok(Term::new(Type::Double, Node::Double(value))),
            Syntax::Text(value) => Ok(Term::new(Type::Text, Node::Text(value))),
            Syntax::Path(parts) => self.names.resolve(&parts),
            Syntax::Not(operand) => self.not(*operand, at),
            Syntax::Sign(sign, operand) => self.sign(sign, *operand, at),
            Syntax::Arithmetic(operator, left, right) => {
                self.arithmetic(operator, *left, *right, at)
            }
            Syntax::Concat(left, right) => self.concat(*left, *right, at),
            Syntax::Compare(comparison, left, right) => self.compare(comparison, *left, *right, at),
            Syntax::Like(operand, pattern) => self.like(*operand, *pattern, at),
            Syntax::Between(operands) => self.between(*operands, at),
            Syntax::In {
                operand,
                list,
                negated,
            } => self.contained(*operand, list, negated, at),
            Syntax::Is(operand, truth) => self.is(*operand, truth, at),
            Syntax::Case {
                subject,
                arms,
                otherwise,
            } => self.case(subject, arms, otherwise, at),
            Syntax::Call { name, arguments } => functions::call(&name, self.terms(arguments)?, at),
            Syntax::All(terms) => Ok(Term::bool(Node::All(self.conditions(terms, "AND", at)?))),
            Syntax::Any(terms) => Ok(Term::bool(Node::Any(self.conditions(terms, "OR", at)?))),
        }
    }

    pub(super) fn terms(&mut self, exprs: impl IntoIterator<Item = Expr>) -> Checked<Vec<Term>> {
        exprs.into_iter().map(|expr| self.term(expr)).collect()
    }

    /// Checks an operand of an operator that takes no literal NULL.
    pub(super) fn operand(&mut self, expr: Expr, operator: &str) -> Checked<Term> {
        if matches!(expr.node, Syntax::Null) {
            return Err(Problem::new(
                expr.at,
                format!("Operands of {operator} cannot be literal NULL"),
            ));
        }
        self.term(expr)
    }

    fn conditions(&mut self, exprs: Vec<Expr>, operator: &str, at: usize) -> Checked<Vec<Term>> {
        let terms = self.terms(exprs)?;
        if terms.iter().all(|term| term.ty.fits(Type::Bool)) {
            return Ok(typed(terms, Type::Bool));
        }
        Err(mismatch(
            at,
            operator,
            &terms,
            &format!("BOOL {operator} ([BOOL, ...])"),
        ))
    }

    fn not(&mut self, operand: Expr, at: usize) -> Checked<Term> {
        let operand = self.operand(operand, "NOT")?;
        if operand.ty == Type::Bool {
            Ok(operand.not())
        } else {
            Err(mismatch(at, "NOT", &[operand], "NOT (BOOL)"))
        }
    }

    fn sign(&mut self, sign: Sign, operand: Expr, at: usize) -> Checked<Term> {
        let name = if sign == Sign::Minus { "-" } else { "+" };
        let operand = self.operand(operand, name)?;
        if !operand.ty.is_number() {
            return Err(mismatch(
                at,
                name,
                &[operand],
                &format!("{name}(INT64); {name}(DOUBLE)"),
            ));
        }
        let ty = operand.ty;
        Ok(match (sign, operand.node) {
            (Sign::Plus, node) => Term::new(ty, node),
            (Sign::Minus, Node::Double(value)) => Term::new(ty, Node::Double(-value)),
            (Sign::Minus, node) => Term::new(ty, Node::Negate(Box::new(Term::new(ty, node)))),
        })
    }

    fn arithmetic(
        &mut self,
        operator: Operator,
        left: Expr,
        right: Expr,
        at: usize,
    ) -> Checked<Term> {
        let name = operator.name();
        let (left, right) = (self.operand(left, name)?, self.operand(right, name)?);
        if !(left.ty.is_number() && right.ty.is_number()) {
            let supported = format!("INT64 {name} INT64; DOUBLE {name} DOUBLE");
            return Err(mismatch(at, name, &[left, right], &supported));
        }
        let is_double =
            operator == Operator::Divide || left.ty == Type::Double || right.ty == Type::Double;
        let ty = if is_double { Type::Double } else { Type::Int };
        Ok(Term::new(
            ty,
            Node::Arithmetic(operator, Box::new([left, right])),
        ))
    }

    fn concat(&mut self, left: Expr, right: Expr, at: usize) -> Checked<Term> {
        let terms = self.terms([left, right])?;
        if terms.iter().all(|term| term.ty.fits(Type::Text)) {
            return Ok(Term::new(
                Type::Text,
                Node::Call(Function::Concat, typed(terms, Type::Text)),
            ));
        }
        Err(mismatch(at, "||", &terms, "STRING || STRING"))
    }

    fn like(&mut self, operand: Expr, pattern: Expr, at: usize) -> Checked<Term> {
        let pattern_at = pattern.at;
        let (operand, pattern) = (
            self.operand(operand, "LIKE")?,
            self.operand(pattern, "LIKE")?,
        );
        if operand.ty != Type::Text || pattern.ty != Type::Text {
            return Err(mismatch(
                at,
                "LIKE",
                &[operand, pattern],
                "STRING LIKE STRING",
            ));
        }
        if let Node::Text(text) = &pattern.node {
            let escapes = text.len() - text.trim_end_matches('\\').len();
            if escapes % 2 == 1 {
                return Err(Problem::new(
                    pattern_at,
                    "LIKE pattern ends with a backslash",
                ));
            }
            if text.len() > LONGEST_PATTERN {
                let text = format!("LIKE pattern is longer than {LONGEST_PATTERN} bytes");
                return Err(Problem::new(pattern_at, text));
            }
        }
        Ok(Term::bool(Node::Like(Box::new([operand, pattern]))))
    }

    fn between(&mut self, operands: [Expr; 3], at: usize) -> Checked<Term> {
        let [operand, low, high] = operands;
        let terms = [self.term(operand)?, self.term(low)?, self.term(high)?];
        let Some(common) = common_type(&terms) else {
            return Err(mismatch(
                at,
                "BETWEEN",
                &terms,
                "(ANY) BETWEEN (ANY) AND (ANY)",
            ));
        };
        Ok(Term::bool(Node::Between(Box::new(
            terms.map(|term| term.typed(common)),
        ))))
    }

    fn is(&mut self, operand: Expr, truth: Truth, at: usize) -> Checked<Term> {
        let operand = self.term(operand)?;
        if truth == Truth::Null {
            return Ok(operand.tested_for_null());
        }
        if !operand.ty.fits(Type::Bool) {
            let name = truth.name();
            return Err(mismatch(
                at,
                &format!("IS {name}"),
                &[operand],
                &format!("(BOOL) IS {name}"),
            ));
        }
        Ok(Term::bool(Node::Is(
            Box::new(operand.typed(Type::Bool)),
            truth,
        )))
    }
}

/// Gives literal NULLs among the terms a type.
pub(super) fn typed(terms: Vec<Term>, ty: Type) -> Vec<Term> {
    terms.into_iter().map(|term| term.typed(ty)).collect()
}

pub(super) fn mismatch(at: usize, operator: &str, terms: &[Term], supported: &str) -> Problem {
    let types = type_list(terms);
    let text = format!(
        "No matching signature for operator {operator} for argument types: {types}. \
         Supported signature: {supported}"
    );
    Problem::new(at, text)
}
