//! `/models/{model}/versions/{version}`: a version of a registered model, with its lineage.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::model::tags;
use crate::api::http::problem::Problem;
use crate::api::ui::node;
use crate::api::ui::page::{Section, Shell, html};
use crate::api::ui::text;
use crate::api::ui::views::{NodeView, web_link};
use crate::api::ui::visit::Visit;
use crate::error::Result;
use crate::graph::registered::ModelVersion;
use crate::model::{Kind, Side};

/// The most artifacts of a version that are shown.
const MAX_ARTIFACTS: usize = 20;

/// A fact of a version: a word, a text, and where the text leads.
struct VersionFact {
    word: &'static str,
    text: String,
    link: Option<String>,
    is_of_web: bool,
}

#[derive(Template)]
#[template(path = "ui/version.html")]
struct ModelVersionPage {
    page: Shell,
    model: String,
    model_link: String,
    list_link: String,
    version: String,
    aliases: Vec<String>,
    stage: String,
    description: String,
    facts: Vec<VersionFact>,
    tags: Vec<(String, String)>,
    artifacts: Vec<NodeView>,
    /// An `svg` element, made of escaped texts only.
    picture: String,
    lineage: Option<String>,
}

pub(in crate::api::ui) async fn page(visit: Visit) -> Result<Response, Problem> {
    let (model, version) = (visit.segment(0), visit.segment(1));
    let registry = visit.call.graph.registry();
    let found = registry.version(model, version).await?;
    let artifacts = registry.artifacts(std::slice::from_ref(&found)).await?;
    let ids: Vec<i64> = artifacts
        .into_values()
        .flatten()
        .take(MAX_ARTIFACTS)
        .collect();
    let artifacts = visit.call.graph.nodes_by_ids(Kind::Artifact, &ids).await?;
    let links = visit.links();
    let artifacts: Vec<NodeView> = artifacts
        .iter()
        .map(|it| NodeView::new(links, Kind::Artifact, it))
        .collect();
    let first = artifacts.first();
    let shown = ModelVersionPage {
        page: visit.page(Section::Models),
        model: text::name(&found.model),
        model_link: links.model(&found.model),
        list_link: links.to("/models"),
        version: text::cell(&found.version),
        aliases: found.aliases.iter().map(|it| text::cell(it)).collect(),
        stage: text::cell(&found.stage),
        description: text::visible(&found.description),
        facts: facts(&visit, &found).await?,
        tags: tags(&found.tags),
        picture: match first {
            Some(it) => node::picture(&visit, Side::Artifact, it.id, &it.label).await?,
            None => String::new(),
        },
        lineage: first.map(|it| links.lineage(Kind::Artifact, it.id)),
        artifacts,
    };
    Ok(html(StatusCode::OK, &shown)?)
}

async fn facts(visit: &Visit, found: &ModelVersion) -> Result<Vec<VersionFact>> {
    let links = visit.links();
    let run = match found.run.as_str() {
        "" => None,
        run => visit.call.graph.tracking().run_execution(run).await?,
    };
    let context = links.node(Kind::Context, found.id);
    let facts = [
        (
            "Run",
            text::cell(&found.run),
            run.map(|id| links.node(Kind::Execution, id)),
        ),
        ("Source", text::visible(&found.source), None),
        ("Run link", text::visible(&found.run_link), None),
        ("Created", text::time(found.create_time), None),
        ("Last change", text::time(found.update_time), None),
        ("Author", text::cell(&found.author), None),
        ("Context", format!("#{}", found.id), Some(context)),
    ];
    let filled = facts.into_iter().filter(|(_, text, _)| !text.is_empty());
    let fact = |(word, text, link): (&'static str, String, Option<String>)| VersionFact {
        word,
        is_of_web: link.is_none(),
        link: link.or_else(|| web_link(&text)),
        text,
    };
    Ok(filled.map(fact).collect())
}
