//! Name resolution: from paths to columns, and the joins that these need.

use super::ast::{AstKind, AstNode, PathSegment};
use super::catalog::{self, EnumValues, FieldDef, FieldSource, Relation};
use super::error::Diagnostic;
use super::expr::{Expr, Join, TableAlias};
use super::limits::MAX_JOINED_TABLES;
use super::types::Type;
use crate::model::Kind;

/// Resolves the paths of a query over one kind of node, and collects the joins.
pub(super) struct Resolver {
    kind: Kind,
    joins: Vec<Join>,
}

/// The thing that a path refers to, before it is joined.
enum ResolvedPath<'a> {
    Attribute(&'static FieldDef),
    Neighbour(&'static Relation, &'a str, &'static FieldDef),
    Property {
        is_custom: bool,
        name: &'a str,
        column: &'static str,
        ty: Type,
    },
}

impl Resolver {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            joins: Vec::new(),
        }
    }

    /// The joins for all paths that were resolved.
    pub(super) fn into_joins(self) -> Vec<Join> {
        self.joins
    }

    /// Whether the name is an attribute of the node.
    pub(super) fn is_attribute(&self, name: &str) -> bool {
        catalog::find(catalog::attributes(self.kind), name).is_some()
    }

    /// The values of the enum, if the syntax node is a path to an enum column.
    pub(super) fn enum_values(&self, ast: &AstNode) -> Option<&'static EnumValues> {
        let AstKind::Path(parts) = &ast.kind else {
            return None;
        };
        match self.target(parts) {
            Ok(ResolvedPath::Attribute(field) | ResolvedPath::Neighbour(_, _, field)) => {
                field.values
            }
            _ => None,
        }
    }

    /// The column that a path names. Adds the joins that it needs.
    pub(super) fn resolve(&mut self, parts: &[PathSegment]) -> Result<Expr, Diagnostic> {
        let offset = parts.first().map_or(0, |part| part.offset);
        match self.target(parts)? {
            ResolvedPath::Attribute(field) if field.source == FieldSource::TypeName => {
                self.join(offset, |join| matches!(join, Join::Type), || Join::Type)?;
                Ok(type_name(TableAlias::NodeType))
            }
            ResolvedPath::Attribute(field) => {
                Ok(Expr::column(TableAlias::Node, field.name, field.ty))
            }
            ResolvedPath::Neighbour(relation, name, field) => {
                let same = |join: &Join| join.is_neighbour(name);
                let make = || Join::Neighbour {
                    relation,
                    name: name.to_owned(),
                    typed: false,
                };
                let number = self.join(offset, same, make)?;
                if field.source == FieldSource::TypeName {
                    self.join_type_of(number, offset)?;
                    return Ok(type_name(TableAlias::NeighbourType(number)));
                }
                Ok(Expr::column(
                    TableAlias::Neighbour(number),
                    field.name,
                    field.ty,
                ))
            }
            ResolvedPath::Property {
                is_custom,
                name,
                column,
                ty,
            } => {
                let same = |join: &Join| join.is_property(name, is_custom);
                let number = self.join(offset, same, || Join::Property {
                    name: name.to_owned(),
                    is_custom,
                })?;
                Ok(Expr::column(TableAlias::Property(number), column, ty))
            }
        }
    }

    /// The number of the join for which `same` is true; adds the join of `make` if there is none.
    fn join(
        &mut self,
        offset: usize,
        same: impl Fn(&Join) -> bool,
        make: impl Fn() -> Join,
    ) -> Result<usize, Diagnostic> {
        if let Some(number) = self.joins.iter().position(same) {
            return Ok(number);
        }
        self.joins.push(make());
        self.check_tables(offset)?;
        Ok(self.joins.len() - 1)
    }

    fn join_type_of(&mut self, neighbour: usize, offset: usize) -> Result<(), Diagnostic> {
        if let Some(Join::Neighbour { typed, .. }) = self.joins.get_mut(neighbour) {
            *typed = true;
        }
        self.check_tables(offset)
    }

    fn check_tables(&self, offset: usize) -> Result<(), Diagnostic> {
        if self.joins.iter().map(Join::tables).sum::<usize>() <= MAX_JOINED_TABLES {
            return Ok(());
        }
        let text = format!(
            "Too many distinct properties and neighbours: they may join {MAX_JOINED_TABLES} tables at most"
        );
        Err(Diagnostic::new(offset, text))
    }

    fn target<'a>(&self, parts: &'a [PathSegment]) -> Result<ResolvedPath<'a>, Diagnostic> {
        let Some((first, rest)) = parts.split_first() else {
            return Err(Diagnostic::overall("an empty name"));
        };
        let unrecognized =
            || Diagnostic::new(first.offset, format!("Unrecognized name: {}", first.name));
        if let Some(field) = catalog::find(catalog::attributes(self.kind), &first.name) {
            return no_more(rest, field.ty).map(|()| ResolvedPath::Attribute(field));
        }
        if first.quoted {
            return Err(unrecognized());
        }
        if let Some(is_custom) = property_list(&first.name) {
            let [name, value, rest @ ..] = rest else {
                return Err(unrecognized());
            };
            if ["int", "double", "string", "bool"].contains(&value.name.as_str()) {
                let text = format!(
                    "Field name {} does not exist in \
                     STRUCT<int_value INT64, double_value DOUBLE, string_value STRING, ...>",
                    value.name
                );
                return Err(Diagnostic::new(value.offset, text));
            }
            let field = catalog::VALUE_FIELDS
                .into_iter()
                .find(|field| field.0 == value.name);
            let (column, ty) = field
                .filter(|_| !name.spaced && !value.spaced)
                .ok_or_else(unrecognized)?;
            return no_more(rest, ty).map(|()| ResolvedPath::Property {
                is_custom,
                name: &name.name,
                column,
                ty,
            });
        }
        match (catalog::relation(self.kind, &first.name), rest) {
            (Some(relation), [part, rest @ ..]) if !part.spaced => {
                let field = catalog::find(relation.fields, &part.name)
                    .ok_or_else(|| no_field(relation, part, rest))?;
                no_more(rest, field.ty)?;
                Ok(ResolvedPath::Neighbour(relation, &first.name, field))
            }
            _ => Err(unrecognized()),
        }
    }
}

fn type_name(table: TableAlias) -> Expr {
    Expr::column(table, "name", Type::Text)
}

/// `Some` for the first name of a path to a property: whether it is a custom property.
fn property_list(name: &str) -> Option<bool> {
    match name {
        "properties" => Some(false),
        "custom_properties" => Some(true),
        _ => None,
    }
}

/// Refuses path segments behind a scalar value.
fn no_more(parts: &[PathSegment], ty: Type) -> Result<(), Diagnostic> {
    parts.first().map_or(Ok(()), |part| {
        let text = format!(
            "Cannot access field {} on a value with type {ty}",
            part.name
        );
        Err(Diagnostic::new(part.offset, text))
    })
}

fn no_field(relation: &Relation, part: &PathSegment, rest: &[PathSegment]) -> Diagnostic {
    let field = match rest {
        // MLMD's message calls a property of a neighbour so.
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
    Diagnostic::new(
        part.offset,
        format!(
            "Field name {field} does not exist in STRUCT<{}>",
            columns.join(", ")
        ),
    )
}
