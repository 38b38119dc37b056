//! Pages of experiment tracking: experiments and their runs, registered models and their versions.
//! Their addresses are those that clients of `MLflow` print, behind a `#` that a script takes away.
//!
//! * `experiments`: all of them; `runs`: those of one; `columns`: their parameters and metrics.
//! * `models`: registered models; `model`: one, with its aliases; `version`: a version.

mod columns;
mod experiments;
mod model;
mod models;
mod runs;
mod version;

use crate::error::{Error, Result};

pub(super) use experiments::page as experiments;
pub(super) use model::page as model;
pub(super) use models::page as models;
pub(super) use runs::{page as runs, run};
pub(super) use version::page as version;

/// Entries of a page.
const PAGE_ENTRIES: usize = 50;

/// Where a page begins in a list that is sorted by a number: behind the entries before a number,
/// and behind some with this number. Its text is `NUMBER.COUNT`.
///
/// New entries before it do not move the page.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PageMark<T> {
    number: T,
    seen: i64,
}

impl<T: std::str::FromStr + std::fmt::Display + Copy + PartialEq> PageMark<T> {
    /// The mark that a text in a URL is.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what is none.
    fn parse(text: Option<&str>) -> Result<Option<Self>> {
        let Some(text) = text else {
            return Ok(None);
        };
        let mark = || {
            let (number, seen) = text.rsplit_once('.')?;
            let seen = seen
                .parse()
                .ok()
                .filter(|seen| (0..=MAX_SEEN_ENTRIES).contains(seen))?;
            let number = number.parse().ok()?;
            Some(Self { number, seen })
        };
        let rule = || Error::invalid("after: must be the mark of a link to a next page");
        mark().map(Some).ok_or_else(rule)
    }

    fn text(self) -> String {
        format!("{}.{}", self.number, self.seen)
    }

    /// The mark behind a page with these numbers, that began at `before`. `None` for an empty page.
    fn behind(numbers: &[T], before: Option<Self>) -> Option<Self> {
        let last = *numbers.last()?;
        let same = numbers
            .iter()
            .rev()
            .take_while(|number| **number == last)
            .count();
        let same = i64::try_from(same).unwrap_or(i64::MAX);
        let before = before.filter(|before| before.number == last);
        Some(Self {
            number: last,
            seen: same + before.map_or(0, |before| before.seen),
        })
    }
}

/// The most entries with the same number that marks tell apart.
const MAX_SEEN_ENTRIES: i64 = 100_000;

/// How many entries are asked for: one more than a page has, to know whether there is another.
const ASKED_ENTRIES: i64 = 51;

#[cfg(test)]
mod mark_tests {
    use super::*;

    #[test]
    fn marks_count_what_was_seen_of_their_number() {
        let first = PageMark::behind(&[9, 7, 5, 5], None).unwrap();
        assert_eq!(first, PageMark { number: 5, seen: 2 });
        let second = PageMark::behind(&[5, 5], Some(first)).unwrap();
        assert_eq!(second, PageMark { number: 5, seen: 4 });
        let third = PageMark::behind(&[5, 2], Some(second)).unwrap();
        assert_eq!(third, PageMark { number: 2, seen: 1 });
        assert_eq!(PageMark::<i64>::behind(&[], None), None);
    }

    #[test]
    fn marks_survive_a_url() {
        for number in [0.0, -1.5, 1e300, 5e-324] {
            let mark = PageMark { number, seen: 3 };
            assert_eq!(PageMark::parse(Some(&mark.text())).unwrap(), Some(mark));
        }
        for text in ["", "5", "5.", "x.1", "5.-1", "5.999999999"] {
            assert!(PageMark::<i64>::parse(Some(text)).is_err(), "{text}");
        }
        assert_eq!(PageMark::<i64>::parse(None).unwrap(), None);
    }
}
