//! What differs between the databases in the SQL of filters, so that a query has the same answer on
//! all of them.
//!
//! Where operands are needed in the middle or more than once, the SQL is a template: `@1` stands
//! for the first operand.

use super::ast::ArithmeticOp;
use super::functions::Function;
use super::types::Type;
use crate::storage::Dialect;

pub(super) const DIALECTS: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql];

/// How the arguments of a function with any number of them are written.
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

/// `LIKE` with a backslash as the escape character. Case is the database's: SQLite ignores that of
/// ASCII letters, MySQL goes by the collation, PostgreSQL tells it apart.
pub(super) const fn like(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => r"(@1 LIKE @2 ESCAPE '\')",
        Dialect::Postgres | Dialect::MySql => "(@1 LIKE @2)",
    }
}

/// Equality with a text that can be too long for an index of PostgreSQL, which therefore has only
/// the start of it. The start is compared first, so that the index is used.
pub(super) const fn long_text_equals(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite | Dialect::MySql => "(@1 = @2)",
        Dialect::Postgres => "(LEFT(@1, 255) = LEFT(@2, 255) AND @1 = @2)",
    }
}

/// The name of a property, exactly. MySQL's usual collations would ignore case; its index still
/// finds the candidates.
pub(super) const fn property_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite | Dialect::Postgres => "p#.name = ?",
        Dialect::MySql => {
            "p#.name = ? \
             AND CAST(CONVERT(p#.name USING utf8mb4) AS BINARY) \
             = CAST(CONVERT(? USING utf8mb4) AS BINARY)"
        }
    }
}

/// Arithmetic. Integers are exact beyond 64 bits on PostgreSQL and MySQL; SQLite turns an overflow
/// into a floating-point number. Division is always that of floating-point numbers, and NULL when
/// the divisor is zero, by which SQLite and MySQL abide without being told.
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

/// The other sign. Exact for the smallest integer as well, which has no counterpart among 64-bit
/// integers.
pub(super) const fn negation(dialect: Dialect, ty: Type) -> &'static str {
    match (dialect, ty) {
        (Dialect::Postgres, Type::Int) => "(- CAST(@1 AS NUMERIC))",
        (Dialect::MySql, Type::Int) => "(- CAST(@1 AS DECIMAL(65, 0)))",
        _ => "(- @1)",
    }
}

/// A function of any number of arguments, of which there are at least two.
pub(super) const fn variadic(dialect: Dialect, function: Function) -> Option<CallSyntax> {
    Some(match (function, dialect) {
        (Function::Coalesce, _) => list("COALESCE(", ", ", ")"),
        (Function::Concat, Dialect::MySql) => list("CONCAT(", ", ", ")"),
        (Function::Concat, Dialect::Sqlite | Dialect::Postgres) => list("(", " || ", ")"),
        (Function::Greatest, Dialect::Sqlite) => list("MAX(", ", ", ")"),
        (Function::Least, Dialect::Sqlite) => list("MIN(", ", ", ")"),
        (Function::Greatest, Dialect::MySql) => list("GREATEST(", ", ", ")"),
        (Function::Least, Dialect::MySql) => list("LEAST(", ", ", ")"),
        // PostgreSQL's own GREATEST and LEAST pass over NULLs.
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

/// A function of a fixed number of arguments. `ty` is the type of its result.
pub(super) const fn function(dialect: Dialect, function: Function, ty: Type) -> &'static str {
    use Dialect::{MySql, Postgres, Sqlite};
    match (function, dialect) {
        (Function::Lower, _) => "LOWER(@1)",
        (Function::Upper, _) => "UPPER(@1)",
        (Function::Length, Sqlite | Postgres) => "LENGTH(@1)",
        (Function::Length, MySql) => "CHAR_LENGTH(@1)",
        // Blanks only, on all three.
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
        // SQLite fails on the smallest integer alone.
        (Dialect::Sqlite, Type::Int) => "ABS(MAX(@1, -9223372036854775807))",
        (Dialect::Postgres, Type::Int) => "ABS(CAST(@1 AS NUMERIC))",
        (Dialect::MySql, Type::Int) => "ABS(CAST(@1 AS DECIMAL(65, 0)))",
        _ => "ABS(@1)",
    }
}

/// Where SUBSTR starts, from a position `@2` in the string `@1`. Negative positions count from the
/// end; zero and positions before the start mean the start. The databases agree on positive
/// positions only.
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

/// How many characters SUBSTR takes, from a number `@3`.
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

/// A position or number for SUBSTR that is known to be in range.
pub(super) const fn small_integer(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite | Dialect::MySql => "@1",
        Dialect::Postgres => "CAST(@1 AS INTEGER)",
    }
}
