//! Checks the external ids in a request, and removes duplicates.

use std::collections::HashSet;

use crate::error::{Error, Result};

/// The external ids, each once, in the order of their first appearance.
///
/// # Errors
///
/// `InvalidArgument` when one of them is empty.
pub(in crate::graph) fn distinct(ids: &[String]) -> Result<Vec<&str>> {
    if ids.iter().any(String::is_empty) {
        return Err(Error::invalid(
            "Invalid argument because at least one empty external_id exists.",
        ));
    }
    Ok(distinct_texts(ids))
}

/// The texts, each once, in the order of their first appearance.
pub(in crate::graph) fn distinct_texts(texts: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let texts = texts.iter().map(String::as_str);
    texts.filter(|text| seen.insert(*text)).collect()
}
