//! Tokens as comparisons.

use super::fields::Language;
use super::tokens::{FilterToken, FilterTokenKind, tokens};
use crate::api::mlflow::refusal::MlflowRefusal;

/// Comparisons that are words.
const WORD_OPERATORS: [&str; 5] = ["LIKE", "ILIKE", "RLIKE", "REGEXP", "IN"];

/// Words that are no names of fields and no values.
const KEYWORDS: [&str; 5] = ["AND", "OR", "NOT", "BETWEEN", "IS"];

/// A comparison of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison<'f> {
    pub field: FilterToken<'f>,
    /// In the case in which it was given, with one space between its words.
    pub operator: String,
    /// For a comparison with NULL: that word.
    pub value: FilterToken<'f>,
}

/// The comparisons of a filter, which hold all.
///
/// # Errors
///
/// A refusal of what is no comparison.
pub(super) fn clauses(
    filter: &str,
    language: Language,
) -> Result<Vec<Comparison<'_>>, MlflowRefusal> {
    let tokens = tokens(filter);
    if tokens
        .iter()
        .any(|token| token.kind == FilterTokenKind::Semicolon)
    {
        return Err(MlflowRefusal::invalid(format!(
            "Search filter contained multiple expression '{filter}'. Provide AND-ed expression \
             list."
        )));
    }
    let mut found = Vec::new();
    let mut invalid = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if first.is_word("AND") {
            rest = after;
            continue;
        }
        let Some((comparison, length)) = comparison(rest) else {
            invalid.push(first.text);
            rest = after;
            continue;
        };
        rest = &rest[length..];
        // A value with a word behind it is no value.
        match rest.split_first() {
            Some((next, after)) if is_operand(next) => {
                invalid.push(&filter[first.start..next.end()]);
                rest = after;
            }
            _ => found.push(comparison),
        }
    }
    if !invalid.is_empty() {
        return Err(language.refuse_clauses(filter, &invalid));
    }
    let wrong = found
        .iter()
        .find(|it| it.field.kind != FilterTokenKind::Word);
    if let Some(wrong) = wrong {
        return Err(MlflowRefusal::invalid(format!(
            "Invalid comparison clause. Expected 'Identifier' found '{}'",
            wrong.field.text
        )));
    }
    Ok(found)
}

/// Whether a token may stand before or behind an operator.
fn is_operand(token: &FilterToken<'_>) -> bool {
    match token.kind {
        FilterTokenKind::Word => !KEYWORDS.iter().any(|word| token.is_word(word)),
        FilterTokenKind::Number | FilterTokenKind::Text => true,
        FilterTokenKind::List
        | FilterTokenKind::Sign
        | FilterTokenKind::Semicolon
        | FilterTokenKind::Other => false,
    }
}

/// The comparison that tokens begin with, and the number of its tokens.
fn comparison<'f>(tokens: &[FilterToken<'f>]) -> Option<(Comparison<'f>, usize)> {
    let field = *tokens.first().filter(|token| is_operand(token))?;
    let words = operator_length(&tokens[1..])?;
    let operator: Vec<&str> = tokens[1..=words].iter().map(|token| token.text).collect();
    let operator = operator.join(" ");
    let is_null = tokens[1].is_word("IS");
    // NULL is part of the operator.
    let value = if is_null { words } else { words + 1 };
    let value = *tokens.get(value)?;
    let is_value = is_operand(&value) || value.kind == FilterTokenKind::List;
    let length = if is_null { words + 1 } else { words + 2 };
    let comparison = Comparison {
        field,
        operator,
        value,
    };
    is_value.then_some((comparison, length))
}

/// How many tokens the operator has that tokens begin with.
fn operator_length(tokens: &[FilterToken<'_>]) -> Option<usize> {
    let first = tokens.first()?;
    let is_next = |index: usize, word: &str| {
        let next: Option<&FilterToken<'_>> = tokens.get(index);
        next.is_some_and(|next| next.is_word(word))
    };
    if first.kind == FilterTokenKind::Sign || WORD_OPERATORS.iter().any(|word| first.is_word(word))
    {
        Some(1)
    } else if first.is_word("NOT") && is_next(1, "IN") || first.is_word("IS") && is_next(1, "NULL")
    {
        Some(2)
    } else if first.is_word("IS") && is_next(1, "NOT") && is_next(2, "NULL") {
        Some(3)
    } else {
        None
    }
}
