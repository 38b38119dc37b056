//! Pages of lists: how many entries, from which place on.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde_json::Value as Json;

use super::fields::Fields;
use super::refusal::MlflowRefusal;
use crate::model::OffsetPage;

/// The most entries of a page of experiments or runs that a request may ask for.
const MAX_RESULTS: i64 = 50_000;

/// The most entries of a page of experiments or runs. What is left comes with the next page.
const MAX_PAGE_ENTRIES: i64 = 5000;

/// The entries of a page of runs whose length is not said.
const DEFAULT_RUNS: i64 = 1000;

/// The entries of a page of registered models whose length is not said, and the most of one.
const DEFAULT_REGISTERED_MODELS: i64 = 100;
const MAX_REGISTERED_MODELS: i64 = 1000;

/// The most versions of a page that a request may ask for.
const MAX_VERSIONS: i64 = 200_000;

/// The entries of a page of models whose length is not said.
const DEFAULT_MODELS: i64 = 50;

/// The page that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedPage {
    limit: i64,
    offset: i64,
}

impl AskedPage {
    /// A page of so many entries, if the request does not say how many.
    ///
    /// # Errors
    ///
    /// A refusal of a number that is not positive, and of a token that is none.
    pub(super) fn of(fields: &Fields, default: i64) -> Result<Self, MlflowRefusal> {
        Self::of_at_least(fields, default, (1, "a positive integer"))
    }

    /// [`Self::of`], with the fewest entries that a request may ask for, and what these are.
    fn of_at_least(
        fields: &Fields,
        default: i64,
        (min, expected): (i64, &str),
    ) -> Result<Self, MlflowRefusal> {
        let limit = fields.int("max_results")?.unwrap_or(default);
        if limit < min {
            return Err(wrong(limit, expected));
        }
        let offset = match fields.text("page_token")? {
            Some(token) if !token.is_empty() => offset_of(token)?,
            _ => 0,
        };
        Ok(Self { limit, offset })
    }

    /// A page of experiments. A request has to say how many it takes.
    ///
    /// # Errors
    ///
    /// As [`Self::of`], and for more than [`MAX_RESULTS`].
    pub(super) fn of_experiments(fields: &Fields) -> Result<Self, MlflowRefusal> {
        let asked = Self::of(fields, 0)?;
        if asked.limit > MAX_RESULTS {
            let most = format!("at most {MAX_RESULTS}");
            return Err(wrong(asked.limit, &most));
        }
        Ok(asked.limited(MAX_PAGE_ENTRIES))
    }

    /// A page of runs.
    ///
    /// # Errors
    ///
    /// As [`Self::of_experiments`].
    pub(super) fn of_runs(fields: &Fields) -> Result<Self, MlflowRefusal> {
        let asked = Self::of(fields, DEFAULT_RUNS)?;
        if asked.limit > MAX_RESULTS {
            return Err(fields.refuse("max_results"));
        }
        Ok(asked.limited(MAX_PAGE_ENTRIES))
    }

    /// A page of models.
    ///
    /// # Errors
    ///
    /// As [`Self::of`].
    pub(super) fn of_models(fields: &Fields) -> Result<Self, MlflowRefusal> {
        Ok(Self::of(fields, DEFAULT_MODELS)?.limited(MAX_PAGE_ENTRIES))
    }

    /// A page of registered models.
    ///
    /// # Errors
    ///
    /// As [`Self::of`], but for 0, and for more than [`MAX_REGISTERED_MODELS`].
    pub(super) fn of_registered_models(fields: &Fields) -> Result<Self, MlflowRefusal> {
        Self::at_most(fields, DEFAULT_REGISTERED_MODELS, MAX_REGISTERED_MODELS)
    }

    /// A page of versions.
    ///
    /// # Errors
    ///
    /// As [`Self::of`], but for 0, and for more than [`MAX_VERSIONS`].
    pub(super) fn of_versions(fields: &Fields) -> Result<Self, MlflowRefusal> {
        Ok(Self::at_most(fields, MAX_VERSIONS, MAX_VERSIONS)?.limited(MAX_PAGE_ENTRIES))
    }

    fn at_most(fields: &Fields, default: i64, max: i64) -> Result<Self, MlflowRefusal> {
        let asked = Self::of_at_least(fields, default, (0, "a non-negative integer"))?;
        if asked.limit > max {
            return Err(fields.refuse("max_results"));
        }
        Ok(asked)
    }

    /// The page, or the beginning of it with so many entries.
    pub(super) fn limited(self, max: i64) -> Self {
        Self {
            limit: self.limit.min(max),
            ..self
        }
    }

    /// How many entries the page has at most.
    pub(super) const fn entries(self) -> i64 {
        self.limit
    }

    /// The page with one more entry. There is another page if that entry is found.
    pub(super) const fn with_next(self) -> OffsetPage {
        OffsetPage {
            limit: self.limit + 1,
            offset: self.offset,
        }
    }

    /// Takes the entry of the next page away, and returns the token of that page, if there is one.
    pub(super) fn next<T>(self, found: &mut Vec<T>) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if found.len() <= limit {
            return None;
        }
        found.truncate(limit);
        Some(token_of(self.offset + self.limit))
    }
}

fn wrong(limit: i64, expected: &str) -> MlflowRefusal {
    MlflowRefusal::invalid(format!(
        "Invalid value {limit} for parameter 'max_results' supplied. It must be {expected}"
    ))
}

/// The token of the page that begins after so many entries.
fn token_of(offset: i64) -> String {
    STANDARD.encode(format!("{{\"offset\": {offset}}}"))
}

fn offset_of(token: &str) -> Result<i64, MlflowRefusal> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits: Vec<u8> = token.bytes().filter(is_digit).collect();
    let decoded = LENIENT.decode(digits).unwrap_or_default();
    let offset = serde_json::from_slice::<Json>(&decoded);
    let offset = offset.ok().and_then(|token| token["offset"].as_i64());
    offset.filter(|offset| *offset >= 0).ok_or_else(|| {
        let shown = decoded.escape_ascii();
        MlflowRefusal::invalid(format!("Invalid page token, decoded value=b'{shown}'"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive() {
        for offset in [0, 2, i64::MAX] {
            assert_eq!(offset_of(&token_of(offset)).unwrap(), offset);
        }
        for wrong in ["###", "!!!", "YWJj", &STANDARD.encode("{\"offset\": -1}")] {
            assert!(offset_of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(token_of(2), "eyJvZmZzZXQiOiAyfQ==");
    }
}
