//! The reference for users, `docs/filter-language.md`, is complete and its examples work.
//!
//! Code blocks with the info string `sql KIND` have one accepted query per line. Blocks with
//! `text refused KIND` have pairs of lines: a query, and its error without the prefix, indented.

use crate::filter::catalog::{self, VALUE_FIELDS};
use crate::filter::functions::FUNCTION_SIGNATURES;
use crate::filter::limits::{
    MAX_CALL_ARGUMENTS, MAX_JOINED_TABLES, MAX_LIKE_PATTERN_BYTES, MAX_MESSAGE_BYTES,
    MAX_NEIGHBOURS_COMPARED, MAX_NESTING_LEVELS, MAX_QUERY_BYTES, MAX_REPLACE_GROWTH_FACTOR,
    MAX_SQL_OPERANDS, MAX_SUBQUERIES,
};
use crate::filter::parse;
use crate::model::Kind;

const REFERENCE: &str = include_str!("../../../docs/filter-language.md");

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Artifact => "artifact",
        Kind::Execution => "execution",
        Kind::Context => "context",
    }
}

/// The lines of all code blocks with this info string.
fn block_lines(info: &str) -> Vec<&'static str> {
    let fence = format!("```{info}");
    let mut lines = REFERENCE.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line == fence {
            found.extend(lines.by_ref().take_while(|line| *line != "```"));
        }
    }
    assert!(!found.is_empty(), "no block {fence}");
    found
}

/// The reference has this text in backticks.
#[track_caller]
fn assert_documented(text: &str) {
    assert!(
        REFERENCE.contains(&format!("`{text}`")),
        "docs/filter-language.md lacks `{text}`"
    );
}

#[test]
fn documented_queries_are_accepted() {
    for kind in Kind::ALL {
        for query in block_lines(&format!("sql {}", name_of(kind))) {
            parse(kind, query).unwrap_or_else(|error| panic!("{query}: {error}"));
        }
    }
}

#[test]
fn documented_errors_are_those_of_the_code() {
    for pair in block_lines("text refused artifact").chunks(2) {
        let [query, message] = pair else {
            panic!("a query without a message: {pair:?}")
        };
        let error = parse(Kind::Artifact, query).expect_err(query).to_string();
        let expected = format!("Invalid `filter_query`: {}", message.trim_start());
        assert_eq!(error, expected, "{query}");
    }
}

#[test]
fn every_function_has_a_row_and_an_example() {
    let examples = block_lines("sql artifact").join("\n");
    for signature in FUNCTION_SIGNATURES {
        let call = format!("{}(", signature.name);
        assert!(
            REFERENCE.contains(&format!("| `{call}")),
            "no row for {call}"
        );
        assert!(examples.contains(&call), "no example of {call}");
    }
}

#[test]
fn every_name_is_documented() {
    for kind in Kind::ALL {
        for field in catalog::attributes(kind) {
            assert_documented(field.name);
        }
        for relation in catalog::relations(kind) {
            assert_documented(&format!("{}ALIAS", relation.prefix));
            for field in relation.fields {
                assert_documented(field.name);
            }
        }
        let relations = catalog::relations(kind);
        let fields = relations.iter().flat_map(|relation| relation.fields);
        for field in catalog::attributes(kind).iter().chain(fields) {
            for (value, _) in field.values.into_iter().flatten() {
                assert_documented(value);
            }
        }
    }
    for (field, _) in VALUE_FIELDS {
        assert_documented(field);
    }
}

#[test]
fn every_limit_is_documented() {
    for row in [
        format!("| {} bytes |", thousands(MAX_QUERY_BYTES)),
        format!("| {MAX_NESTING_LEVELS} levels;"),
        format!("| joined tables | {MAX_JOINED_TABLES} |"),
        format!("| arguments of a function | {MAX_CALL_ARGUMENTS} |"),
        format!("| {} bytes |", thousands(MAX_LIKE_PATTERN_BYTES)),
        format!("| neighbours in one comparison | {MAX_NEIGHBOURS_COMPARED} |"),
        format!("| subqueries for neighbours | {MAX_SUBQUERIES} |"),
        format!("| {} |", thousands(MAX_SQL_OPERANDS)),
        format!("| {MAX_REPLACE_GROWTH_FACTOR} times |"),
        format!("cut after {MAX_MESSAGE_BYTES} bytes"),
    ] {
        assert!(
            REFERENCE.contains(&row),
            "docs/filter-language.md lacks {row}"
        );
    }
}

/// A number of at most six digits with a comma before the last three.
fn thousands(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}
