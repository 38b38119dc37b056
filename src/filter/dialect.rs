//! Differences between databases in the SQL of filters, so that a query has the same result on all.
//!
//! Most functions return a template: SQL in which `@1` stands for the first operand, `@2` for the
//! second.

use super::ast::ArithmeticOp;
use super::functions::Function;
use super::types::Type;
use crate::storage::Dialect;

/// The SQL around and between the arguments of a variadic function.
pub(super) struct CallSyntax {
    pub(super) open: &'static str,
    pub(super) between: &'static str,
    pub(super) close: &'static str,
}

const fn list(open: &'static str, between: &'static str, close: &'static str) -> CallSyntax {
    CallSyntax {
        open,
        between,
        close,
    }
}

/// `LIKE` with a backslash as the escape character. SQLite ignores the case of ASCII letters, MySQL
/// follows the collation, PostgreSQL compares exactly.
pub(super) const fn like(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => r"(@1 LIKE @2 ESCAPE '\')",
        Dialect::Postgres | Dialect::MySql => "(@1 LIKE @2)",
    }
}

/// Equality with a text of unlimited length. PostgreSQL indexes its first 255 characters only, so
/// these are compared too, which lets the planner use the index.
pub(super) const fn long_text_equals(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite | Dialect::MySql => "(@1 = @2)",
        Dialect::Postgres => "(LEFT(@1, 255) = LEFT(@2, 255) AND @1 = @2)",
    }
}

/// Arithmetic. On PostgreSQL and MySQL, integers are exact beyond 64 bits; on SQLite an overflow
/// becomes a floating-point number. Division is that of floating-point numbers. Division by zero is
/// NULL: SQLite and MySQL do so by themselves, PostgreSQL by `NULLIF`.
pub(super) const fn arithmetic(dialect: Dialect, operator: ArithmeticOp, ty: Type) -> &'static str {
    match (dialect, operator, ty) {
        (Dialect::Sqlite, ArithmeticOp::Divide, _) => "(CAST(@1 AS REAL) / @2)",
        (Dialect::Sqlite, ArithmeticOp::Add, _) => "(@1 + @2)",
        (Dialect::Sqlite, ArithmeticOp::Subtract, _) => "(@1 - @2)",
        (Dialect::Sqlite, ArithmeticOp::Multiply, _) => "(@1 * @2)",
        (Dialect::Postgres, ArithmeticOp::Divide, _) => {
            "(CAST(@1 AS DOUBLE PRECISION) / NULLIF(CAST(@2 AS DOUBLE PRECISION), 0))"
        }
        (Dialect::Postgres, ArithmeticOp::Add, Type::Int) => "(CAST(@1 AS NUMERIC) + @2)",
        (Dialect::Postgres, ArithmeticOp::Subtract, Type::Int) => "(CAST(@1 AS NUMERIC) - @2)",
        (Dialect::Postgres, ArithmeticOp::Multiply, Type::Int) => "(CAST(@1 AS NUMERIC) * @2)",
        (Dialect::Postgres, ArithmeticOp::Add, _) => "(CAST(@1 AS DOUBLE PRECISION) + @2)",
        (Dialect::Postgres, ArithmeticOp::Subtract, _) => "(CAST(@1 AS DOUBLE PRECISION) - @2)",
        (Dialect::Postgres, ArithmeticOp::Multiply, _) => "(CAST(@1 AS DOUBLE PRECISION) * @2)",
        (Dialect::MySql, ArithmeticOp::Divide, _) => "((0e0 + @1) / @2)",
        (Dialect::MySql, ArithmeticOp::Add, Type::Int) => "(CAST(@1 AS DECIMAL(65, 0)) + @2)",
        (Dialect::MySql, ArithmeticOp::Subtract, Type::Int) => "(CAST(@1 AS DECIMAL(65, 0)) - @2)",
        (Dialect::MySql, ArithmeticOp::Multiply, Type::Int) => "(CAST(@1 AS DECIMAL(65, 0)) * @2)",
        (Dialect::MySql, ArithmeticOp::Add, _) => "((0e0 + @1) + @2)",
        (Dialect::MySql, ArithmeticOp::Subtract, _) => "((0e0 + @1) - @2)",
        (Dialect::MySql, ArithmeticOp::Multiply, _) => "((0e0 + @1) * @2)",
    }
}

/// Negation. It is exact for the smallest 64-bit integer too, whose negation has more than 64 bits.
pub(super) const fn negation(dialect: Dialect, ty: Type) -> &'static str {
    match (dialect, ty) {
        (Dialect::Postgres, Type::Int) => "(- CAST(@1 AS NUMERIC))",
        (Dialect::MySql, Type::Int) => "(- CAST(@1 AS DECIMAL(65, 0)))",
        _ => "(- @1)",
    }
}

/// A variadic function with at least two arguments; `None` for other functions.
pub(super) const fn variadic(dialect: Dialect, function: Function) -> Option<CallSyntax> {
    Some(match (function, dialect) {
        (Function::Coalesce, _) => list("COALESCE(", ", ", ")"),
        (Function::Concat, Dialect::MySql) => list("CONCAT(", ", ", ")"),
        (Function::Concat, Dialect::Sqlite | Dialect::Postgres) => list("(", " || ", ")"),
        (Function::Greatest, Dialect::Sqlite) => list("MAX(", ", ", ")"),
        (Function::Least, Dialect::Sqlite) => list("MIN(", ", ", ")"),
        (Function::Greatest, Dialect::MySql) => list("GREATEST(", ", ", ")"),
        (Function::Least, Dialect::MySql) => list("LEAST(", ", ", ")"),
        // PostgreSQL's GREATEST and LEAST ignore NULL; GoogleSQL's return it.
        (Function::Greatest, Dialect::Postgres) => list(
            "(SELECT CASE WHEN COUNT(*) = COUNT(v) THEN MAX(v) END FROM UNNEST(ARRAY[",
            ", ",
            "]) AS v)",
        ),
        (Function::Least, Dialect::Postgres) => list(
            "(SELECT CASE WHEN COUNT(*) = COUNT(v) THEN MIN(v) END FROM UNNEST(ARRAY[",
            ", ",
            "]) AS v)",
        ),
        _ => return None,
    })
}

/// A function with a fixed number of arguments, or a variadic one with a single argument. `ty` is
/// the type of the result.
pub(super) const fn function(dialect: Dialect, function: Function, ty: Type) -> &'static str {
    use Dialect::{MySql, Postgres, Sqlite};
    match (function, dialect) {
        (Function::Lower, _) => "LOWER(@1)",
        (Function::Upper, _) => "UPPER(@1)",
        (Function::Length, Sqlite | Postgres) => "LENGTH(@1)",
        (Function::Length, MySql) => "CHAR_LENGTH(@1)",
        // Removes spaces only, on all three databases.
        (Function::Trim, _) => "TRIM(@1)",
        (Function::Replace, _) => "REPLACE(@1, @2, @3)",
        (Function::NullIf, _) => "NULLIF(@1, @2)",
        (Function::Mod, Sqlite | MySql) => "(@1 % @2)",
        (Function::Mod, Postgres) => "(@1 % NULLIF(@2, 0))",
        (Function::Abs, _) => absolute(dialect, ty),
        (Function::StartsWith, Sqlite) => "(INSTR(@1, @2) = 1)",
        (Function::StartsWith, Postgres) => "(STRPOS(@1, @2) = 1)",
        (Function::StartsWith, MySql) => {
            "(LOCATE(CONVERT(@2 USING utf8mb4) COLLATE utf8mb4_bin, \
             CONVERT(@1 USING utf8mb4) COLLATE utf8mb4_bin) = 1)"
        }
        (Function::EndsWith, Sqlite) => "(SUBSTR(@1, LENGTH(@1) - LENGTH(@2) + 1) = @2)",
        (Function::EndsWith, Postgres) => "(RIGHT(@1, LENGTH(@2)) = @2)",
        (Function::EndsWith, MySql) => {
            "(CAST(CONVERT(RIGHT(@1, CHAR_LENGTH(@2)) USING utf8mb4) AS BINARY) \
             = CAST(CONVERT(@2 USING utf8mb4) AS BINARY))"
        }
        (Function::StrPos, Sqlite) => "INSTR(@1, @2)",
        (Function::StrPos, Postgres) => "STRPOS(@1, @2)",
        (Function::StrPos, MySql) => {
            "LOCATE(CONVERT(@2 USING utf8mb4) COLLATE utf8mb4_bin, \
             CONVERT(@1 USING utf8mb4) COLLATE utf8mb4_bin)"
        }
        (Function::Substr, _) => "SUBSTR(@1, @2)",
        (Function::Coalesce | Function::Concat | Function::Greatest | Function::Least, _) => "@1",
    }
}

const fn absolute(dialect: Dialect, ty: Type) -> &'static str {
    match (dialect, ty) {
        // SQLite's ABS fails on the smallest integer.
        (Dialect::Sqlite, Type::Int) => "ABS(MAX(@1, -9223372036854775807))",
        (Dialect::Postgres, Type::Int) => "ABS(CAST(@1 AS NUMERIC))",
        (Dialect::MySql, Type::Int) => "ABS(CAST(@1 AS DECIMAL(65, 0)))",
        _ => "ABS(@1)",
    }
}

/// The first position of SUBSTR, for the position `@2` in the string `@1`. Negative positions count
/// from the end; zero and positions before the start mean the start. The databases agree on
/// positive positions only.
pub(super) const fn start(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "CASE WHEN @2 > 0 THEN MIN(@2, 2147483647) \
             WHEN @2 = 0 OR LENGTH(@1) + @2 < 0 THEN 1 ELSE LENGTH(@1) + @2 + 1 END"
        }
        Dialect::Postgres => {
            "CAST(CASE WHEN @2 > 2147483647 THEN 2147483647 WHEN @2 > 0 THEN @2 \
             WHEN @2 = 0 OR LENGTH(@1) + @2 < 0 THEN 1 ELSE LENGTH(@1) + @2 + 1 END AS INTEGER)"
        }
        Dialect::MySql => {
            "CASE WHEN @2 > 0 THEN @2 \
             WHEN @2 = 0 OR CHAR_LENGTH(@1) + @2 < 0 THEN 1 ELSE CHAR_LENGTH(@1) + @2 + 1 END"
        }
    }
}

/// The number of characters that SUBSTR takes, for the argument `@3`.
pub(super) const fn count(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "CASE WHEN @3 < 0 THEN 0 ELSE MIN(@3, 2147483647) END",
        Dialect::MySql => "CASE WHEN @3 < 0 THEN 0 ELSE @3 END",
        Dialect::Postgres => {
            "CAST(CASE WHEN @3 < 0 THEN 0 WHEN @3 > 2147483647 THEN 2147483647 \
             ELSE @3 END AS INTEGER)"
        }
    }
}

/// A literal position or length of SUBSTR that fits into 31 bits.
pub(super) const fn small_integer(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite | Dialect::MySql => "@1",
        Dialect::Postgres => "CAST(@1 AS INTEGER)",
    }
}
