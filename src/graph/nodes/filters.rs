//! Filter texts of clients.

use crate::error::{Error, Result};
use crate::filter::{self, Filter};
use crate::model::Kind;

/// The filter that a text means; `None` for an unset or empty text.
///
/// # Errors
///
/// `InvalidArgument` for a malformed text.
pub(in crate::graph) fn parse_filter(kind: Kind, text: Option<&str>) -> Result<Option<Filter>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    filter::parse(kind, text)
        .map(Some)
        .map_err(|error| Error::InvalidArgument(error.to_string()))
}
