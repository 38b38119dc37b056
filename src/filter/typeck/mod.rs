//! Type checker: syntax tree to typed expression, by the rules of GoogleSQL. Resolves names and
//! collects joins on the way.

mod calls;
mod case;
mod enums;

use crate::filter::ast::{ArithmeticOp, AstKind, AstNode, IsTest, Sign};
use crate::filter::error::Diagnostic;
use crate::filter::expr::{Expr, ExprKind, Join, common_type, type_list};
use crate::filter::functions::Function;
use crate::filter::limits::MAX_LIKE_PATTERN_BYTES;
use crate::filter::resolve::Resolver;
use crate::filter::types::Type;
use crate::model::Kind;

/// Checks a whole query, whose type must be BOOL. `text` is its source, for messages.
pub(super) fn check(
    kind: Kind,
    query: AstNode,
    text: &str,
) -> Result<(Vec<Join>, Expr), Diagnostic> {
    let mut checker = TypeChecker {
        resolver: Resolver::new(kind),
    };
    let condition = checker.check(query)?;
    if condition.ty == Type::Bool {
        return Ok((checker.resolver.into_joins(), condition));
    }
    Err(Diagnostic::overall(format!(
        "Given query string is not a valid boolean expression: {text}"
    )))
}

pub(super) struct TypeChecker {
    pub(super) resolver: Resolver,
}

impl TypeChecker {
    pub(super) fn check(&mut self, ast: AstNode) -> Result<Expr, Diagnostic> {
        let offset = ast.offset;
        match ast.kind {
            AstKind::Null => Ok(Expr::new(Type::Null, ExprKind::Null)),
            AstKind::Bool(value) => Ok(Expr::bool(ExprKind::Bool(value))),
            AstKind::Int(value) => Ok(Expr::int(value)),
            AstKind::Double(value) => Ok(Expr::new(Type::Double, ExprKind::Double(value))),
            AstKind::Text(value) => Ok(Expr::new(Type::Text, ExprKind::Text(value))),
            AstKind::Path(parts) => self.resolver.resolve(&parts),
            AstKind::Not(operand) => self.not(*operand, offset),
            AstKind::Sign(sign, operand) => self.sign(sign, *operand, offset),
            AstKind::Arithmetic(operator, left, right) => {
                self.arithmetic(operator, *left, *right, offset)
            }
            AstKind::Concat(left, right) => self.concat(*left, *right, offset),
            AstKind::Compare(comparison, left, right) => {
                self.compare(comparison, *left, *right, offset)
            }
            AstKind::Like(operand, pattern) => self.like(*operand, *pattern, offset),
            AstKind::Between(operands) => self.between(*operands, offset),
            AstKind::In {
                operand,
                list,
                negated,
            } => self.contained(*operand, list, negated, offset),
            AstKind::Is(operand, truth) => self.is(*operand, truth, offset),
            AstKind::Case {
                subject,
                arms,
                otherwise,
            } => self.case(subject, arms, otherwise, offset),
            AstKind::Call { name, arguments } => self.call(&name, arguments, offset),
            AstKind::And(exprs) => Ok(Expr::bool(ExprKind::And(
                self.conditions(exprs, "AND", offset)?,
            ))),
            AstKind::Or(exprs) => Ok(Expr::bool(ExprKind::Or(
                self.conditions(exprs, "OR", offset)?,
            ))),
        }
    }

    pub(super) fn check_all(
        &mut self,
        asts: impl IntoIterator<Item = AstNode>,
    ) -> Result<Vec<Expr>, Diagnostic> {
        asts.into_iter().map(|ast| self.check(ast)).collect()
    }

    /// Checks an operand of an operator that refuses a literal NULL.
    pub(super) fn operand(&mut self, ast: AstNode, operator: &str) -> Result<Expr, Diagnostic> {
        if matches!(ast.kind, AstKind::Null) {
            return Err(Diagnostic::new(
                ast.offset,
                format!("Operands of {operator} cannot be literal NULL"),
            ));
        }
        self.check(ast)
    }

    fn conditions(
        &mut self,
        asts: Vec<AstNode>,
        operator: &str,
        offset: usize,
    ) -> Result<Vec<Expr>, Diagnostic> {
        let exprs = self.check_all(asts)?;
        if exprs.iter().all(|expr| expr.ty.fits(Type::Bool)) {
            return Ok(typed(exprs, Type::Bool));
        }
        Err(mismatch(
            offset,
            operator,
            &exprs,
            &format!("BOOL {operator} ([BOOL, ...])"),
        ))
    }

    fn not(&mut self, operand: AstNode, offset: usize) -> Result<Expr, Diagnostic> {
        let operand = self.operand(operand, "NOT")?;
        if operand.ty == Type::Bool {
            Ok(operand.not())
        } else {
            Err(mismatch(offset, "NOT", &[operand], "NOT (BOOL)"))
        }
    }

    fn sign(&mut self, sign: Sign, operand: AstNode, offset: usize) -> Result<Expr, Diagnostic> {
        let name = if sign == Sign::Minus { "-" } else { "+" };
        let operand = self.operand(operand, name)?;
        if !operand.ty.is_number() {
            return Err(mismatch(
                offset,
                name,
                &[operand],
                &format!("{name}(INT64); {name}(DOUBLE)"),
            ));
        }
        let ty = operand.ty;
        Ok(match (sign, operand.kind) {
            (Sign::Plus, kind) => Expr::new(ty, kind),
            (Sign::Minus, ExprKind::Double(value)) => Expr::new(ty, ExprKind::Double(-value)),
            (Sign::Minus, kind) => Expr::new(ty, ExprKind::Negate(Box::new(Expr::new(ty, kind)))),
        })
    }

    fn arithmetic(
        &mut self,
        operator: ArithmeticOp,
        left: AstNode,
        right: AstNode,
        offset: usize,
    ) -> Result<Expr, Diagnostic> {
        let name = operator.name();
        let (left, right) = (self.operand(left, name)?, self.operand(right, name)?);
        if !(left.ty.is_number() && right.ty.is_number()) {
            let supported = format!("INT64 {name} INT64; DOUBLE {name} DOUBLE");
            return Err(mismatch(offset, name, &[left, right], &supported));
        }
        let is_double =
            operator == ArithmeticOp::Divide || left.ty == Type::Double || right.ty == Type::Double;
        let ty = if is_double { Type::Double } else { Type::Int };
        Ok(Expr::new(
            ty,
            ExprKind::Arithmetic(operator, Box::new([left, right])),
        ))
    }

    fn concat(&mut self, left: AstNode, right: AstNode, offset: usize) -> Result<Expr, Diagnostic> {
        let exprs = self.check_all([left, right])?;
        if exprs.iter().all(|expr| expr.ty.fits(Type::Text)) {
            return Ok(Expr::new(
                Type::Text,
                ExprKind::Call(Function::Concat, typed(exprs, Type::Text)),
            ));
        }
        Err(mismatch(offset, "||", &exprs, "STRING || STRING"))
    }

    fn like(
        &mut self,
        operand: AstNode,
        pattern: AstNode,
        offset: usize,
    ) -> Result<Expr, Diagnostic> {
        let pattern_offset = pattern.offset;
        let (operand, pattern) = (
            self.operand(operand, "LIKE")?,
            self.operand(pattern, "LIKE")?,
        );
        if operand.ty != Type::Text || pattern.ty != Type::Text {
            return Err(mismatch(
                offset,
                "LIKE",
                &[operand, pattern],
                "STRING LIKE STRING",
            ));
        }
        if let ExprKind::Text(text) = &pattern.kind {
            let escapes = text.len() - text.trim_end_matches('\\').len();
            if escapes % 2 == 1 {
                return Err(Diagnostic::new(
                    pattern_offset,
                    "LIKE pattern ends with a backslash",
                ));
            }
            if text.len() > MAX_LIKE_PATTERN_BYTES {
                let text = format!("LIKE pattern is longer than {MAX_LIKE_PATTERN_BYTES} bytes");
                return Err(Diagnostic::new(pattern_offset, text));
            }
        }
        Ok(Expr::bool(ExprKind::Like(Box::new([operand, pattern]))))
    }

    fn between(&mut self, operands: [AstNode; 3], offset: usize) -> Result<Expr, Diagnostic> {
        let [operand, low, high] = operands;
        let exprs = [self.check(operand)?, self.check(low)?, self.check(high)?];
        let Some(common) = common_type(&exprs) else {
            return Err(mismatch(
                offset,
                "BETWEEN",
                &exprs,
                "(ANY) BETWEEN (ANY) AND (ANY)",
            ));
        };
        Ok(Expr::bool(ExprKind::Between(Box::new(
            exprs.map(|expr| expr.typed(common)),
        ))))
    }

    fn is(&mut self, operand: AstNode, truth: IsTest, offset: usize) -> Result<Expr, Diagnostic> {
        let operand = self.check(operand)?;
        if truth == IsTest::Null {
            return Ok(operand.tested_for_null());
        }
        if !operand.ty.fits(Type::Bool) {
            let name = truth.name();
            return Err(mismatch(
                offset,
                &format!("IS {name}"),
                &[operand],
                &format!("(BOOL) IS {name}"),
            ));
        }
        Ok(Expr::bool(ExprKind::Is(
            Box::new(operand.typed(Type::Bool)),
            truth,
        )))
    }
}

/// Gives literal NULLs among the expressions a type.
pub(super) fn typed(exprs: Vec<Expr>, ty: Type) -> Vec<Expr> {
    exprs.into_iter().map(|expr| expr.typed(ty)).collect()
}

pub(super) fn mismatch(
    offset: usize,
    operator: &str,
    exprs: &[Expr],
    supported: &str,
) -> Diagnostic {
    let types = type_list(exprs);
    let text = format!(
        "No matching signature for operator {operator} for argument types: {types}. \
         Supported signature: {supported}"
    );
    Diagnostic::new(offset, text)
}
