//! Comparisons of texts, with one result on every database.

use super::search::{FieldValue, SqlValueKind};
use crate::model::{FieldTest, TextOp};
use crate::storage::SqlFragment;

/// The character before one that stands for itself in a pattern.
const ESCAPE_CHARACTER: char = '!';

/// Appends a test of a value that is a text.
pub(super) fn push_text_test(sql: &mut SqlFragment, value: &FieldValue, test: &FieldTest) {
    match test {
        FieldTest::Text(TextOp::Equal, wanted) => push_one_of(sql, value, &[wanted]),
        FieldTest::Text(TextOp::NotEqual, wanted) => {
            sql.push("NOT ");
            push_one_of(sql, value, &[wanted]);
        }
        FieldTest::Text(TextOp::Like, pattern) => {
            push_like(sql, value, sql.dialect().exact_like(), pattern);
        }
        FieldTest::Text(TextOp::CaselessLike, pattern) => {
            push_like(sql, value, sql.dialect().caseless_like(), pattern);
        }
        FieldTest::OneOf(list) => push_one_of(sql, value, &borrowed(list)),
        FieldTest::NoneOf(list) => {
            sql.push("NOT ");
            push_one_of(sql, value, &borrowed(list));
        }
        FieldTest::UnsetOrNot(unwanted) => {
            sql.push("(");
            value.push(sql);
            sql.push(" IS NULL OR NOT ");
            push_one_of(sql, value, &[unwanted]);
            sql.push(")");
        }
        FieldTest::Int(..) | FieldTest::Double(..) | FieldTest::IsSet | FieldTest::IsUnset => {
            debug_assert!(false, "not a test of texts");
        }
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Appends `(value IN texts)`.
fn push_one_of(sql: &mut SqlFragment, value: &FieldValue, texts: &[&str]) {
    sql.push("(");
    if value.kind == SqlValueKind::LongText {
        let mut column = SqlFragment::new(sql.dialect());
        value.push(&mut column);
        sql.push_in_long_texts(column, texts);
    } else {
        value.push(sql);
        sql.push_in_texts(texts);
    }
    if sql.dialect().has_loose_collation() {
        // The first condition uses the index, this one is exact.
        let (before, after) = sql.dialect().code_point_order();
        sql.push(" AND ").push(before);
        value.push(sql);
        sql.push(after).push_in_texts(texts);
    }
    sql.push(")");
}

fn push_like(
    sql: &mut SqlFragment,
    value: &FieldValue,
    (before, after): (&'static str, &'static str),
    pattern: &str,
) {
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if character == ESCAPE_CHARACTER {
            escaped.push(ESCAPE_CHARACTER);
        }
        escaped.push(character);
    }
    sql.push(before);
    value.push(sql);
    sql.push(after).bind(escaped);
}
