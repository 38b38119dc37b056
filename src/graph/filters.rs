//! Filter texts of clients.

use crate::error::{Error, Result};
use crate::filter::{self, Filter};
use crate::model::Kind;
use crate::storage::{Database, LongReadPermit};

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

/// A permit for a read with a filter that may take long. Such reads leave half of the connections
/// to others.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn permit_for(
    database: &Database,
    filter: Option<&Filter>,
) -> Result<Option<LongReadPermit>> {
    Ok(if filter.is_some_and(Filter::is_costly) {
        Some(database.long_read_permit().await?)
    } else {
        None
    })
}
