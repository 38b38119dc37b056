//! Conditions on nodes that are compiled outside `storage`, as those of the filter language are.

use super::{Cell, Dialect, Query};

/// A condition on nodes of one kind, in the SQL of one dialect.
///
/// The statement around it reads nodes under the alias `n`. The joins of [`super::tables::joins`]
/// have further aliases.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// The JOIN clauses.
    pub joins: SqlFragment,
    /// The condition of the WHERE clause. More conditions may follow with AND.
    pub condition: SqlFragment,
    /// Whether the joins can yield a node more than once.
    pub repeats: bool,
    /// Whether the database may take long to decide it, however few nodes there are.
    pub is_costly: bool,
    /// Whether the condition compares a column of many distinct values with given values, so that
    /// its index finds few rows.
    pub is_selective: bool,
    /// Names of types, one of which every matching node has; `None` if nothing is known of them.
    pub type_names: Option<Vec<String>>,
}

/// SQL text with its values, to be appended to a query of the same dialect any number of times.
///
/// As in a [`Query`], text is literals and digits only; values are bound.
#[derive(Clone, Debug)]
pub struct SqlFragment {
    dialect: Dialect,
    parts: Vec<SqlPart>,
}

#[derive(Clone, Debug)]
enum SqlPart {
    Text(&'static str),
    Number(usize),
    Int(i64),
    Value(Cell<'static>),
    InInts(Vec<i64>),
    InTexts(Vec<String>),
    InLongTexts {
        column: SqlFragment,
        texts: Vec<String>,
    },
}

impl SqlFragment {
    /// An empty fragment.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            parts: Vec::new(),
        }
    }

    /// The dialect of the text.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn part(&mut self, part: SqlPart) -> &mut Self {
        self.parts.push(part);
        self
    }

    /// As [`Query::push`].
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.part(SqlPart::Text(sql))
    }

    /// As [`Query::push_number`].
    pub fn push_number(&mut self, number: usize) -> &mut Self {
        self.part(SqlPart::Number(number))
    }

    /// Appends text with a number in the place of each `#`.
    pub fn push_numbered(&mut self, sql: &'static str, number: usize) -> &mut Self {
        for (index, text) in sql.split('#').enumerate() {
            if index > 0 {
                self.push_number(number);
            }
            self.push(text);
        }
        self
    }

    /// As [`Query::push_int`].
    pub fn push_int(&mut self, number: i64) -> &mut Self {
        self.part(SqlPart::Int(number))
    }

    /// As [`Query::bind`].
    pub fn bind<'a>(&mut self, value: impl Into<Cell<'a>>) -> &mut Self {
        self.part(SqlPart::Value(value.into().into_owned()))
    }

    /// As [`Query::push_typed`].
    pub fn push_typed<'a>(&mut self, value: impl Into<Cell<'a>>) -> &mut Self {
        let cell = value.into();
        self.push(self.dialect.typed_parameter(&cell)).bind(cell)
    }

    /// As [`Query::push_in`].
    pub fn push_in(&mut self, values: Vec<i64>) -> &mut Self {
        self.part(SqlPart::InInts(values))
    }

    /// As [`Query::push_in_texts`].
    pub fn push_in_texts(&mut self, texts: &[&str]) -> &mut Self {
        self.part(SqlPart::InTexts(owned(texts)))
    }

    /// As [`Query::push_in_long_texts`].
    pub fn push_in_long_texts(&mut self, column: Self, texts: &[&str]) -> &mut Self {
        let texts = owned(texts);
        self.part(SqlPart::InLongTexts { column, texts })
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

impl Query {
    /// Appends a fragment.
    pub fn push_fragment(&mut self, fragment: &SqlFragment) -> &mut Self {
        debug_assert_eq!(fragment.dialect, self.dialect());
        for part in &fragment.parts {
            match part {
                SqlPart::Text(sql) => self.push(sql),
                SqlPart::Number(number) => self.push_number(*number),
                SqlPart::Int(number) => self.push_int(*number),
                SqlPart::Value(cell) => self.bind(cell.clone()),
                SqlPart::InInts(values) => self.push_in(values),
                SqlPart::InTexts(texts) => self.push_in_texts(&borrowed(texts)),
                SqlPart::InLongTexts { column, texts } => {
                    let column = |query: &mut Self| _ = query.push_fragment(column);
                    self.push_in_long_texts(column, &borrowed(texts))
                }
            };
        }
        self
    }
}
