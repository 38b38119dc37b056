//! The functions a query can call, and the arguments they take.

use super::invalid::{Checked, Problem};
use super::term::{Node, Term, Type, common_type, type_list};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Coalesce,
    Concat,
    EndsWith,
    Greatest,
    Least,
    Length,
    Lower,
    Mod,
    NullIf,
    Replace,
    StartsWith,
    StrPos,
    Substr,
    Trim,
    Upper,
}

/// What a function takes and gives.
enum Shape {
    /// These types, of which the first so many are required.
    Fixed(&'static [Type], usize, Type),
    /// One or more strings.
    Texts,
    /// One number, which keeps its type.
    Number,
    /// That many values of one type, which is also the result's.
    Same(usize, usize),
    /// One or more values that have an order.
    Ordered,
}

struct Signature {
    name: &'static str,
    function: Function,
    shape: Shape,
    /// For messages.
    text: &'static str,
}

const fn signature(
    name: &'static str,
    function: Function,
    shape: Shape,
    text: &'static str,
) -> Signature {
    Signature {
        name,
        function,
        shape,
        text,
    }
}

const TEXT: Type = Type::Text;
const INT: Type = Type::Int;
const BOOL: Type = Type::Bool;

const SIGNATURES: [Signature; 17] = [
    signature(
        "ABS",
        Function::Abs,
        Shape::Number,
        "s: ABS(INT64); ABS(DOUBLE)",
    ),
    signature(
        "COALESCE",
        Function::Coalesce,
        Shape::Same(1, usize::MAX),
        ": COALESCE([ANY, ...])",
    ),
    signature(
        "CONCAT",
        Function::Concat,
        Shape::Texts,
        ": CONCAT(STRING, [STRING, ...])",
    ),
    signature(
        "ENDS_WITH",
        Function::EndsWith,
        Shape::Fixed(&[TEXT; 2], 2, BOOL),
        ": ENDS_WITH(STRING, STRING)",
    ),
    signature(
        "GREATEST",
        Function::Greatest,
        Shape::Ordered,
        ": GREATEST([ANY, ...])",
    ),
    signature(
        "IFNULL",
        Function::Coalesce,
        Shape::Same(2, 2),
        ": IFNULL(ANY, ANY)",
    ),
    signature(
        "LEAST",
        Function::Least,
        Shape::Ordered,
        ": LEAST([ANY, ...])",
    ),
    signature(
        "LENGTH",
        Function::Length,
        Shape::Fixed(&[TEXT], 1, INT),
        ": LENGTH(STRING)",
    ),
    signature(
        "LOWER",
        Function::Lower,
        Shape::Fixed(&[TEXT], 1, TEXT),
        ": LOWER(STRING)",
    ),
    signature(
        "MOD",
        Function::Mod,
        Shape::Fixed(&[INT; 2], 2, INT),
        ": MOD(INT64, INT64)",
    ),
    signature(
        "NULLIF",
        Function::NullIf,
        Shape::Same(2, 2),
        ": NULLIF(ANY, ANY)",
    ),
    signature(
        "REPLACE",
        Function::Replace,
        Shape::Fixed(&[TEXT; 3], 3, TEXT),
        ": REPLACE(STRING, STRING, STRING)",
    ),
    signature(
        "STARTS_WITH",
        Function::StartsWith,
        Shape::Fixed(&[TEXT; 2], 2, BOOL),
        ": STARTS_WITH(STRING, STRING)",
    ),
    signature(
        "STRPOS",
        Function::StrPos,
        Shape::Fixed(&[TEXT; 2], 2, INT),
        ": STRPOS(STRING, STRING)",
    ),
    signature(
        "SUBSTR",
        Function::Substr,
        Shape::Fixed(&[TEXT, INT, INT], 2, TEXT),
        ": SUBSTR(STRING, INT64, [INT64])",
    ),
    signature(
        "TRIM",
        Function::Trim,
        Shape::Fixed(&[TEXT], 1, TEXT),
        ": TRIM(STRING)",
    ),
    signature(
        "UPPER",
        Function::Upper,
        Shape::Fixed(&[TEXT], 1, TEXT),
        ": UPPER(STRING)",
    ),
];

/// Checks a call whose arguments have been checked. `at` is where the function's name is.
pub(super) fn call(name: &str, arguments: Vec<Term>, at: usize) -> Checked<Term> {
    let Some(signature) = SIGNATURES
        .iter()
        .find(|signature| name.eq_ignore_ascii_case(signature.name))
    else {
        return Err(Problem::new(at, format!("Function not found: {name}")));
    };
    let Some((wanted, result)) = signature.shape.types(&arguments) else {
        let (name, text) = (signature.name, signature.text);
        let types = match type_list(&arguments) {
            none if none.is_empty() => "with no arguments".to_owned(),
            types => format!("for argument types: {types}"),
        };
        let text =
            format!("No matching signature for function {name} {types}. Supported signature{text}");
        return Err(Problem::new(at, text));
    };
    let arguments: Vec<_> = arguments
        .into_iter()
        .zip(wanted)
        .map(|(term, ty)| term.typed(ty))
        .collect();
    if let (Function::Substr, Some(Node::Int(..0))) =
        (signature.function, arguments.get(2).map(|term| &term.node))
    {
        return Err(Problem::new(
            at,
            "Third argument in SUBSTR() cannot be negative",
        ));
    }
    Ok(Term::new(result, Node::Call(signature.function, arguments)))
}

impl Shape {
    /// The types to give to the arguments, and the type of the result; none when the arguments do
    /// not match.
    fn types(&self, arguments: &[Term]) -> Option<(Vec<Type>, Type)> {
        let count = arguments.len();
        let all = |wanted: Type| arguments.iter().all(|term| term.ty.fits(wanted));
        match *self {
            Self::Fixed(types, required, result) => {
                let matches = (required..=types.len()).contains(&count)
                    && arguments
                        .iter()
                        .zip(types)
                        .all(|(term, wanted)| term.ty.fits(*wanted));
                matches.then(|| (types.to_vec(), result))
            }
            Self::Texts => (count > 0 && all(TEXT)).then(|| (vec![TEXT; count], TEXT)),
            Self::Number => {
                let [argument] = arguments else { return None };
                argument
                    .ty
                    .is_number()
                    .then(|| (vec![argument.ty.or_int()], argument.ty.or_int()))
            }
            Self::Same(least, most) => {
                let common = common_type(arguments)?.or_int();
                (least..=most)
                    .contains(&count)
                    .then(|| (vec![common; count], common))
            }
            Self::Ordered => {
                let common = common_type(arguments)?.or_int();
                (count > 0 && common != BOOL).then(|| (vec![common; count], common))
            }
        }
    }
}
