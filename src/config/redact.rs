//! Error messages without secrets.

/// A text without the URLs that it quotes and without any word that has an `@`: these may contain a
/// password.
#[must_use]
pub fn without_logins(text: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || "'\"`".contains(letter);
    let words = text.split_inclusive(ends).map(|word| {
        let (bare, end) = word.split_at(word.trim_end_matches(ends).len());
        if bare.contains("://") || bare.contains('@') {
            format!("…{end}")
        } else {
            word.to_owned()
        }
    });
    words.collect()
}
