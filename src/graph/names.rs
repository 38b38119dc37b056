//! Names that fit into a column, and what stands for texts.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

/// The most characters of a name, a version or an external id.
pub const MAX_NAME_CHARACTERS: usize = 255;

/// The characters of a longer name before its digest: with it, 255.
const KEPT_CHARACTERS: usize = MAX_NAME_CHARACTERS - 65;

/// A name that fits into a column. The end of a longer one is replaced by the digest of all of it.
#[must_use]
pub fn short_name(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.chars().nth(MAX_NAME_CHARACTERS).is_none() {
        return name;
    }
    let mut start: String = name.chars().take(KEPT_CHARACTERS).collect();
    start.push('~');
    start.push_str(&hex_digest(name.as_bytes()));
    Cow::Owned(start)
}

/// The SHA-256 as hexadecimal digits.
pub(in crate::graph) fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// A number that the bytes determine: the first 64 bits of their SHA-256.
pub(in crate::graph) fn number_of(bytes: &[u8]) -> i64 {
    let digest = digest(&SHA256, bytes);
    let half = digest.as_ref().first_chunk();
    half.map_or(0, |half| i64::from_be_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_fit_and_differ() {
        let long = |end: &str| short_name(Cow::Owned("é".repeat(300) + end)).into_owned();
        assert_eq!(long("1").chars().count(), MAX_NAME_CHARACTERS);
        assert_ne!(long("1"), long("2"));
        let fits = "é".repeat(MAX_NAME_CHARACTERS);
        assert_eq!(short_name(Cow::Borrowed(&fits)), fits);
    }
}
