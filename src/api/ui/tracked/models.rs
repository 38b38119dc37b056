//! `/models`: registered models, the newest first, with their latest versions and their aliases.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{ASKED_ENTRIES, PAGE_ENTRIES, PageMark};
use crate::api::http::problem::Problem;
use crate::api::ui::page::{Section, Shell, html};
use crate::api::ui::text;
use crate::api::ui::visit::Visit;
use crate::graph::registered::RegisteredModelData;
use crate::model::{
    FieldCondition, FieldOrder, FieldTest, NumberOp, OffsetPage, RegistryField, TrackingQuery,
};

/// The most aliases that a row shows.
const MAX_ROW_ALIASES: usize = 5;

/// A version that something names.
pub(super) struct NamedVersion {
    pub name: String,
    pub version: String,
    pub link: String,
}

/// A registered model as a row.
struct ModelRow {
    name: String,
    link: String,
    latest: Vec<NamedVersion>,
    aliases: Vec<NamedVersion>,
    has_more_aliases: bool,
    owner: String,
    created: String,
    changed: String,
}

#[derive(Template)]
#[template(path = "ui/models.html")]
struct ModelsPage {
    page: Shell,
    models: Vec<ModelRow>,
    next: Option<String>,
    first: Option<String>,
}

pub(in crate::api::ui) async fn page(visit: Visit) -> Result<Response, Problem> {
    let after = PageMark::<i64>::parse(visit.asked("after"))?;
    let condition = |mark: PageMark<i64>| FieldCondition {
        field: RegistryField::CreateTime,
        test: FieldTest::Int(NumberOp::LessOrEqual, mark.number),
    };
    let query = TrackingQuery {
        conditions: after.map(condition).into_iter().collect(),
        order: vec![FieldOrder {
            field: RegistryField::CreateTime,
            is_descending: true,
        }],
        page: OffsetPage {
            limit: ASKED_ENTRIES,
            offset: after.map_or(0, |mark| mark.seen),
        },
    };
    let mut found = visit.call.graph.registry().models(&query).await?;
    let has_more = found.len() > PAGE_ENTRIES;
    found.truncate(PAGE_ENTRIES);
    let times: Vec<i64> = found.iter().map(|it| it.model.create_time).collect();
    let behind = PageMark::behind(&times, after).filter(|_| has_more);
    let link = |path: &str| visit.links().to(path);
    let shown = ModelsPage {
        page: visit.page(Section::Models),
        models: found.into_iter().map(|model| row(&visit, model)).collect(),
        next: behind.map(|mark| link(&format!("/models?after={}", mark.text()))),
        first: after.map(|_| link("/models")),
    };
    Ok(html(StatusCode::OK, &shown)?)
}

fn row(visit: &Visit, found: RegisteredModelData) -> ModelRow {
    let links = visit.links();
    let model = found.model;
    let named = |name: &str, version: &str| NamedVersion {
        name: text::cell(name),
        version: text::cell(version),
        link: links.model_version(&model.name, version),
    };
    let latest = found.latest.iter();
    let aliases = model.aliases.iter().take(MAX_ROW_ALIASES);
    ModelRow {
        latest: latest.map(|it| named(&it.stage, &it.version)).collect(),
        aliases: aliases
            .map(|(alias, version)| named(alias, version))
            .collect(),
        has_more_aliases: model.aliases.len() > MAX_ROW_ALIASES,
        link: links.model(&model.name),
        owner: text::cell(&model.owner),
        created: text::time(model.create_time),
        changed: text::time(model.update_time),
        name: text::name(&model.name),
    }
}
