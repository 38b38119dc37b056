//! Texts in a picture: how wide they are at most, and how they are cut. The widths are those of
//! `DejaVu Sans`, the widest of the usual system fonts.

use std::borrow::Cow;

use uuid::Uuid;

/// The widths of the letters from U+0020 to U+007E, in thousandths of the font size.
const ASCII_WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];

/// How much wider bold letters are.
const BOLD_FACTOR: f64 = 1.13;

/// The width of other letters of alphabets, and that of ideographs, in font sizes.
const LETTER_WIDTH: f64 = 0.7;
const IDEOGRAPH_WIDTH: f64 = 1.05;

/// Where scripts with wide letters begin.
const FIRST_WIDE_LETTER: char = '\u{1100}';

/// How a text is written.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    /// Pixels.
    pub font_size: f64,
    pub is_bold: bool,
}

impl Pen {
    fn letter_width(self, letter: char) -> f64 {
        let ascii = u32::from(letter).checked_sub(0x20);
        let ascii = ascii.and_then(|place| ASCII_WIDTHS.get(usize::try_from(place).ok()?));
        let width = match ascii {
            Some(thousandths) => f64::from(*thousandths) / 1000.0,
            None if letter < FIRST_WIDE_LETTER => LETTER_WIDTH,
            None => IDEOGRAPH_WIDTH,
        };
        let factor = if self.is_bold { BOLD_FACTOR } else { 1.0 };
        width * factor * self.font_size
    }

    /// The greatest width of a text, in pixels.
    #[must_use]
    pub fn width(self, text: &str) -> f64 {
        text.chars().map(|letter| self.letter_width(letter)).sum()
    }

    /// The text, or its beginning and its end if it is wider than that: names differ at their ends.
    #[must_use]
    pub fn cut_middle(self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let room = width - self.letter_width('…');
        let (start, end) = (room * 0.55, room * 0.45);
        let tail = self.count_that_fits(text.chars().rev(), end);
        let head = self.count_that_fits(text.chars(), start);
        let letters = text.chars().count();
        let first: String = text.chars().take(head).collect();
        let last: String = text.chars().skip(letters.saturating_sub(tail)).collect();
        format!("{}…{}", first.trim_end(), last.trim_start())
    }

    /// The text, or its last parts if it is wider than that: parts begin with `/`, `.` or `:`, and
    /// the last ones tell names apart. The middle is cut where no parts fill half of the width.
    #[must_use]
    pub fn cut_parts(self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let ends = text.match_indices(['/', '.', ':']);
        let mut ends =
            ends.map(|(at, _)| ["…", text[at..].trim_start_matches(['.', ':'])].concat());
        let fits = |end: &String| (width / 2.0..=width).contains(&self.width(end));
        ends.find(fits)
            .unwrap_or_else(|| self.cut_middle(text, width))
    }

    fn count_that_fits(self, letters: impl Iterator<Item = char>, room: f64) -> usize {
        let mut left = room;
        let fits = |letter: &char| {
            left -= self.letter_width(*letter);
            left >= 0.0
        };
        letters.take_while(fits).count()
    }
}

/// A name without the id of a run at its end, which OpenLineage's runs have behind the job:
/// `shop/train/0198fd6e-7a5f-7c3e-9d3b-000000000018`.
#[must_use]
pub fn without_run_id(name: &str) -> &str {
    match name.rsplit_once('/') {
        Some((job, run)) if !job.is_empty() && Uuid::try_parse(run).is_ok() => job,
        _ => name,
    }
}

/// How many letters a UUID has.
const UUID_LETTERS: usize = 36;

/// A name without the UUIDs in it.
#[must_use]
pub fn without_uuids(name: &str) -> String {
    let mut kept = String::new();
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        let begin = rest.get(..UUID_LETTERS);
        if begin.is_some_and(|begin| Uuid::try_parse(begin).is_ok()) {
            rest = &rest[UUID_LETTERS..];
        } else {
            kept.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    kept
}

/// Whether a machine has made a name: it has an id in it, of 32 hexadecimal digits.
#[must_use]
pub fn has_id(name: &str) -> bool {
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    words.any(|word| Uuid::try_parse(word).is_ok()) || without_uuids(name) != name
}

/// Whether a letter changes how its neighbours are shown, or cannot be in a document: a control
/// character or a mark of direction.
#[must_use]
pub fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
}

/// The text with a replacement character for each [`is_control`].
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_control) {
        let shown = |letter| {
            if is_control(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        };
        Cow::Owned(text.chars().map(shown).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Appends a text of a user to XML or HTML, for content and for quoted attributes.
pub fn push_escaped(out: &mut String, text: &str) {
    for letter in plain(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod text_tests {
    use proptest::prelude::*;

    use super::*;

    const PEN: Pen = Pen {
        font_size: 12.5,
        is_bold: true,
    };

    #[test]
    fn names_keep_both_ends() {
        assert_eq!(PEN.cut_middle("train", 120.0), "train");
        let cut = PEN.cut_middle("s3://models/churn/2026/11/28/run-000218", 120.0);
        assert!(cut.starts_with("s3://") && cut.ends_with("218"), "{cut}");
        let cut = PEN.cut_parts("dbt-prod/shop.main.customer_orders", 170.0);
        assert_eq!(cut, "…customer_orders");
        let cut = PEN.cut_parts("a_long_name_without_any_parts.csv", 140.0);
        assert!(cut.starts_with("a_long") && cut.ends_with("csv"), "{cut}");
    }

    #[test]
    fn ids_of_runs_are_left_out() {
        let run = "0198fd6e-7a5f-7c3e-9d3b-000000000018";
        assert_eq!(without_run_id(&format!("shop/train/{run}")), "shop/train");
        for name in [run, &format!("/{run}"), "shop/train", "a/", ""] {
            assert_eq!(without_run_id(name), name);
        }
    }

    #[test]
    fn marks_of_direction_and_markup_are_shown_as_text() {
        let mut out = String::new();
        push_escaped(&mut out, "<b a='1' c=\"2\">&\u{202e}gpj\0");
        assert_eq!(
            out,
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}gpj\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn cut_texts_fit(text in ".{0,60}", width in 20.0..400.0) {
            prop_assert!(PEN.width(&PEN.cut_middle(&text, width)) <= width + 1e-9);
            prop_assert!(PEN.width(&PEN.cut_parts(&text, width)) <= width + 1e-9);
        }
    }
}
