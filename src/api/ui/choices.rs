//! What a page lets its reader choose from. `templates/ui/choices.html` has how each looks.

/// A choice among links, of which one may be taken.
pub(super) struct LinkChoice {
    pub word: &'static str,
    pub link: String,
    pub is_taken: bool,
}

/// A choice among values of a field of a form.
pub(super) struct ValueChoice {
    pub word: String,
    /// The text in the query.
    pub value: String,
    pub is_taken: bool,
}
