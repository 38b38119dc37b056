//! Whose rights are asked for.

use std::sync::Arc;

use super::SubjectPattern;

/// What the name of a group begins with, where patterns of subjects name it.
pub const GROUP_ORIGIN: &str = "group:";

/// A subject with its groups.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    pub subject: &'a str,
    /// Each begins with [`GROUP_ORIGIN`].
    pub groups: &'a [Arc<str>],
}

impl<'a> From<&'a str> for Who<'a> {
    /// A subject without groups.
    fn from(subject: &'a str) -> Self {
        let groups = &[];
        Self { subject, groups }
    }
}

impl Who<'_> {
    /// Whether one of the patterns stands for the subject or a group of it.
    #[must_use]
    pub fn is_one_of(self, patterns: &[SubjectPattern]) -> bool {
        patterns.iter().any(|pattern| {
            let mut groups = self.groups.iter();
            pattern.matches(self.subject) || groups.any(|group| pattern.matches(group))
        })
    }
}
