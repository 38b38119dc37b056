//! Limits of a query. A query beyond one of them is refused.

/// Maximum length of the query text, in bytes.
pub(super) const MAX_QUERY_BYTES: usize = 64 * 1024;

/// Maximum nesting of expressions, in levels. A chain of `AND` or of `OR` is one level, however
/// long it is.
pub(super) const MAX_NESTING_LEVELS: usize = 100;

/// Maximum number of arguments of a function call. It bounds the functions that take any number,
/// which some databases bound too.
pub(super) const MAX_CALL_ARGUMENTS: usize = 100;

/// Maximum length of a literal `LIKE` pattern, in bytes. SQLite accepts 50,000.
pub(super) const MAX_LIKE_PATTERN_BYTES: usize = 32 * 1024;

/// Maximum number of tables that a query joins. MySQL joins 61 in one statement; the statement
/// around the filter needs some of them.
pub(super) const MAX_JOINED_TABLES: usize = 50;

/// Maximum number of columns and values in the SQL of a query. SQLite binds 32,766 values in one
/// statement; the statement around the filter needs some of them.
pub(super) const MAX_SQL_OPERANDS: usize = 20_000;

/// Maximum number of neighbours that are compared with each other: the database looks at each
/// combination of them.
pub(super) const MAX_NEIGHBOURS_COMPARED: usize = 2;

/// Maximum number of subqueries that the planner may join to each other, to start from any of them.
/// Planning takes a time that grows exponentially with the number of joined tables.
pub(super) const MAX_DRIVING_SUBQUERIES: usize = 3;

/// Maximum number of subqueries for neighbours.
pub(super) const MAX_SUBQUERIES: usize = 128;

/// Maximum factor by which `REPLACE` may make a text longer. Without it, a short query could make
/// the database build texts of many gigabytes.
pub(super) const MAX_REPLACE_GROWTH_FACTOR: usize = 100;

/// Maximum length of an error message, in bytes, without the position behind it. A message quotes
/// from the query, which can be much longer.
pub(super) const MAX_MESSAGE_BYTES: usize = 900;
