//! Type rules of function calls.

use super::TypeChecker;
use crate::filter::ast::AstNode;
use crate::filter::error::Diagnostic;
use crate::filter::expr::{Expr, ExprKind, type_list};
use crate::filter::functions::{Function, FunctionSignature};
use crate::filter::types::Type;

impl TypeChecker {
    /// Checks a call. `offset` is the place of the function's name.
    pub(super) fn call(
        &mut self,
        name: &str,
        arguments: Vec<AstNode>,
        offset: usize,
    ) -> Result<Expr, Diagnostic> {
        let arguments = self.check_all(arguments)?;
        let Some(signature) = FunctionSignature::find(name) else {
            return Err(Diagnostic::new(
                offset,
                format!("Function not found: {name}"),
            ));
        };
        let types: Vec<Type> = arguments.iter().map(|argument| argument.ty).collect();
        let Some(call) = signature.accept(&types) else {
            return Err(no_match(signature, &arguments, offset));
        };
        let arguments: Vec<_> = arguments
            .into_iter()
            .zip(call.arguments)
            .map(|(argument, ty)| argument.typed(ty))
            .collect();
        if let (Function::Substr, Some(ExprKind::Int(..0))) = (
            signature.function,
            arguments.get(2).map(|argument| &argument.kind),
        ) {
            return Err(Diagnostic::new(
                offset,
                "Third argument in SUBSTR() cannot be negative",
            ));
        }
        Ok(Expr::new(
            call.result,
            ExprKind::Call(signature.function, arguments),
        ))
    }
}

fn no_match(signature: &FunctionSignature, arguments: &[Expr], offset: usize) -> Diagnostic {
    let (name, supported) = (signature.name, signature.supported);
    let types = match type_list(arguments) {
        none if none.is_empty() => "with no arguments".to_owned(),
        types => format!("for argument types: {types}"),
    };
    let text = format!(
        "No matching signature for function {name} {types}. Supported signature{supported}"
    );
    Diagnostic::new(offset, text)
}
