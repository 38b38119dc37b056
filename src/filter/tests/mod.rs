//! Tests of the whole compiler: its SQL and its errors.
//!
//! * `documentation`: the reference for users agrees with the code.
//! * `properties`: any text has a result.

mod documentation;
mod properties;

use super::*;
use crate::storage::Query;

/// The queries of the compatibility tables: which table, number, kind of node, query, and expected
/// ids or message.
const ROWS: &str = include_str!("../../../tests/data/filter_rows.tsv");

fn kind(letter: &str) -> Kind {
    match letter {
        "a" => Kind::Artifact,
        "e" => Kind::Execution,
        _ => Kind::Context,
    }
}

fn rows(table: &str) -> impl Iterator<Item = (Kind, &'static str, &'static str)> {
    let rows = ROWS.lines().skip(1).filter_map(move |line| {
        let cells: Vec<_> = line.split('\t').collect();
        (cells[0] == table).then(|| (kind(cells[2]), cells[3], cells[4]))
    });
    rows.collect::<Vec<_>>().into_iter()
}

fn sql(dialect: Dialect, kind: Kind, text: &str) -> String {
    let filter = parse(kind, text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"));
    let mut query = Query::new("test", dialect, "");
    let predicate = filter.predicate(dialect);
    query.push_fragment(&predicate.joins);
    query.push(" WHERE ").push_fragment(&predicate.condition);
    query.text().trim().to_owned()
}

pub(super) fn artifact_sql(text: &str) -> String {
    sql(Dialect::Sqlite, Kind::Artifact, text)
}

fn refusal(text: &str) -> String {
    let invalid = parse(Kind::Artifact, text).expect_err(text).to_string();
    let message = invalid
        .strip_prefix("Invalid `filter_query`: ")
        .expect(text);
    message.to_owned()
}

#[test]
fn valid_rows_are_accepted() {
    assert_eq!(rows("ok").count(), 73);
    for (kind, query, _) in rows("ok") {
        for dialect in Dialect::ALL {
            assert!(sql(dialect, kind, query).contains("WHERE"), "{query}");
        }
    }
}

#[test]
fn invalid_rows_are_refused_with_their_text() {
    assert_eq!(rows("bad").count(), 33);
    for (kind, query, text) in rows("bad") {
        let invalid = parse(kind, query).expect_err(query).to_string();
        let expected = format!("Invalid `filter_query`: {text}");
        assert!(invalid.starts_with(&expected), "{query}: {invalid}");
    }
}

#[test]
fn everything_distinct_is_one_join() {
    assert_eq!(
        artifact_sql("contexts_a.type = 'C' AND contexts_a.id = 1 OR type = 'A'"),
        "JOIN Attribution l0 ON l0.artifact_id = n.id JOIN Context m0 ON m0.id = l0.context_id \
         JOIN Type t0 ON t0.id = m0.type_id JOIN Type t ON t.id = +n.type_id \
         WHERE (((t0.name = ?) AND (m0.id = ?)) OR (t.name = ?))"
    );
    assert_eq!(
        artifact_sql("properties.a.int_value = 1 AND custom_properties.a.bool_value"),
        "JOIN ArtifactProperty p0 ON p0.artifact_id = n.id AND p0.name = ? \
         AND p0.is_custom_property = ? \
         JOIN ArtifactProperty p1 ON p1.artifact_id = n.id AND p1.name = ? \
         AND p1.is_custom_property = ? \
         WHERE ((p0.int_value = ?) AND p1.bool_value)"
    );
    assert_eq!(
        artifact_sql("contexts_a.id = contexts_A.id")
            .matches("JOIN")
            .count(),
        4
    );
    assert_eq!(
        artifact_sql("properties.a.int_value = properties.A.int_value")
            .matches("JOIN")
            .count(),
        2
    );
    let repeats = |text| {
        let filter = parse(Kind::Artifact, text).unwrap();
        filter.predicate(Dialect::Sqlite).repeats
    };
    assert!(!repeats("id = 1"));
    assert!(!repeats("type = 'A'"));
}

#[test]
fn databases_differ() {
    let query = "uri = 'u' AND name LIKE 'a%' AND id + 1 = 2 \
        AND STARTS_WITH(name, 'a') AND GREATEST(id, 2) = 2";
    let expected = [
        "WHERE (((n.uri = ?) AND (n.name LIKE ? ESCAPE '\\')) AND (((n.id + ?) = ?) AND \
         ((INSTR(n.name, ?) = 1) AND (MAX(n.id, ?) = ?))))",
        "WHERE (((LEFT(n.uri, 255) = LEFT(CAST($1 AS TEXT), 255) AND n.uri = CAST($2 AS TEXT)) AND \
         (n.name LIKE CAST($3 AS TEXT))) AND \
         (((CAST(n.id AS NUMERIC) + CAST($4 AS BIGINT)) = CAST($5 AS BIGINT)) AND \
         ((STRPOS(n.name, CAST($6 AS TEXT)) = 1) AND \
         ((SELECT CASE WHEN COUNT(*) = COUNT(v) \
         THEN MAX(v) END FROM UNNEST(ARRAY[n.id, CAST($7 AS BIGINT)]) AS v) = CAST($8 AS BIGINT)))))",
        "WHERE (((n.uri = ?) AND (n.name LIKE ?)) AND \
         (((CAST(n.id AS DECIMAL(65, 0)) + ?) = ?) AND \
         ((LOCATE(CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin, \
         CONVERT(n.name USING utf8mb4) COLLATE utf8mb4_bin) = 1) \
         AND (GREATEST(n.id, ?) = ?))))",
    ];
    for (dialect, expected) in Dialect::ALL.into_iter().zip(expected) {
        assert_eq!(sql(dialect, Kind::Artifact, query), expected);
    }
}

#[test]
fn enums() {
    for (query, condition) in [
        ("state = LIVE", "(n.state = ?)"),
        ("LIVE = state", "(n.state = ?)"),
        ("state != LIVE", "((n.state <> ?) OR (n.state IS NULL))"),
        ("LIVE <> state", "((n.state <> ?) OR (n.state IS NULL))"),
        ("NOT state = LIVE", "(NOT (n.state = ?))"),
        ("state IN(LIVE)", "(n.state IN (?))"),
        (
            "state NOT IN (LIVE, ABANDONED)",
            "((NOT (n.state IN (?,?))) OR (n.state IS NULL))",
        ),
        ("NOT state IN (REFERENCE)", "(NOT (n.state IN (?)))"),
        ("state NOT IN (2)", "(NOT (n.state IN (?)))"),
        ("state <> 2", "(n.state <> ?)"),
        ("2 = state", "(n.state = ?)"),
        ("state = -1", "(n.state = ?)"),
        ("state = (2)", "(n.state = ?)"),
        ("state IN (1, 2)", "(n.state IN (?,?))"),
        ("state IN ((2), (3))", "(n.state IN (?,?))"),
        ("state IN (-1, 2, 3)", "(n.state IN (?,?,?,?))"),
        ("state NOT IN (1, 2)", "(NOT (n.state IN (?,?)))"),
        ("state IN (2.0, 3, 4)", "(n.state IN (?, ?, ?))"),
        ("state = type_id", "(n.state = n.type_id)"),
        ("uri = 'state = FOO'", "(n.uri = ?)"),
    ] {
        let sql = artifact_sql(query);
        let (_, last) = sql.split_once("WHERE ").unwrap();
        // The literal and the column swap places when the literal comes first.
        let swapped = condition
            .replace("n.state = ?", "? = n.state")
            .replace("n.state <> ?", "? <> n.state");
        assert!(last == condition || last == swapped, "{query}: {last}");
    }
    for (query, value) in [
        ("state = NULL", "NULL"),
        ("state != 2.5", "2.5"),
        ("state = TRUE", "TRUE"),
        ("state IN (NULL)", "NULL"),
        ("live = state", "live"),
        ("events_a.type = LIVE", "LIVE"),
    ] {
        let expected = format!("Unsupported enum value specified in the query: {value}");
        assert_eq!(refusal(query), expected, "{query}");
    }
    assert_eq!(refusal("state > LIVE"), "Unrecognized name: LIVE [at 1:9]");
    parse(Kind::Execution, "last_known_state = NEW").unwrap();
    parse(Kind::Context, "artifacts_x.state != LIVE").unwrap();
    for name in ["UNKNOWN", "REFERENCE", "PENDING_OUTPUT"] {
        let query = format!("events_a.type = {name}");
        assert_eq!(parse(Kind::Artifact, &query).is_ok(), name != "REFERENCE");
    }
}

#[test]
fn refusals_name_the_place() {
    for (query, message) in [
        (
            "id = 'a\\q'",
            "Syntax error: Illegal escape sequence: \\q [at 1:8]",
        ),
        ("id\n  == 1", "Syntax error: Unexpected \"=\" [at 2:4]"),
        ("", "Syntax error: Unexpected end of expression [at 1:1]"),
        ("id = 1 = TRUE", "Syntax error: Unexpected \"=\" [at 1:8]"),
        (
            "id = NOT TRUE",
            "Syntax error: Unexpected keyword NOT [at 1:6]",
        ),
        (
            "id = 1a",
            "Syntax error: Missing whitespace between literal and alias [at 1:7]",
        ),
        (
            "id = 9223372036854775808",
            "Invalid integer literal: 9223372036854775808 [at 1:6]",
        ),
        (
            "id = -9223372036854775809",
            "Invalid integer literal: -9223372036854775809 [at 1:6]",
        ),
        (
            "id = 1e999",
            "Invalid floating point literal: 1e999 [at 1:6]",
        ),
        (
            "name = 'a\\x00'",
            "String literals cannot contain NUL characters [at 1:8]",
        ),
        (
            "name LIKE 'a\\\\'",
            "LIKE pattern ends with a backslash [at 1:11]",
        ),
        ("id & 1 = 1", "Bitwise operator & is not supported [at 1:4]"),
        ("CAST(id AS STRING) = '1'", "CAST is not supported [at 1:1]"),
        ("id IN (SELECT 1)", "Subqueries are not supported [at 1:8]"),
        ("(SELECT TRUE)", "Subqueries are not supported [at 1:2]"),
        ("id IN UNNEST([1])", "UNNEST is not supported [at 1:7]"),
        ("? = 1", "Positional parameters are not supported [at 1:1]"),
        (
            "REGEXP_CONTAINS(name, 'a')",
            "Function not found: REGEXP_CONTAINS [at 1:1]",
        ),
        (
            "contexts_a . id = 1",
            "Unrecognized name: contexts_a [at 1:1]",
        ),
        (
            "properties.i.int_value.x = 1",
            "Cannot access field x on a value with type INT64 [at 1:24]",
        ),
        (
            "properties.baz.int = 1",
            "Field name int does not exist in STRUCT<int_value INT64, double_value DOUBLE, \
             string_value STRING, ...> [at 1:16]",
        ),
        (
            "custom_properties.baz.string = 'x'",
            "Field name string does not exist in STRUCT<int_value INT64, double_value DOUBLE, \
             string_value STRING, ...> [at 1:23]",
        ),
        (
            "state IN RUNNING",
            "Expected a list of enum values enclosed in parentheses but got RUNNING",
        ),
        (
            "NULL",
            "Given query string is not a valid boolean expression: NULL",
        ),
        (
            "SUBSTR(name, 1, -1) = ''",
            "Third argument in SUBSTR() cannot be negative [at 1:1]",
        ),
        (
            "☃ = 1",
            "Syntax error: Illegal input character \"☃\" [at 1:1]",
        ),
    ] {
        assert_eq!(refusal(query), message, "{query}");
    }
}

#[test]
fn types_must_match() {
    for query in [
        "name = 1",
        "name = TRUE",
        "id AND TRUE",
        "NOT id",
        "id IS TRUE",
        "name + 1 = 2",
        "-name = 1",
        "LOWER(id) = 'a'",
        "LOWER() = 'a'",
        "LOWER(name, name) = 'a'",
        "COALESCE(name, 1) = 'a'",
        "MOD(id, 2.5) = 1",
        "id BETWEEN 'a' AND 1",
        "CASE WHEN id THEN 1 END = 1",
        "CASE WHEN TRUE THEN 1 ELSE 'a' END = 1",
        "CASE id WHEN 'a' THEN 1 END = 1",
        "id || 'a' = 'b'",
        "GREATEST(TRUE, FALSE)",
        "id NOT IN ('a')",
        "STRPOS(name, 1) = 1",
    ] {
        let message = refusal(query);
        assert!(
            message.starts_with("No matching signature for "),
            "{query}: {message}"
        );
    }
}

#[test]
fn depth_is_limited() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}TRUE{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, close) in [
        ("(", ")"),
        ("NOT ", ""),
        ("CASE WHEN TRUE THEN ", " END"),
        ("COALESCE(", ")"),
        ("- ", ""),
    ] {
        for depth in [1000, 5000] {
            let message = refusal(&nested(open, close, depth));
            assert!(
                message.starts_with("Expression is nested too deeply")
                    || message.starts_with("The query is longer"),
                "{open}: {message}"
            );
        }
    }
    parse(Kind::Artifact, &nested("(", ")", 90)).unwrap();
    let message = refusal(&format!("id{} = 1", " + 1".repeat(5000)));
    assert!(
        message.starts_with("Expression is nested too deeply"),
        "{message}"
    );
}

#[test]
fn long_chains_are_balanced() {
    for operator in [" OR ", " AND "] {
        let query = vec!["id = 1"; 5000].join(operator);
        let sql = artifact_sql(&query);
        let mut depth = 0;
        let deepest = sql.chars().map(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth
        });
        assert_eq!(deepest.max(), Some(14));
    }
}

#[test]
fn sizes_are_limited() {
    let joins = |count: usize| {
        let exprs: Vec<_> = (0..count)
            .map(|i| format!("properties.p{i}.int_value = 1"))
            .collect();
        exprs.join(" OR ")
    };
    parse(Kind::Artifact, &joins(50)).unwrap();
    assert!(refusal(&joins(51)).starts_with("Too many distinct properties and neighbours"));

    let doubling = format!("{}name{} = ''", "SUBSTR(".repeat(30), ", 1, id)".repeat(30));
    assert!(refusal(&doubling).starts_with("The query is too large"));

    let growing = format!(
        "REPLACE(REPLACE(name, 'a', '{0}'), 'b', '{0}') = ''",
        "x".repeat(50)
    );
    assert!(refusal(&growing).starts_with("REPLACE may make texts at most"));
    parse(
        Kind::Artifact,
        "REPLACE(REPLACE(name, '-', '_'), ' ', '__') = ''",
    )
    .unwrap();

    assert!(refusal(&" ".repeat(MAX_QUERY_BYTES + 1)).starts_with("The query is longer"));
    assert!(
        refusal(&format!("name LIKE '{}'", "a".repeat(40_000)))
            .starts_with("LIKE pattern is longer")
    );
}

#[test]
fn messages_are_short() {
    for query in [
        format!("{} = 1", "x".repeat(60_000)),
        format!("'{}'", "é".repeat(30_000)),
    ] {
        let invalid = parse(Kind::Artifact, &query).unwrap_err().to_string();
        assert!(invalid.len() <= 1024, "{}", invalid.len());
    }
}
