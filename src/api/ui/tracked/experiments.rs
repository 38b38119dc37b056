//! `/experiments`: the experiments of clients of experiment tracking, the newest first.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{ASKED_ENTRIES, PAGE_ENTRIES};
use crate::api::http::problem::Problem;
use crate::api::ui::choices::LinkChoice;
use crate::api::ui::page::{Section, Shell, html};
use crate::api::ui::text;
use crate::api::ui::visit::Visit;
use crate::error::Error;
use crate::graph::tracking::Experiment;
use crate::model::{
    ExperimentField, FieldCondition, FieldTest, LifecycleView, NumberOp, OffsetPage, TrackingQuery,
};

/// An experiment as a row.
struct ExperimentRow {
    number: i64,
    name: String,
    link: String,
    created: String,
    changed: String,
}

#[derive(Template)]
#[template(path = "ui/experiments.html")]
struct ExperimentsPage {
    page: Shell,
    experiments: Vec<ExperimentRow>,
    views: Vec<LinkChoice>,
    next: Option<String>,
}

pub(in crate::api::ui) async fn page(visit: Visit) -> Result<Response, Problem> {
    let is_deleted = match visit.asked("view") {
        None | Some("active") => false,
        Some("deleted") => true,
        Some(_) => return Err(Error::invalid("view: must be active or deleted").into()),
    };
    let after = visit.asked("after").map(str::parse::<i64>).transpose();
    let after = after.map_err(|_| Error::invalid("after: must be the number of an experiment"))?;
    let before = |number| FieldCondition {
        field: ExperimentField::Id,
        test: FieldTest::Int(NumberOp::Less, number),
    };
    let query = TrackingQuery {
        conditions: after.map(before).into_iter().collect(),
        order: Vec::new(),
        page: OffsetPage {
            limit: ASKED_ENTRIES,
            offset: 0,
        },
    };
    let view = if is_deleted {
        LifecycleView::Deleted
    } else {
        LifecycleView::Active
    };
    let tracking = visit.call.graph.tracking();
    let mut found = if tracking.is_used().await? {
        tracking.experiments(view, &query).await?
    } else {
        Vec::new()
    };
    let has_more = found.len() > PAGE_ENTRIES;
    found.truncate(PAGE_ENTRIES);
    let links = visit.links();
    let path = |deleted: bool, after: Option<i64>| {
        let view = if deleted { "?view=deleted" } else { "" };
        let joint = if deleted { '&' } else { '?' };
        let after = after.map(|after| format!("{joint}after={after}"));
        links.to(&["/experiments", view, &after.unwrap_or_default()].concat())
    };
    let last = found.last().map(|it| it.number);
    let row = |it: &Experiment| ExperimentRow {
        number: it.number,
        name: text::name(&it.name),
        link: links.to(&format!("/experiments/{}", it.number)),
        created: text::time(it.create_time),
        changed: text::time(it.update_time),
    };
    let shown = ExperimentsPage {
        page: visit.page(Section::Experiments),
        experiments: found.iter().map(row).collect(),
        views: [("active", false), ("deleted", true)]
            .map(|(word, deleted)| LinkChoice {
                word,
                link: path(deleted, None),
                is_taken: deleted == is_deleted,
            })
            .into(),
        next: has_more.then(|| path(is_deleted, last)),
    };
    Ok(html(StatusCode::OK, &shown)?)
}
