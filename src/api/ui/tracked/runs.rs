//! `/experiments/{experiment}`: the runs of an experiment, with parameters and metrics as columns;
//! and `/experiments/{experiment}/runs/{run}`, which leads to the execution that the run is.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use url::form_urlencoded;

use super::columns::RunColumns;
use super::{ASKED_ENTRIES, PAGE_ENTRIES, PageMark};
use crate::api::http::problem::Problem;
use crate::api::mlflow::run_conditions;
use crate::api::ui::page::{Section, Shell, html};
use crate::api::ui::text;
use crate::api::ui::views::mark_of_execution;
use crate::api::ui::visit::{Visit, parse_id};
use crate::error::{Error, Result};
use crate::graph::tracking::{Experiment, ListedRun};
use crate::model::{
    FieldCondition, FieldOrder, FieldTest, Kind, LifecycleView, NumberOp, OffsetPage, RunField,
    TrackingQuery,
};
use crate::picture::Mark;

/// The most bytes of the key of a metric in a URL.
const MAX_KEY_BYTES: usize = 500;

/// What sorts the runs.
#[derive(Clone, Debug, PartialEq)]
enum RunOrder {
    /// By their starts, the latest first.
    Newest,
    Oldest,
    /// By the latest value of a metric. Runs without a value are left out.
    Metric {
        key: String,
        is_descending: bool,
    },
}

impl RunOrder {
    /// The order that a text is: `newest`, `oldest`, `up:METRIC` or `down:METRIC`.
    fn parse(text: Option<&str>) -> Result<Self> {
        match text {
            None | Some("newest") => Ok(Self::Newest),
            Some("oldest") => Ok(Self::Oldest),
            Some(text) => {
                let up = text.strip_prefix("up:");
                let key = up.or_else(|| text.strip_prefix("down:"));
                let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY_BYTES);
                let rule = "order: must be newest, oldest, up:METRIC or down:METRIC";
                Ok(Self::Metric {
                    key: key.ok_or_else(|| Error::invalid(rule))?.to_owned(),
                    is_descending: up.is_none(),
                })
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Newest => String::new(),
            Self::Oldest => "oldest".to_owned(),
            Self::Metric { key, is_descending } => {
                [if *is_descending { "down:" } else { "up:" }, key].concat()
            }
        }
    }

    const fn metric(&self) -> Option<(&String, bool)> {
        match self {
            Self::Metric { key, is_descending } => Some((key, *is_descending)),
            Self::Newest | Self::Oldest => None,
        }
    }
}

/// What is asked for by the URL.
struct RunsQuery {
    filter: String,
    is_deleted: bool,
    order: RunOrder,
    after: Option<PageMark<f64>>,
}

impl RunsQuery {
    fn new(visit: &Visit) -> Result<Self> {
        Ok(Self {
            filter: visit.asked("filter").unwrap_or_default().to_owned(),
            is_deleted: match visit.asked("view") {
                None | Some("active") => false,
                Some("deleted") => true,
                Some(_) => return Err(Error::invalid("view: must be active or deleted")),
            },
            order: RunOrder::parse(visit.asked("order"))?,
            after: match PageMark::<f64>::parse(visit.asked("after"))? {
                Some(mark) if mark.number.is_nan() => {
                    return Err(Error::invalid("after: must have a number"));
                }
                after => after,
            },
        })
    }

    /// The query of a URL with this order, behind a mark.
    fn write(&self, order: &RunOrder, after: Option<PageMark<f64>>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, text) in [
            ("filter", self.filter.clone()),
            (
                "view",
                if self.is_deleted { "deleted" } else { "" }.to_owned(),
            ),
            ("order", order.text()),
            ("after", after.map(PageMark::text).unwrap_or_default()),
        ] {
            if !text.is_empty() {
                query.append_pair(name, &text);
            }
        }
        query.finish()
    }

    /// The search of a page.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a malformed filter.
    fn search(&self) -> Result<TrackingQuery<RunField>> {
        let mut conditions = run_conditions(&self.filter)?;
        let (field, is_descending) = match &self.order {
            RunOrder::Newest => (RunField::StartTime, true),
            RunOrder::Oldest => (RunField::StartTime, false),
            RunOrder::Metric { key, is_descending } => {
                let field = RunField::Metric(key.clone());
                // Not a number is left out.
                conditions.push(FieldCondition {
                    field: field.clone(),
                    test: FieldTest::Double(NumberOp::LessOrEqual, f64::INFINITY),
                });
                (field, *is_descending)
            }
        };
        if let Some(after) = self.after {
            let op = if is_descending {
                NumberOp::LessOrEqual
            } else {
                NumberOp::GreaterOrEqual
            };
            let test = match field {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a start comes from a link of this page"
                )]
                RunField::StartTime => FieldTest::Int(op, after.number as i64),
                _ => FieldTest::Double(op, after.number),
            };
            conditions.push(FieldCondition {
                field: field.clone(),
                test,
            });
        }
        let order = FieldOrder {
            field,
            is_descending,
        };
        Ok(TrackingQuery {
            conditions,
            order: vec![order],
            page: OffsetPage {
                limit: ASKED_ENTRIES,
                offset: self.after.map_or(0, |after| after.seen),
            },
        })
    }

    /// The number by which a run is sorted.
    #[expect(
        clippy::cast_precision_loss,
        reason = "starts are less than 2 to the power of 53 milliseconds from 1970"
    )]
    fn number(&self, found: &ListedRun) -> f64 {
        match &self.order {
            RunOrder::Newest | RunOrder::Oldest => found.run.started.unwrap_or_default() as f64,
            RunOrder::Metric { key, .. } => {
                let point = found.metrics.iter().find(|point| point.key == *key);
                point.map_or(0.0, |point| point.value)
            }
        }
    }
}

/// A run as a row.
struct RunRowView {
    execution: i64,
    name: String,
    link: String,
    mark: Option<Mark>,
    started: String,
    took: String,
    texts: Vec<String>,
}

/// A column of a metric, and the link that sorts by it.
struct MetricColumn {
    name: String,
    link: String,
    /// Which way the runs are sorted by it; empty if they are not.
    sorted: &'static str,
}

#[derive(Template)]
#[template(path = "ui/experiment.html")]
struct ExperimentRunsPage {
    page: Shell,
    title: String,
    number: i64,
    context: Option<String>,
    list_link: String,
    action: String,
    filter: String,
    is_deleted: bool,
    order: String,
    error: String,
    metrics: Vec<MetricColumn>,
    params: Vec<String>,
    note: String,
    runs: Vec<RunRowView>,
    next: Option<String>,
    first: Option<String>,
}

pub(in crate::api::ui) async fn page(visit: Visit) -> Result<Response, Problem> {
    let number = parse_id(visit.segment(0))?;
    let query = RunsQuery::new(&visit)?;
    let experiment = find(&visit, number).await?;
    let (mut found, error) = match query.search() {
        Ok(search) => (
            search_runs(&visit, number, &query, &search).await?,
            String::new(),
        ),
        // The form stays as it was filled in.
        Err(Error::InvalidArgument(error)) => (Vec::new(), text::visible(&error)),
        Err(error) => return Err(error.into()),
    };
    let has_more = found.len() > PAGE_ENTRIES;
    found.truncate(PAGE_ENTRIES);
    let path = visit.links().to(&format!("/experiments/{number}"));
    let link = |query: String| match query.as_str() {
        "" => path.clone(),
        query => format!("{path}?{query}"),
    };
    let numbers: Vec<f64> = found.iter().map(|run| query.number(run)).collect();
    let ordered = query.order.metric();
    let columns = RunColumns::of(&found, ordered.map(|(key, _)| key.as_str()));
    let column = |key: &String| {
        let present = ordered.filter(|(known, _)| *known == key);
        let order = RunOrder::Metric {
            key: key.clone(),
            is_descending: !present.is_some_and(|(_, is_descending)| is_descending),
        };
        MetricColumn {
            name: text::name(key),
            link: link(query.write(&order, None)),
            sorted: match present {
                Some((_, true)) => "descending",
                Some((_, false)) => "ascending",
                None => "",
            },
        }
    };
    let is_refused = !error.is_empty();
    let shown = ExperimentRunsPage {
        page: visit.page(Section::Experiments),
        title: text::name(&experiment.name),
        number,
        context: context(&visit, number).await?,
        list_link: visit.links().to("/experiments"),
        action: path.clone(),
        filter: text::visible(&query.filter),
        is_deleted: query.is_deleted,
        order: text::visible(&query.order.text()),
        error,
        metrics: columns.metrics.iter().map(column).collect(),
        params: columns.params.iter().map(|key| text::cell(key)).collect(),
        note: note(&columns, ordered.is_some()),
        runs: found.iter().map(|run| row(&visit, &columns, run)).collect(),
        next: PageMark::behind(&numbers, query.after)
            .filter(|_| has_more)
            .map(|mark| link(query.write(&query.order, Some(mark)))),
        first: query.after.map(|_| link(query.write(&query.order, None))),
    };
    let status = if is_refused {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    Ok(html(status, &shown)?)
}

fn note(columns: &RunColumns, is_by_metric: bool) -> String {
    let mut notes = Vec::new();
    if is_by_metric {
        notes.push("Runs without a number in this metric are left out.".to_owned());
    }
    if columns.left_out > 0 {
        let left_out = text::count(columns.left_out, "other metric or parameter");
        notes.push(format!(
            "{left_out} of these runs: compare them to see all."
        ));
    }
    notes.join(" ")
}

/// The experiment with a number.
async fn find(visit: &Visit, number: i64) -> Result<Experiment> {
    let tracking = visit.call.graph.tracking();
    let found = if tracking.is_used().await? {
        tracking.experiment(number).await?
    } else {
        None
    };
    found.ok_or_else(|| Error::NotFound(format!("there is no experiment {number}")))
}

/// The link to the context that an experiment is.
async fn context(visit: &Visit, number: i64) -> Result<Option<String>> {
    let id = visit
        .call
        .graph
        .tracking()
        .experiment_context(number)
        .await?;
    Ok(id.map(|id| visit.links().node(Kind::Context, id)))
}

async fn search_runs(
    visit: &Visit,
    number: i64,
    query: &RunsQuery,
    search: &TrackingQuery<RunField>,
) -> Result<Vec<ListedRun>> {
    let view = if query.is_deleted {
        LifecycleView::Deleted
    } else {
        LifecycleView::Active
    };
    let tracking = visit.call.graph.tracking();
    tracking.listed_runs(&[number], view, search).await
}

fn row(visit: &Visit, columns: &RunColumns, found: &ListedRun) -> RunRowView {
    let run = &found.run;
    let name = match run.name.trim() {
        "" => &run.id,
        _ => &run.name,
    };
    let took = run.started.zip(run.ended);
    RunRowView {
        execution: found.execution_id,
        name: text::cell(name),
        link: visit.links().node(Kind::Execution, found.execution_id),
        mark: run.state.and_then(mark_of_execution),
        started: text::time(run.started.unwrap_or_default()),
        took: took
            .and_then(|(started, ended)| ended.checked_sub(started))
            .map(text::duration)
            .unwrap_or_default(),
        texts: columns
            .texts(found)
            .iter()
            .map(|it| text::cell(it))
            .collect(),
    }
}

/// Leads to the execution that a run is. Clients print this address behind a `#`.
pub(in crate::api::ui) async fn run(visit: Visit) -> Result<Response, Problem> {
    let id = visit.segment(1);
    let found = visit.call.graph.tracking().run_execution(id).await?;
    let missing = || Error::NotFound("there is no run with this id".into());
    let execution = found.ok_or_else(missing)?;
    let link = visit.links().node(Kind::Execution, execution);
    Ok(Redirect::to(&link).into_response())
}
