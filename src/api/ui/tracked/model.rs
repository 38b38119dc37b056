//! `/models/{model}`: a registered model with its versions, its aliases, and what an alias named
//! before.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::models::NamedVersion;
use super::{ASKED_ENTRIES, PAGE_ENTRIES};
use crate::api::http::problem::Problem;
use crate::api::ui::page::{Section, Shell, html};
use crate::api::ui::text;
use crate::api::ui::visit::Visit;
use crate::error::{Error, Result};
use crate::graph::registered::names::version_number_property;
use crate::graph::registered::{AliasMove, ModelVersion, RegisteredModel};
use crate::model::{
    FieldCondition, FieldOrder, FieldTest, Kind, NumberOp, OffsetPage, RegistryField, TextOp,
    TrackingQuery,
};

/// The most moves of an alias, and the most aliases, that are shown.
const MAX_MOVES: i64 = 50;
const MAX_ALIASES: usize = 100;

/// A version as a row.
struct VersionRow {
    version: String,
    link: String,
    aliases: String,
    stage: String,
    author: String,
    created: String,
    lineage: Option<String>,
}

/// An alias, and the page with its moves.
struct AliasRow {
    named: NamedVersion,
    history: String,
    is_shown: bool,
}

/// A move of an alias as a row.
pub(super) struct MoveRow {
    before: String,
    after: String,
    time: String,
    principal: String,
}

#[derive(Template)]
#[template(path = "ui/model.html")]
struct ModelDetailPage {
    page: Shell,
    name: String,
    list_link: String,
    context: String,
    description: String,
    facts: Vec<(&'static str, String)>,
    tags: Vec<(String, String)>,
    aliases: Vec<AliasRow>,
    has_more_aliases: bool,
    alias: String,
    moves: Vec<MoveRow>,
    versions: Vec<VersionRow>,
    next: Option<String>,
}

pub(in crate::api::ui) async fn page(visit: Visit) -> Result<Response, Problem> {
    let name = visit.segment(0);
    let registry = visit.call.graph.registry();
    let model = registry.model(name).await?.model;
    let after = visit.asked("after").map(str::parse::<i64>).transpose();
    let after = after.map_err(|_| Error::invalid("after: must be the number of a version"))?;
    let mut versions = registry.versions(&versions_query(name, after)).await?;
    let has_more = versions.len() > PAGE_ENTRIES;
    versions.truncate(PAGE_ENTRIES);
    let artifacts = registry.artifacts(&versions).await?;
    let first = model.aliases.first().map(|(alias, _)| alias.as_str());
    let alias = visit.asked("alias").or(first).unwrap_or_default();
    let moves = if alias.is_empty() {
        Vec::new()
    } else {
        registry.alias_history(name, alias, MAX_MOVES).await?
    };
    let links = visit.links();
    let last = versions
        .last()
        .and_then(|it| it.version.parse::<i64>().ok());
    let next = last.filter(|_| has_more);
    let shown = ModelDetailPage {
        page: visit.page(Section::Models),
        name: text::name(&model.name),
        list_link: links.to("/models"),
        context: links.node(Kind::Context, model.id),
        description: text::visible(model.description.as_deref().unwrap_or_default()),
        facts: facts(&model),
        tags: tags(&model.tags),
        aliases: alias_rows(&visit, &model, alias),
        has_more_aliases: model.aliases.len() > MAX_ALIASES,
        alias: text::cell(alias),
        moves: moves.iter().map(move_row).collect(),
        versions: versions
            .iter()
            .map(|it| version_row(&visit, it, &artifacts))
            .collect(),
        next: next.map(|last| format!("{}?after={last}", links.model(&model.name))),
    };
    Ok(html(StatusCode::OK, &shown)?)
}

/// The versions of a model, the highest number first, below a number.
fn versions_query(model: &str, after: Option<i64>) -> TrackingQuery<RegistryField> {
    let number = || RegistryField::Int(version_number_property());
    let mut conditions = vec![FieldCondition {
        field: RegistryField::ParentName,
        test: FieldTest::Text(TextOp::Equal, model.to_owned()),
    }];
    conditions.extend(after.map(|after| FieldCondition {
        field: number(),
        test: FieldTest::Int(NumberOp::Less, after),
    }));
    TrackingQuery {
        conditions,
        order: vec![FieldOrder {
            field: number(),
            is_descending: true,
        }],
        page: OffsetPage {
            limit: ASKED_ENTRIES,
            offset: 0,
        },
    }
}

fn facts(model: &RegisteredModel) -> Vec<(&'static str, String)> {
    let facts = [
        ("Created", text::time(model.create_time)),
        ("Last change", text::time(model.update_time)),
        ("Owner", text::cell(&model.owner)),
    ];
    facts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// Tags as texts for a page.
pub(super) fn tags(tags: &[(String, String)]) -> Vec<(String, String)> {
    let shown = tags.iter().take(MAX_ALIASES);
    shown
        .map(|(key, value)| (text::cell(key), text::cell(value)))
        .collect()
}

fn alias_rows(visit: &Visit, model: &RegisteredModel, shown: &str) -> Vec<AliasRow> {
    let links = visit.links();
    let row = |(alias, version): &(String, String)| AliasRow {
        named: NamedVersion {
            name: text::cell(alias),
            version: text::cell(version),
            link: links.model_version(&model.name, version),
        },
        history: links.alias_history(&model.name, alias),
        is_shown: alias == shown,
    };
    model.aliases.iter().take(MAX_ALIASES).map(row).collect()
}

fn move_row(moved: &AliasMove) -> MoveRow {
    MoveRow {
        before: text::cell(&moved.before),
        after: text::cell(&moved.after),
        time: text::time(moved.time),
        principal: text::cell(&moved.principal),
    }
}

fn version_row(
    visit: &Visit,
    found: &ModelVersion,
    artifacts: &BTreeMap<i64, Vec<i64>>,
) -> VersionRow {
    let links = visit.links();
    let artifact = artifacts.get(&found.id).and_then(|ids| ids.first());
    VersionRow {
        link: links.model_version(&found.model, &found.version),
        aliases: text::cell(&found.aliases.join(", ")),
        stage: text::cell(&found.stage),
        author: text::cell(&found.author),
        created: text::time(found.create_time),
        lineage: artifact.map(|id| links.lineage(Kind::Artifact, *id)),
        version: text::cell(&found.version),
    }
}
