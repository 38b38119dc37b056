//! `/types` and `/types/{kind}/{name}`: what is recorded, with which properties.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::page::{Links, Section, Shell, html};
use super::text;
use super::views::kind_glyph;
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::error::{Error, Result};
use crate::graph::NodeCount;
use crate::model::{Kind, NodeType, PropertyType, SIMPLE_TYPES, Stored};

/// The width of the bar of the type with the most nodes, in pixels.
const BAR_WIDTH: i64 = 120;

/// A type in a table.
#[derive(Clone, Debug)]
pub(super) struct TypeView {
    pub kind: &'static str,
    pub glyph: &'static str,
    pub name: String,
    pub version: String,
    pub link: String,
    pub list_link: String,
    pub nodes: i64,
    /// The number of nodes, with a sign where it is estimated.
    pub count: String,
    pub properties: usize,
    /// Pixels, beside the type with the most nodes.
    pub bar: i64,
}

impl TypeView {
    pub fn new(links: &Links, kind: Kind, known: &Stored<NodeType>, count: NodeCount) -> Self {
        let declared = &known.value;
        let sign = if count.is_estimated { "≈ " } else { "" };
        Self {
            kind: kind.noun(),
            glyph: kind_glyph(kind),
            name: text::cell(&declared.name),
            version: declared
                .version
                .as_deref()
                .map(text::cell)
                .unwrap_or_default(),
            link: links.node_type(kind, &declared.name),
            list_link: links.list_of_type(kind, &declared.name),
            nodes: count.nodes,
            count: format!("{sign}{}", text::number(count.nodes)),
            properties: declared.properties.len(),
            bar: 0,
        }
    }
}

/// The types with the widths of their bars.
pub(super) fn with_bars(mut types: Vec<TypeView>) -> Vec<TypeView> {
    let most = types
        .iter()
        .map(|it| it.nodes)
        .max()
        .unwrap_or_default()
        .max(1);
    for view in &mut types {
        let width = i128::from(view.nodes) * i128::from(BAR_WIDTH) / i128::from(most);
        view.bar = i64::try_from(width).unwrap_or(BAR_WIDTH).max(2);
    }
    types
}

/// The types of a kind.
struct KindOfTypes {
    title: &'static str,
    types: Vec<TypeView>,
}

#[derive(Template)]
#[template(path = "ui/types.html")]
struct TypesPage {
    page: Shell,
    kinds: Vec<KindOfTypes>,
}

pub(super) async fn all(visit: Visit) -> Result<Response, Problem> {
    let mut kinds = Vec::new();
    for (kind, title) in [
        (Kind::Artifact, "Artifact types"),
        (Kind::Execution, "Execution types"),
        (Kind::Context, "Context types"),
    ] {
        let found = visit.call.graph.browse().types(kind).await?.into_iter();
        // Those that every store has are shown where something uses them.
        let found = found.filter(|(known, count)| {
            count.nodes > 0 || !SIMPLE_TYPES.contains(&(kind, known.value.name.as_str()))
        });
        let view = |(known, count)| TypeView::new(visit.links(), kind, &known, count);
        let mut types: Vec<TypeView> = found.map(view).collect();
        types.sort_by(|one, other| other.nodes.cmp(&one.nodes).then(one.name.cmp(&other.name)));
        kinds.push(KindOfTypes {
            title,
            types: with_bars(types),
        });
    }
    let shown = TypesPage {
        page: visit.page(Section::Types),
        kinds,
    };
    Ok(html(StatusCode::OK, &shown)?)
}

/// A version of a type.
struct TypeVersionView {
    id: i64,
    version: String,
    description: String,
    external_id: String,
    /// Names and words for the types of the values.
    properties: Vec<(String, &'static str)>,
}

#[derive(Template)]
#[template(path = "ui/type.html")]
struct TypePage {
    page: Shell,
    kind: &'static str,
    glyph: &'static str,
    name: String,
    list_link: String,
    types_link: String,
    versions: Vec<TypeVersionView>,
}

pub(super) async fn one(visit: Visit) -> Result<Response, Problem> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.noun() == visit.segment(0));
    let kind = kind.ok_or_else(|| Error::NotFound("no such kind of type".into()))?;
    let name = visit.segment(1);
    let known = visit.call.graph.types(kind).await?.into_iter();
    let versions: Vec<TypeVersionView> = known
        .filter(|known| known.value.name == name)
        .map(|known| TypeVersionView {
            id: known.id,
            version: known
                .value
                .version
                .as_deref()
                .map(text::cell)
                .unwrap_or_default(),
            description: text::visible(known.value.description.as_deref().unwrap_or_default()),
            external_id: text::cell(known.value.external_id.as_deref().unwrap_or_default()),
            properties: known
                .value
                .properties
                .iter()
                .map(|(name, declared)| (text::cell(name), word(*declared)))
                .collect(),
        })
        .collect();
    if versions.is_empty() {
        return Err(Error::NotFound(format!("no {} type has this name", kind.noun())).into());
    }
    let shown = TypePage {
        page: visit.page(Section::Types),
        kind: kind.noun(),
        glyph: kind_glyph(kind),
        name: text::cell(name),
        list_link: visit.links().list_of_type(kind, name),
        types_link: visit.links().to(Section::Types.path()),
        versions,
    };
    Ok(html(StatusCode::OK, &shown)?)
}

const fn word(declared: PropertyType) -> &'static str {
    match declared {
        PropertyType::Unknown => "unknown",
        PropertyType::Int => "int",
        PropertyType::Double => "double",
        PropertyType::String => "string",
        PropertyType::Struct => "struct",
        PropertyType::Proto => "proto",
        PropertyType::Boolean => "bool",
    }
}
