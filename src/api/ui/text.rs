//! Times, numbers and texts of users, as pages show them.

use crate::picture::glyph::is_control;
use crate::utc::utc_text;

/// The most letters of a text in a table.
const MAX_CELL_LETTERS: usize = 160;

/// A time in milliseconds since epoch, to the second; empty for none.
pub(super) fn time(milliseconds: i64) -> String {
    if milliseconds <= 0 {
        return String::new();
    }
    let text = utc_text(milliseconds);
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", rest.get(..8).unwrap_or_default())
}

/// A number with commas between its thousands.
pub(super) fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, as `1 node` or `2 nodes`.
pub(super) fn count(things: usize, noun: &str) -> String {
    let shown = number(i64::try_from(things).unwrap_or(i64::MAX));
    let end = if things == 1 { "" } else { "s" };
    format!("{shown} {noun}{end}")
}

/// A duration in milliseconds, by its two largest units; empty for a negative one.
pub(super) fn duration(milliseconds: i64) -> String {
    if milliseconds < 0 {
        return String::new();
    }
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A text of a user in which marks of direction and control characters are visible. Ends of lines
/// stay.
pub(super) fn visible(text: &str) -> String {
    let shown = |letter| match letter {
        '\n' | '\t' => letter,
        letter if is_control(letter) => '\u{fffd}',
        letter => letter,
    };
    text.chars().map(shown).collect()
}

/// A text of a user for a cell or a title: one line, with its middle cut if it is long.
pub(super) fn cell(text: &str) -> String {
    let letters = text.chars().count();
    let shown = |letter: char| {
        if is_control(letter) {
            '\u{fffd}'
        } else {
            letter
        }
    };
    if letters <= MAX_CELL_LETTERS {
        return text.chars().map(shown).collect();
    }
    let (head, tail) = (MAX_CELL_LETTERS / 2, MAX_CELL_LETTERS / 2 - 1);
    let first = text.chars().take(head);
    let last = text.chars().skip(letters - tail);
    let cut = first.chain(std::iter::once('…')).chain(last);
    cut.map(shown).collect()
}

/// A name for a link or a title, which has words where the name is blank.
pub(super) fn name(name: &str) -> String {
    if name.trim().is_empty() {
        "(no name)".to_owned()
    } else {
        cell(name)
    }
}

/// A text as a cell of CSV: in quotes, and no formula of a spreadsheet.
pub(super) fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod shown_tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!(number(0), "0");
        assert_eq!(number(-1_234_567), "-1,234,567");
        assert_eq!(count(1, "node"), "1 node");
        assert_eq!(count(1000, "node"), "1,000 nodes");
        assert_eq!(time(1_764_108_838_123), "2025-11-25 22:13:58 UTC");
        assert_eq!(time(0), "");
        assert_eq!(duration(400_000), "6 min 40 s");
        assert_eq!(duration(-5), "");
        assert_eq!(duration(i64::MAX), "106751991167 d 7 h");
    }

    #[test]
    fn long_texts_are_cut_and_marks_are_visible() {
        let cut = cell(&"x".repeat(10_000));
        assert_eq!(cut.chars().count(), MAX_CELL_LETTERS);
        assert_eq!(cell("a\u{202e}b\n"), "a\u{fffd}b\u{fffd}");
        assert_eq!(visible("a\u{202e}b\n"), "a\u{fffd}b\n");
        assert_eq!(name(" a "), " a ");
        assert_eq!(name(" \u{a0}"), "(no name)");
    }

    #[test]
    fn cells_are_no_formulas() {
        assert_eq!(csv_cell("=1+1"), "\"'=1+1\"");
        assert_eq!(csv_cell("say \"no\""), "\"say \"\"no\"\"\"");
    }
}
