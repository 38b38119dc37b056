//! Property tests: any text is refused or becomes SQL, and strings come back as they are.

use proptest::prelude::*;

use super::rows;
use crate::filter::{expr, parse};
use crate::model::Kind;
use crate::storage::Dialect;
use crate::storage::Query;

/// Pieces of queries, to get deeper into the parser than random text does.
const PIECES: &[&str] = &[
    "id",
    "name",
    "state",
    "LIVE",
    "uri",
    "type",
    "properties.i.int_value",
    "custom_properties.`a b`.string_value",
    "contexts_a.name",
    "events_0.type",
    "properties",
    "(",
    ")",
    ",",
    ".",
    "=",
    "!=",
    "<>",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "||",
    "&",
    "~",
    "NOT",
    "AND",
    "OR",
    "IN",
    "(1, 2)",
    "('a', NULL)",
    "LIKE",
    "BETWEEN",
    "IS",
    "NULL",
    "TRUE",
    "FALSE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "1",
    "-1",
    "0x1F",
    "1.5",
    "1e3",
    "'a'",
    "\"b\"",
    "r'\\'",
    "'''x'''",
    "LOWER(",
    "SUBSTR(",
    "COALESCE(",
    "COUNT(",
    "@p",
    "?",
    "/* c */",
    "-- d\n",
    "'",
    "`",
    "\\",
    "é",
    "\0",
    ";",
];

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}|.{0,60}") {
        for kind in [Kind::Artifact, Kind::Execution, Kind::Context] {
            answered(kind, &text)?;
        }
    }

    #[test]
    fn any_tokens_are_answered(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        blank in prop::sample::select(vec![" ", ""]),
    ) {
        answered(Kind::Artifact, &pieces.join(blank))?;
    }

    #[test]
    fn changed_rows_are_answered(
        row in 0_usize..106,
        offset in 0_usize..60,
        piece in prop::sample::select(PIECES),
    ) {
        let (kind, query, _) = rows("ok").chain(rows("bad")).nth(row).unwrap();
        let (before, after) = query.split_at(query.floor_char_boundary(offset.min(query.len())));
        answered(kind, &format!("{before}{piece}{after}"))?;
    }

    #[test]
    fn strings_come_back(text in "[^\0]{0,40}") {
        let mut quoted = String::from("name = '");
        for c in text.chars() {
            match c {
                '\'' | '\\' => quoted.extend(['\\', c]),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                _ => quoted.push(c),
            }
        }
        let filter = parse(Kind::Artifact, &(quoted + "'")).unwrap();
        let expr::ExprKind::Compare(_, operands) = filter.condition.kind else {
            panic!("no comparison")
        };
        prop_assert_eq!(operands[1].as_text(), Some(text.as_str()));
    }
}

/// The text is refused in a short message or becomes SQL with all its values in parameters.
fn answered(kind: Kind, text: &str) -> Result<(), TestCaseError> {
    match parse(kind, text) {
        Err(invalid) => prop_assert!(invalid.to_string().len() <= 1024),
        Ok(filter) => {
            for dialect in Dialect::ALL {
                let mut query = Query::new("test", dialect, "");
                let predicate = filter.predicate(dialect);
                query.push_fragment(&predicate.joins);
                query.push_fragment(&predicate.condition);
                prop_assert!(query.text().is_ascii());
                prop_assert!(!query.text().contains('"'));
            }
        }
    }
    Ok(())
}
