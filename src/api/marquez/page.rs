//! Parts of lists.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::error::Error;
use crate::model::OffsetPage;

/// The number of entries of a list without a limit.
const DEFAULT_LIMIT: i64 = 100;

/// The most entries of a list.
const MAX_LIMIT: i64 = 1000;

/// The part of a list that a request asks for.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    #[serde(default, deserialize_with = "integer")]
    pub limit: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    pub offset: Option<i64>,
}

/// A number that is a text in the query of a URL.
pub(super) fn integer<'de, D: Deserializer<'de>>(given: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(given)?;
    let parse = |text: String| text.parse().map_err(D::Error::custom);
    text.map(parse).transpose()
}

impl PageQuery {
    /// # Errors
    ///
    /// `InvalidArgument` for negative numbers.
    pub(super) fn page(&self) -> Result<OffsetPage, Error> {
        let page = OffsetPage {
            limit: self.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
            offset: self.offset.unwrap_or(0),
        };
        if page.limit < 0 || page.offset < 0 {
            return Err(Error::invalid("limit and offset cannot be negative"));
        }
        Ok(page)
    }
}
