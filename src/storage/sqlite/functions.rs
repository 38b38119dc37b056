//! `LIKE`, `INSTR` and `REPLACE` in the place of SQLite's own, which take a time that grows with
//! the product of both texts and cannot be interrupted meanwhile. These take a time that grows with
//! the sum, but for a pattern with `_` behind `%`, and look at the clock.
//!
//! The results are SQLite's: `LIKE` ignores the case of ASCII letters, `_` is one character. The
//! function `exact_like` is `LIKE` where case counts.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memmem::Finder;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};
use smallvec::SmallVec;

use super::Interrupts;

/// Maximum length of a text that `REPLACE` makes, in bytes.
const MAX_REPLACED_BYTES: usize = 64 << 20;

/// Up to this length in bytes, `LIKE` copies a text to the stack to compare it in lower case.
const SHORT_TEXT_BYTES: usize = 256;

/// After how many comparisons of a character a look at the clock is due.
const CLOCK_INTERVAL: usize = 1 << 16;

/// Defines the functions on a connection.
///
/// # Errors
///
/// Those of SQLite.
pub(super) fn define(connection: &Connection, end: &Arc<Interrupts>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let like_end = end.clone();
    connection.create_scalar_function("like", 3, flags, move |context| like(context, &like_end))?;
    let like_end = end.clone();
    connection.create_scalar_function("exact_like", 3, flags, move |context| {
        exact_like(context, &like_end)
    })?;
    connection.create_scalar_function("instr", 2, flags, |context| Ok(instr(context)))?;
    connection.create_scalar_function("replace", 3, flags, replace)
}

/// The text of an argument; `None` for NULL. Numbers are no arguments of filters.
fn text<'a>(context: &'a Context<'_>, index: usize) -> Option<Cow<'a, [u8]>> {
    match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes().into()),
        ValueRef::Real(number) => Some(number.to_string().into_bytes().into()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Some(text.into()),
    }
}

/// `like(pattern, text, escape)`: `text LIKE pattern ESCAPE escape`.
fn like(context: &Context<'_>, end: &Interrupts) -> rusqlite::Result<Option<bool>> {
    matches(context, end, (1, 0), <[u8]>::make_ascii_lowercase)
}

/// `exact_like(text, pattern, escape)`: as `LIKE`, but case counts.
fn exact_like(context: &Context<'_>, end: &Interrupts) -> rusqlite::Result<Option<bool>> {
    matches(context, end, (0, 1), |_| ())
}

/// Whether the text matches the pattern, which are arguments with these indexes, once `fold` has
/// changed both. Callers give a pattern and an escape that are the same for every row, so that a
/// statement parses them once.
fn matches(
    context: &Context<'_>,
    end: &Interrupts,
    (text_index, pattern_index): (usize, usize),
    fold: fn(&mut [u8]),
) -> rusqlite::Result<Option<bool>> {
    let index = i32::try_from(pattern_index).unwrap_or_default();
    let parsed: Option<Arc<Pattern>> = context.get_aux(index)?;
    let pattern = if let Some(pattern) = parsed {
        pattern
    } else {
        let (Some(pattern), Some(escape)) = (text(context, pattern_index), text(context, 2)) else {
            return Ok(None);
        };
        let (mut pattern, mut escape) = (pattern.into_owned(), escape.into_owned());
        fold(&mut pattern);
        fold(&mut escape);
        let escape = escape.first().copied().unwrap_or_default();
        context.set_aux(index, Pattern::parse(&pattern, escape))?
    };
    let Some(text) = text(context, text_index) else {
        return Ok(None);
    };
    let mut folded = SmallVec::<[u8; SHORT_TEXT_BYTES]>::from_slice(&text);
    fold(&mut folded);
    let mut poll = InterruptPoll { end, steps: 0 };
    pattern.matches(&folded, &mut poll).map(Some)
}

/// `instr(text, part)`: the place of the first character of the part, from 1; 0 without it.
fn instr(context: &Context<'_>) -> Option<i64> {
    let (text, part) = (text(context, 0)?, text(context, 1)?);
    let place = Finder::new(&*part).find(&text).map_or(0, |place| {
        let before = &text[..place];
        1 + before
            .iter()
            .filter(|byte| starts_character(**byte))
            .count()
    });
    Some(i64::try_from(place).unwrap_or(i64::MAX))
}

/// `replace(text, from, to)`.
fn replace(context: &Context<'_>) -> rusqlite::Result<Option<String>> {
    let (Some(text), Some(from), Some(to)) = (text(context, 0), text(context, 1), text(context, 2))
    else {
        return Ok(None);
    };
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = 0;
    if !from.is_empty() {
        for place in Finder::new(&*from).find_iter(&text) {
            replaced.extend_from_slice(&text[rest..place]);
            replaced.extend_from_slice(&to);
            rest = place + from.len();
            if replaced.len() > MAX_REPLACED_BYTES {
                return Err(refusal(ffi::SQLITE_TOOBIG));
            }
        }
    }
    replaced.extend_from_slice(&text[rest..]);
    Ok(Some(String::from_utf8_lossy(&replaced).into_owned()))
}

fn refusal(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

const fn starts_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

/// Counts comparisons, and looks at the clock from time to time.
struct InterruptPoll<'a> {
    end: &'a Interrupts,
    steps: usize,
}

impl InterruptPoll<'_> {
    fn step(&mut self, comparisons: usize) -> rusqlite::Result<()> {
        self.steps += comparisons;
        if self.steps < CLOCK_INTERVAL {
            return Ok(());
        }
        self.steps = 0;
        if self.end.has_come() {
            return Err(refusal(ffi::SQLITE_INTERRUPT));
        }
        Ok(())
    }
}

/// A pattern, as the parts between its `%`. The first and the last one are bound to
/// the ends of the text.
struct Pattern {
    parts: Vec<PatternPart>,
}

/// Characters without `%`.
#[derive(Default)]
struct PatternPart {
    characters: Vec<Character>,
    /// The bytes, if no character is `_`.
    finder: Option<Finder<'static>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Character {
    /// A byte of a character.
    Byte(u8),
    /// `_`.
    Any,
}

impl Pattern {
    fn parse(pattern: &[u8], escape: u8) -> Self {
        let mut parts = vec![PatternPart::default()];
        let mut bytes = pattern.iter().copied();
        while let Some(byte) = bytes.next() {
            let character = match byte {
                b'%' => {
                    parts.push(PatternPart::default());
                    continue;
                }
                _ if byte == escape => match bytes.next() {
                    Some(byte) => Character::Byte(byte),
                    // An escape without a character matches nothing: no text has this byte.
                    None => Character::Byte(u8::MAX),
                },
                b'_' => Character::Any,
                byte => Character::Byte(byte),
            };
            if let Some(part) = parts.last_mut() {
                part.characters.push(character);
            }
        }
        for part in &mut parts {
            let bytes = part.characters.iter().map(|character| match character {
                Character::Byte(byte) => Some(*byte),
                Character::Any => None,
            });
            let bytes: Option<Vec<u8>> = bytes.collect();
            part.finder = bytes.map(|bytes| Finder::new(&bytes).into_owned());
        }
        Self { parts }
    }

    /// Whether a text matches.
    fn matches(&self, text: &[u8], poll: &mut InterruptPoll<'_>) -> rusqlite::Result<bool> {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            let whole = self.parts.first().and_then(|part| part.end(text, 0));
            return Ok(whole == Some(text.len()));
        };
        poll.step(text.len())?;
        let (Some(mut from), Some(to)) = (first.end(text, 0), last.start(text)) else {
            return Ok(false);
        };
        for part in middle {
            match part.find(text, from, poll)? {
                Some(end) => from = end,
                None => return Ok(false),
            }
        }
        Ok(from <= to)
    }
}

impl PatternPart {
    /// The end of this part, if it begins at a place of a text.
    fn end(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut place = from;
        for character in &self.characters {
            match character {
                Character::Byte(byte) if text.get(place) == Some(byte) => place += 1,
                Character::Byte(_) => return None,
                Character::Any => {
                    text.get(place)?;
                    place += 1;
                    while text.get(place).is_some_and(|byte| !starts_character(*byte)) {
                        place += 1;
                    }
                }
            }
        }
        Some(place)
    }

    /// The start of this part, if a text ends with it.
    fn start(&self, text: &[u8]) -> Option<usize> {
        let mut place = text.len();
        for character in self.characters.iter().rev() {
            place = place.checked_sub(1)?;
            match character {
                Character::Byte(byte) if text[place] == *byte => {}
                Character::Byte(_) => return None,
                Character::Any => {
                    while place > 0 && !starts_character(text[place]) {
                        place -= 1;
                    }
                }
            }
        }
        Some(place)
    }

    /// The end of the first place where this part is, from a place on.
    fn find(
        &self,
        text: &[u8],
        from: usize,
        poll: &mut InterruptPoll<'_>,
    ) -> rusqlite::Result<Option<usize>> {
        if let Some(finder) = &self.finder {
            let found = finder.find(&text[from..]);
            return Ok(found.map(|place| from + place + self.characters.len()));
        }
        for place in (from..text.len()).filter(|place| starts_character(text[*place])) {
            poll.step(self.characters.len())?;
            if let Some(end) = self.end(text, place) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn end() -> Arc<Interrupts> {
        Arc::new(Interrupts {
            opened: Instant::now(),
            at: AtomicU64::new(u64::MAX),
            late_checks: AtomicU64::new(0),
            work: AtomicU64::new(0),
            stopped: AtomicU64::new(u64::MAX),
        })
    }

    type Answers = (Option<bool>, Option<i64>, Option<String>);

    fn answers(connection: &Connection, texts: [&str; 3]) -> Answers {
        let sql = r"SELECT ?1 LIKE ?2 ESCAPE '\', INSTR(?1, ?2), REPLACE(?1, ?2, ?3)";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        connection.query_row(sql, texts, row).unwrap()
    }

    proptest! {
        #[test]
        fn results_are_those_of_sqlite(
            text in r"[aAb\\%_éÉ日]{0,12}",
            pattern in r"(\\?[aAb%_éÉ日]){0,8}",
            to in "[ab]{0,3}",
        ) {
            let (theirs, ours) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
            define(&ours, &end()).unwrap();
            let texts = [text.as_str(), &pattern, &to];
            prop_assert_eq!(answers(&ours, texts), answers(&theirs, texts));
        }
    }

    #[test]
    fn long_texts_take_a_time_that_grows_with_their_sum() {
        let connection = Connection::open_in_memory().unwrap();
        define(&connection, &end()).unwrap();
        let text = "a".repeat(4_000_000);
        let needle = "a".repeat(60_000) + "b";
        let pattern = format!("%{needle}%c%");
        let like = answers(&connection, [&text, &pattern, "c"]);
        assert_eq!(like.0, Some(false));
        let found = answers(&connection, [&text, &needle, "c"]);
        assert_eq!(
            (found.1, found.2.map(|text| text.len())),
            (Some(0), Some(4_000_000))
        );
        let huge = connection.query_row(
            "SELECT REPLACE(?1, 'a', ?2)",
            [&text, "b".repeat(100).as_str()],
            |row| row.get::<_, String>(0),
        );
        let code = huge.unwrap_err().sqlite_error_code();
        assert_eq!(code, Some(rusqlite::ErrorCode::TooBig));
    }

    #[test]
    fn a_pattern_that_takes_long_is_stopped() {
        let connection = Connection::open_in_memory().unwrap();
        let end = end();
        define(&connection, &end).unwrap();
        end.set(Some(Duration::from_millis(1)), 0);
        let (text, pattern) = ("a".repeat(1_000_000), format!("%{}b%", "a_".repeat(10_000)));
        let sql = r"SELECT ?1 LIKE ?2 ESCAPE '\'";
        let stopped = connection.query_row(sql, [&text, &pattern], |row| row.get::<_, bool>(0));
        let code = stopped.unwrap_err().sqlite_error_code();
        assert_eq!(code, Some(rusqlite::ErrorCode::OperationInterrupted));
        assert_eq!(end.stopped.load(Ordering::Relaxed), u64::MAX);
    }
}
