//! How a column was made from another one.

/// How a column was made from another one. Texts that are not known are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transformation {
    /// `DIRECT`, `INDIRECT`, or what else a producer says.
    pub kind: String,
    pub subtype: String,
    pub description: String,
    /// Whether the values cannot be recognized any more.
    pub is_masking: bool,
}
