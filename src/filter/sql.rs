//! Typed terms to SQL.

use super::functions::Function;
use super::portable::{self, List};
use super::syntax::Comparison;
use super::term::{Column, Join, Node, Owner, Term, Type};
use crate::model::Kind;
use crate::storage::Query;

/// Appends the joins to the node `n`.
pub(super) fn push_joins(query: &mut Query, kind: Kind, joins: &[Join]) {
    for (number, join) in joins.iter().enumerate() {
        match join {
            Join::Type => {
                // From the node to its type, never from a type to all its nodes.
                query.push(" JOIN Type t ON t.id = ");
                query
                    .push(query.dialect().index_opt_out())
                    .push("n.type_id");
            }
            Join::Neighbour {
                relation, typed, ..
            } => {
                push_numbered(query, relation.join, number);
                if *typed {
                    push_numbered(query, " JOIN Type t# ON t#.id = m#.type_id", number);
                }
            }
            Join::Property { name, is_custom } => {
                push_property(query, kind, number, name, *is_custom);
            }
        }
    }
}

fn push_property(query: &mut Query, kind: Kind, number: usize, name: &str, is_custom: bool) {
    let join = match kind {
        Kind::Artifact => " JOIN ArtifactProperty p# ON p#.artifact_id = n.id AND ",
        Kind::Execution => " JOIN ExecutionProperty p# ON p#.execution_id = n.id AND ",
        Kind::Context => " JOIN ContextProperty p# ON p#.context_id = n.id AND ",
    };
    let same_name = portable::property_name(query.dialect());
    push_numbered(query, join, number);
    push_numbered(query, same_name, number);
    for _ in same_name.matches('?') {
        query.bind(name);
    }
    push_numbered(query, " AND p#.is_custom_property = ?", number);
    query.bind(is_custom);
}

/// Appends that nodes whose names are given have a type of their kind, as all have: the indexes of
/// names begin with the type.
pub(super) fn push_kinds(query: &mut Query, kind: Kind, joins: &[Join], named: &[Owner]) {
    for owner in named {
        let kind = match owner {
            Owner::Neighbour(number) => joins.get(*number).and_then(Join::kind),
            _ => Some(kind),
        };
        let Some(kind) = kind else { continue };
        query.push(" AND ");
        push_owner(query, *owner);
        query.push(".type_id IN (SELECT id FROM Type WHERE type_kind = ");
        query.push_int(kind.number()).push(")");
    }
}

/// Appends SQL in which `#` stands for a number.
fn push_numbered(query: &mut Query, sql: &'static str, number: usize) {
    let mut parts = sql.split('#');
    query.push(parts.next().unwrap_or_default());
    for part in parts {
        query.push_number(number).push(part);
    }
}

/// Appends an expression. It needs no parentheses around it.
pub(super) fn push_term(query: &mut Query, term: &Term) {
    let dialect = query.dialect();
    match &term.node {
        Node::Null => push_null(query, term.ty),
        Node::Bool(true) => drop(query.push("TRUE")),
        Node::Bool(false) => drop(query.push("FALSE")),
        Node::Int(value) => drop(query.push_typed(*value)),
        Node::Double(value) => drop(query.push_typed(*value)),
        Node::Text(value) => drop(query.push_typed(value.as_str())),
        Node::Column(column) => push_column(query, column),
        Node::Not(operand) => push_template(query, "(NOT @1)", &[operand]),
        Node::Negate(operand) => {
            push_template(query, portable::negation(dialect, term.ty), &[operand]);
        }
        Node::Arithmetic(operator, operands) => {
            push_template(
                query,
                portable::arithmetic(dialect, *operator, term.ty),
                &both(operands),
            );
        }
        Node::Compare(comparison, operands) => push_comparison(query, *comparison, operands),
        Node::Like(operands) => push_template(query, portable::like(dialect), &both(operands)),
        Node::Between(operands) => {
            let [operand, low, high] = operands.as_ref();
            push_template(query, "(@1 BETWEEN @2 AND @3)", &[operand, low, high]);
        }
        Node::In(operand, list) => push_in(query, operand, list),
        Node::Is(operand, truth) => {
            push_template(query, "(@1 IS ", &[operand]);
            query.push(truth.name()).push(")");
        }
        Node::Case {
            subject,
            arms,
            otherwise,
        } => push_case(query, subject.as_deref(), arms, otherwise.as_deref()),
        Node::Call(function, arguments) => push_call(query, *function, arguments, term.ty),
        Node::All(terms) => push_balanced(query, terms, " AND "),
        Node::Any(terms) => push_balanced(query, terms, " OR "),
    }
}

fn both(operands: &[Term; 2]) -> [&Term; 2] {
    operands.each_ref()
}

/// A NULL is bound like other values, so that PostgreSQL knows its type.
fn push_null(query: &mut Query, ty: Type) {
    match ty {
        Type::Int | Type::Null => query.push_typed(None::<i64>),
        Type::Double => query.push_typed(None::<f64>),
        Type::Text => query.push_typed(None::<&str>),
        Type::Bool => query.push_typed(None::<bool>),
    };
}

fn push_column(query: &mut Query, column: &Column) {
    push_owner(query, column.owner);
    query.push(".").push(column.name);
}

/// Appends the alias of a table.
fn push_owner(query: &mut Query, owner: Owner) {
    match owner {
        Owner::Node => query.push("n"),
        Owner::NodeType => query.push("t"),
        Owner::Neighbour(number) => query.push("m").push_number(number),
        Owner::NeighbourType(number) => query.push("t").push_number(number),
        Owner::Property(number) => query.push("p").push_number(number),
    };
}

/// Appends SQL in which `@1` to `@9` stand for operands.
fn push_template(query: &mut Query, sql: &'static str, operands: &[&Term]) {
    let mut parts = sql.split('@');
    query.push(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_at(1);
        let operand = number
            .parse()
            .ok()
            .and_then(|number: usize| operands.get(number.checked_sub(1)?));
        if let Some(operand) = operand {
            push_term(query, operand);
        }
        query.push(rest);
    }
}

fn push_comparison(query: &mut Query, comparison: Comparison, operands: &[Term; 2]) {
    let template = match (comparison, operands) {
        (Comparison::Equal, [left, right]) if left.is_long_text() != right.is_long_text() => {
            portable::long_text_equals(query.dialect())
        }
        (Comparison::Equal, _) => "(@1 = @2)",
        (Comparison::NotEqual | Comparison::LessOrGreater, _) => "(@1 <> @2)",
        (Comparison::Less, _) => "(@1 < @2)",
        (Comparison::LessOrEqual, _) => "(@1 <= @2)",
        (Comparison::Greater, _) => "(@1 > @2)",
        (Comparison::GreaterOrEqual, _) => "(@1 >= @2)",
    };
    push_template(query, template, &both(operands));
}

/// Lists of plain values have a text of their own that hardly depends on their length.
fn push_in(query: &mut Query, operand: &Term, list: &[Term]) {
    query.push("(");
    if let Some(numbers) = list.iter().map(Term::as_int).collect::<Option<Vec<_>>>() {
        push_term(query, operand);
        query.push_in(&numbers);
    } else if let Some(texts) = list.iter().map(Term::as_text).collect::<Option<Vec<_>>>() {
        if operand.is_long_text() {
            query.push_in_long_texts(|query| push_term(query, operand), &texts);
        } else {
            push_term(query, operand);
            query.push_in_texts(&texts);
        }
    } else {
        push_term(query, operand);
        push_list(
            query,
            list,
            &List {
                open: " IN (",
                between: ", ",
                close: ")",
            },
        );
    }
    query.push(")");
}

fn push_case(
    query: &mut Query,
    subject: Option<&Term>,
    arms: &[(Term, Term)],
    otherwise: Option<&Term>,
) {
    query.push("(CASE");
    if let Some(subject) = subject {
        query.push(" ");
        push_term(query, subject);
    }
    for (when, then) in arms {
        push_template(query, " WHEN @1 THEN @2", &[when, then]);
    }
    if let Some(otherwise) = otherwise {
        push_template(query, " ELSE @1", &[otherwise]);
    }
    query.push(" END)");
}

fn push_call(query: &mut Query, function: Function, arguments: &[Term], ty: Type) {
    let dialect = query.dialect();
    match portable::variadic(dialect, function) {
        Some(list) if list.between == " || " => push_balanced(query, arguments, list.between),
        Some(list) if arguments.len() > 1 => push_list(query, arguments, &list),
        _ if function == Function::Substr => push_substr(query, arguments),
        _ => {
            let operands: Vec<_> = arguments.iter().collect();
            push_template(query, portable::function(dialect, function, ty), &operands);
        }
    }
}

fn push_substr(query: &mut Query, arguments: &[Term]) {
    let dialect = query.dialect();
    let operands: Vec<_> = arguments.iter().collect();
    push_template(query, "SUBSTR(@1, ", &operands);
    for (index, general) in [portable::start(dialect), portable::count(dialect)]
        .into_iter()
        .enumerate()
    {
        let Some(number) = arguments.get(index + 1) else {
            break;
        };
        if index > 0 {
            query.push(", ");
        }
        if matches!(number.node, Node::Int(1..=0x7fff_ffff)) {
            push_template(query, portable::small_integer(dialect), &[number]);
        } else {
            push_template(query, general, &operands);
        }
    }
    query.push(")");
}

fn push_list(query: &mut Query, terms: &[Term], list: &List) {
    query.push(list.open);
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            query.push(list.between);
        }
        push_term(query, term);
    }
    query.push(list.close);
}

/// Writes a chain as a balanced tree: SQLite allows expressions to be 1000 levels deep, and a plain
/// chain is as deep as it is long.
fn push_balanced(query: &mut Query, terms: &[Term], operator: &'static str) {
    if let [term] = terms {
        return push_term(query, term);
    }
    let (left, right) = terms.split_at(terms.len() / 2);
    query.push("(");
    push_balanced(query, left, operator);
    query.push(operator);
    push_balanced(query, right, operator);
    query.push(")");
}
