//! What the names in a query refer to, and the joins that they cause.

use super::invalid::{Checked, Problem};
use super::names::{self, Enumeration, Field, Place, Relation};
use super::syntax::{Expr, Node as Syntax, Part};
use super::term::{Join, Owner, Term, Type};
use crate::model::Kind;

/// Most tables that one query may join. MySQL joins 61 in all, and the statement around the filter
/// has some of its own.
const MAX_TABLES: usize = 50;

/// The names of one kind of node, with what the query has mentioned of them so far.
pub(super) struct Names {
    kind: Kind,
    joins: Vec<Join>,
}

/// What a path refers to, before anything is joined for it.
enum Target<'a> {
    Attribute(&'static Field),
    Neighbour(&'static Relation, &'a str, &'static Field),
    Property {
        is_custom: bool,
        name: &'a str,
        column: &'static str,
        ty: Type,
    },
}

impl Names {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            joins: Vec::new(),
        }
    }

    /// Everything that was mentioned.
    pub(super) fn into_joins(self) -> Vec<Join> {
        self.joins
    }

    /// Whether the name alone is an attribute of the node.
    pub(super) fn is_attribute(&self, name: &str) -> bool {
        names::find(names::attributes(self.kind), name).is_some()
    }

    /// The enum that the expression is a column of, if it is one.
    pub(super) fn enumeration(&self, expr: &Expr) -> Option<&'static Enumeration> {
        let Syntax::Path(parts) = &expr.node else {
            return None;
        };
        match self.target(parts) {
            Ok(Target::Attribute(field) | Target::Neighbour(_, _, field)) => field.values,
            _ => None,
        }
    }

    /// The column that the path names. Joins what it needs.
    pub(super) fn resolve(&mut self, parts: &[Part]) -> Checked<Term> {
        let at = parts.first().map_or(0, |part| part.at);
        match self.target(parts)? {
            Target::Attribute(field) if field.place == Place::TypeName => {
                self.join(at, |join| matches!(join, Join::Type), || Join::Type)?;
                Ok(type_name(Owner::NodeType))
            }
            Target::Attribute(field) => Ok(Term::column(Owner::Node, field.name, field.ty)),
            Target::Neighbour(relation, name, field) => {
                let same = |join: &Join| join.is_neighbour(name);
                let make = || Join::Neighbour {
                    relation,
                    name: name.to_owned(),
                    typed: false,
                };
                let number = self.join(at, same, make)?;
                if field.place == Place::TypeName {
                    self.join_type_of(number, at)?;
                    return Ok(type_name(Owner::NeighbourType(number)));
                }
                Ok(Term::column(Owner::Neighbour(number), field.name, field.ty))
            }
            Target::Property {
                is_custom,
                name,
                column,
                ty,
            } => {
                let same = |join: &Join| join.is_property(name, is_custom);
                let number = self.join(at, same, || Join::Property {
                    name: name.to_owned(),
                    is_custom,
                })?;
                Ok(Term::column(Owner::Property(number), column, ty))
            }
        }
    }

    /// The number of the join that is the same, which is added unless it is there.
    fn join(
        &mut self,
        at: usize,
        same: impl Fn(&Join) -> bool,
        make: impl Fn() -> Join,
    ) -> Checked<usize> {
        if let Some(number) = self.joins.iter().position(same) {
            return Ok(number);
        }
        self.joins.push(make());
        self.check_tables(at)?;
        Ok(self.joins.len() - 1)
    }

    fn join_type_of(&mut self, neighbour: usize, at: usize) -> Checked<()> {
        if let Some(Join::Neighbour { typed, .. }) = self.joins.get_mut(neighbour) {
            *typed = true;
        }
        self.check_tables(at)
    }

    fn check_tables(&self, at: usize) -> Checked<()> {
        if self.joins.iter().map(Join::tables).sum::<usize>() <= MAX_TABLES {
            return Ok(());
        }
        let text = format!(
            "Too many distinct properties and neighbours: they may join {MAX_TABLES} tables at most"
        );
        Err(Problem::new(at, text))
    }

    fn target<'a>(&self, parts: &'a [Part]) -> Checked<Target<'a>> {
        let Some((first, rest)) = parts.split_first() else {
            return Err(Problem::overall("an empty name"));
        };
        let unrecognized = || Problem::new(first.at, format!("Unrecognized name: {}", first.name));
        if let Some(field) = names::find(names::attributes(self.kind), &first.name) {
            return no_more(rest, field.ty).map(|()| Target::Attribute(field));
        }
        if first.quoted {
            return Err(unrecognized());
        }
        if let Some(is_custom) = property_list(&first.name) {
            let [name, value, rest @ ..] = rest else {
                return Err(unrecognized());
            };
            let field = names::VALUE_FIELDS
                .into_iter()
                .find(|field| field.0 == value.name);
            let (column, ty) = field
                .filter(|_| !name.spaced && !value.spaced)
                .ok_or_else(unrecognized)?;
            return no_more(rest, ty).map(|()| Target::Property {
                is_custom,
                name: &name.name,
                column,
                ty,
            });
        }
        match (names::relation(self.kind, &first.name), rest) {
            (Some(relation), [part, rest @ ..]) if !part.spaced => {
                let field = names::find(relation.fields, &part.name)
                    .ok_or_else(|| no_field(relation, part, rest))?;
                no_more(rest, field.ty)?;
                Ok(Target::Neighbour(relation, &first.name, field))
            }
            _ => Err(unrecognized()),
        }
    }
}

fn type_name(owner: Owner) -> Term {
    Term::column(owner, "name", Type::Text)
}

/// Whether the name starts the path of a property, and then whether of a custom one.
fn property_list(name: &str) -> Option<bool> {
    match name {
        "properties" => Some(false),
        "custom_properties" => Some(true),
        _ => None,
    }
}

/// Refuses parts behind a plain value.
fn no_more(parts: &[Part], ty: Type) -> Checked<()> {
    parts.first().map_or(Ok(()), |part| {
        let text = format!(
            "Cannot access field {} on a value with type {ty}",
            part.name
        );
        Err(Problem::new(part.at, text))
    })
}

fn no_field(relation: &Relation, part: &Part, rest: &[Part]) -> Problem {
    let field = match rest {
        // A property of a neighbour goes by this name in MLMD's message.
        [property, ..] if property_list(&part.name).is_some() => {
            format!("{}_{}", part.name, property.name)
        }
        _ => part.name.clone(),
    };
    let mut columns: Vec<_> = relation
        .fields
        .iter()
        .take(3)
        .map(|field| format!("{} {}", field.name, field.ty))
        .collect();
    if relation.fields.len() > columns.len() {
        columns.push("...".to_owned());
    }
    Problem::new(
        part.at,
        format!(
            "Field name {field} does not exist in STRUCT<{}>",
            columns.join(", ")
        ),
    )
}
