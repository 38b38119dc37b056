//! The functions that a query can call, with their signatures.

use super::types::Type;

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

/// The parameters of a function, with the type of its result.
enum Parameters {
    /// Parameters of these types.
    Fixed {
        types: &'static [Type],
        /// How many of them a call must give. The rest are optional.
        required: usize,
        result: Type,
    },
    /// One or more strings. The result is a string.
    Strings,
    /// One number. The result has its type.
    Number,
    /// Between `min` and `max` values that have a common type, which the result has too.
    Common { min: usize, max: usize },
    /// One or more values of a common type that has an order. The result has it too.
    Ordered,
}

/// A name of a function and the arguments that it accepts.
pub(super) struct FunctionSignature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    parameters: Parameters,
    /// The accepted signatures, for error messages. Starts in the middle of a sentence, behind the
    /// word "signature".
    pub(super) supported: &'static str,
}

/// The types that a call gives to its arguments and its result.
pub(super) struct CallTypes {
    pub(super) arguments: Vec<Type>,
    pub(super) result: Type,
}

const fn signature(
    name: &'static str,
    function: Function,
    parameters: Parameters,
    supported: &'static str,
) -> FunctionSignature {
    FunctionSignature {
        name,
        function,
        parameters,
        supported,
    }
}

const fn fixed(types: &'static [Type], required: usize, result: Type) -> Parameters {
    Parameters::Fixed {
        types,
        required,
        result,
    }
}

const TEXT: Type = Type::Text;
const INT: Type = Type::Int;
const BOOL: Type = Type::Bool;

/// Every function, in alphabetical order.
pub(super) const FUNCTION_SIGNATURES: [FunctionSignature; 17] = [
    signature(
        "ABS",
        Function::Abs,
        Parameters::Number,
        "s: ABS(INT64); ABS(DOUBLE)",
    ),
    signature(
        "COALESCE",
        Function::Coalesce,
        Parameters::Common {
            min: 1,
            max: usize::MAX,
        },
        ": COALESCE([ANY, ...])",
    ),
    signature(
        "CONCAT",
        Function::Concat,
        Parameters::Strings,
        ": CONCAT(STRING, [STRING, ...])",
    ),
    signature(
        "ENDS_WITH",
        Function::EndsWith,
        fixed(&[TEXT; 2], 2, BOOL),
        ": ENDS_WITH(STRING, STRING)",
    ),
    signature(
        "GREATEST",
        Function::Greatest,
        Parameters::Ordered,
        ": GREATEST([ANY, ...])",
    ),
    signature(
        "IFNULL",
        Function::Coalesce,
        Parameters::Common { min: 2, max: 2 },
        ": IFNULL(ANY, ANY)",
    ),
    signature(
        "LEAST",
        Function::Least,
        Parameters::Ordered,
        ": LEAST([ANY, ...])",
    ),
    signature(
        "LENGTH",
        Function::Length,
        fixed(&[TEXT], 1, INT),
        ": LENGTH(STRING)",
    ),
    signature(
        "LOWER",
        Function::Lower,
        fixed(&[TEXT], 1, TEXT),
        ": LOWER(STRING)",
    ),
    signature(
        "MOD",
        Function::Mod,
        fixed(&[INT; 2], 2, INT),
        ": MOD(INT64, INT64)",
    ),
    signature(
        "NULLIF",
        Function::NullIf,
        Parameters::Common { min: 2, max: 2 },
        ": NULLIF(ANY, ANY)",
    ),
    signature(
        "REPLACE",
        Function::Replace,
        fixed(&[TEXT; 3], 3, TEXT),
        ": REPLACE(STRING, STRING, STRING)",
    ),
    signature(
        "STARTS_WITH",
        Function::StartsWith,
        fixed(&[TEXT; 2], 2, BOOL),
        ": STARTS_WITH(STRING, STRING)",
    ),
    signature(
        "STRPOS",
        Function::StrPos,
        fixed(&[TEXT; 2], 2, INT),
        ": STRPOS(STRING, STRING)",
    ),
    signature(
        "SUBSTR",
        Function::Substr,
        fixed(&[TEXT, INT, INT], 2, TEXT),
        ": SUBSTR(STRING, INT64, [INT64])",
    ),
    signature(
        "TRIM",
        Function::Trim,
        fixed(&[TEXT], 1, TEXT),
        ": TRIM(STRING)",
    ),
    signature(
        "UPPER",
        Function::Upper,
        fixed(&[TEXT], 1, TEXT),
        ": UPPER(STRING)",
    ),
];

impl FunctionSignature {
    /// The signature of the function with this name, in any case.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        FUNCTION_SIGNATURES
            .iter()
            .find(|signature| name.eq_ignore_ascii_case(signature.name))
    }

    /// The types of a call with arguments of these types; `None` if the function does not accept
    /// them.
    pub(super) fn accept(&self, arguments: &[Type]) -> Option<CallTypes> {
        let count = arguments.len();
        let all_alike = |ty: Type, result: Type| CallTypes {
            arguments: vec![ty; count],
            result,
        };
        match self.parameters {
            Parameters::Fixed {
                types,
                required,
                result,
            } => {
                let accepted = (required..=types.len()).contains(&count)
                    && arguments
                        .iter()
                        .zip(types)
                        .all(|(ty, parameter)| ty.fits(*parameter));
                accepted.then(|| CallTypes {
                    arguments: types.to_vec(),
                    result,
                })
            }
            Parameters::Strings => {
                let accepted = count > 0 && arguments.iter().all(|ty| ty.fits(TEXT));
                accepted.then(|| all_alike(TEXT, TEXT))
            }
            Parameters::Number => match *arguments {
                [ty] if ty.is_number() => Some(all_alike(ty.or_int(), ty.or_int())),
                _ => None,
            },
            Parameters::Common { min, max } => {
                let common = Type::common(arguments)?.or_int();
                (min..=max)
                    .contains(&count)
                    .then(|| all_alike(common, common))
            }
            Parameters::Ordered => {
                let common = Type::common(arguments)?.or_int();
                (count > 0 && common != BOOL).then(|| all_alike(common, common))
            }
        }
    }
}
