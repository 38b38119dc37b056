//! `MLflow`'s tracking API, by which its clients log experiments, runs and models, below
//! `/api/2.0/mlflow` and `/ajax-api/2.0/mlflow`. What is not served is answered with
//! `ENDPOINT_NOT_FOUND`.
//!
//! * `plain`: what clients ask about the server.
//! * `experiments`, `runs`, `log`, `inputs`: experiments, runs and what is logged to runs.
//! * `history`: the points of metrics.
//! * `artifacts`: files of runs and models.
//! * `models`: logged models; `model_views`: these as answers have them.
//! * `registered`, `versions`: the model registry; `registry_views`: it as answers have it.
//! * `search`: searches; `filter`: their language; `page`: their pages.
//! * `fields`: the fields of requests; `checks`: what keys and texts may be.
//! * `views`: experiments and runs as answers have them; `refusal`: errors.
//! * `workspaces`: the header that names a tenant.

mod artifacts;
mod checks;
mod experiments;
mod fields;
mod filter;
mod history;
mod inputs;
mod log;
mod model_views;
mod models;
mod page;
mod plain;
mod refusal;
mod registered;
mod registry_views;
mod run_names;
mod runs;
mod search;
mod versions;
mod views;
mod workspaces;

use axum::extract::{FromRequest, Request};
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::{any, delete, get, patch, post};
use axum::{Json, Router};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;

use crate::api::call::{Call, Calls};
use crate::api::http::{body, is_json};
use crate::error::Error;
use crate::model::{Door, FieldCondition, RunField};
pub use artifacts::{ArtifactSettings, is_upload};
use fields::Fields;
use refusal::MlflowRefusal;

/// The conditions of a filter on runs, in the language of searches, for pages that take one.
///
/// # Errors
///
/// `InvalidArgument` for what is no filter.
pub fn run_conditions(filter: &str) -> Result<Vec<FieldCondition<RunField>>, Error> {
    let refused = |refusal: MlflowRefusal| Error::invalid(refusal.message());
    filter::run_conditions(filter).map_err(refused)
}

/// The routes. The server limits the size of bodies before they get here, but for those of files.
pub fn routes(calls: Calls, artifacts: ArtifactSettings) -> Router {
    let tracking = Router::new()
        .route("/experiments/create", post(experiments::create))
        .route("/experiments/get", get(experiments::by_id))
        .route("/experiments/get-by-name", get(experiments::by_name))
        .route(
            "/experiments/search",
            get(search::experiments).post(search::experiments),
        )
        .route("/experiments/search-datasets", post(search::datasets))
        .route("/experiments/update", post(experiments::rename))
        .route("/experiments/delete", post(experiments::delete))
        .route("/experiments/restore", post(experiments::restore))
        .route(
            "/experiments/set-experiment-tag",
            post(experiments::set_tag),
        )
        .route(
            "/experiments/delete-experiment-tag",
            post(experiments::delete_tag),
        )
        .route("/runs/create", post(runs::create))
        .route("/runs/get", get(runs::by_id))
        .route("/runs/update", post(runs::update))
        .route("/runs/delete", post(runs::delete))
        .route("/runs/restore", post(runs::restore))
        .route("/runs/search", post(search::runs))
        .route("/runs/log-metric", post(log::metric))
        .route("/runs/log-parameter", post(log::param))
        .route("/runs/set-tag", post(log::set_tag))
        .route("/runs/delete-tag", post(log::delete_tag))
        .route("/runs/log-batch", post(log::batch))
        .route("/runs/log-inputs", post(inputs::log))
        .route("/runs/outputs", post(inputs::outputs))
        .route("/logged-models", post(models::create))
        .route("/logged-models/search", post(models::search))
        .route(
            "/logged-models/{model_id}",
            get(models::by_id)
                .patch(models::finalize)
                .delete(models::delete),
        )
        .route("/logged-models/{model_id}/params", post(models::add_params))
        .route("/logged-models/{model_id}/tags", patch(models::set_tags))
        .route(
            "/logged-models/{model_id}/tags/{key}",
            delete(models::delete_tag),
        )
        .route(
            "/logged-models/{model_id}/artifacts/directories",
            get(artifacts::of_model),
        )
        .route("/runs/log-model", post(inputs::log_model))
        .route("/metrics/get-history", get(history::of_run))
        .route("/metrics/get-history-bulk", get(history::of_runs))
        .route("/metrics/get-history-bulk-interval", get(history::samples))
        .route("/artifacts/list", get(artifacts::of_run))
        .merge(registry_routes())
        .route("/{*rest}", any(no_endpoint))
        .layer(from_fn(workspaces::check));
    let later = Router::new()
        .route("/server-info", get(plain::server_info))
        .route("/{*rest}", any(no_endpoint));
    Router::new()
        .route("/health", get(plain::health))
        .route("/version", get(plain::version))
        .nest("/api/2.0/mlflow", tracking.clone())
        .nest("/ajax-api/2.0/mlflow", tracking)
        .nest("/api/3.0/mlflow", later.clone())
        .nest("/ajax-api/3.0/mlflow", later)
        .route("/api/2.0/mlflow-artifacts/{*rest}", any(no_endpoint))
        .with_state(calls.clone())
        .merge(artifacts::routes(calls, artifacts).layer(from_fn(workspaces::check)))
        .layer(map_response(guarded))
}

/// The routes of the model registry.
fn registry_routes() -> Router<Calls> {
    Router::new()
        .route("/registered-models/create", post(registered::create))
        .route("/registered-models/get", get(registered::by_name))
        .route("/registered-models/update", patch(registered::update))
        .route("/registered-models/rename", post(registered::rename))
        .route("/registered-models/delete", delete(registered::delete))
        .route("/registered-models/search", get(registered::search))
        .route(
            "/registered-models/get-latest-versions",
            get(registered::latest_versions).post(registered::latest_versions),
        )
        .route("/registered-models/set-tag", post(registered::set_tag))
        .route(
            "/registered-models/delete-tag",
            delete(registered::delete_tag),
        )
        .route(
            "/registered-models/alias",
            get(registered::by_alias)
                .post(registered::set_alias)
                .delete(registered::delete_alias),
        )
        .route("/model-versions/create", post(versions::create))
        .route("/model-versions/get", get(versions::by_version))
        .route("/model-versions/update", patch(versions::update))
        .route("/model-versions/delete", delete(versions::delete))
        .route("/model-versions/search", get(versions::search))
        .route("/model-versions/set-tag", post(versions::set_tag))
        .route("/model-versions/delete-tag", delete(versions::delete_tag))
        .route(
            "/model-versions/transition-stage",
            post(versions::transition),
        )
        .route(
            "/model-versions/get-download-uri",
            get(versions::download_uri),
        )
}

/// Says that browsers must not guess the type of an answer, nor show it in a page of another site.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    response
}

async fn no_endpoint() -> MlflowRefusal {
    MlflowRefusal::no_endpoint()
}

/// The answer to a request.
type Answer<T> = Result<Json<T>, MlflowRefusal>;

/// An answer that says nothing.
#[derive(Serialize)]
struct Empty {}

/// The answer to a change that has been made.
const fn done() -> Json<Empty> {
    Json(Empty {})
}

/// The call of a request, and its fields: those of the query of its URL, or of its body.
struct TrackingRequest(Call, Fields);

impl FromRequest<Calls> for TrackingRequest {
    type Rejection = MlflowRefusal;

    async fn from_request(request: Request, calls: &Calls) -> Result<Self, MlflowRefusal> {
        let call = calls.call(Door::MlFlow, request.extensions()).await?;
        if request.method() == Method::GET {
            let query = request.uri().query().unwrap_or_default();
            return Ok(Self(call, Fields::of_query(query)));
        }
        // Clients delete what a path names without a body, which no page of another site can.
        if request.method() != Method::DELETE {
            check_content(request.headers())?;
        }
        Ok(Self(call, Fields::of_body(&body(request).await?)?))
    }
}

/// Refuses what is not JSON.
fn check_content(headers: &HeaderMap) -> Result<(), MlflowRefusal> {
    if is_json(headers) {
        return Ok(());
    }
    Err(MlflowRefusal::invalid(
        "Bad Request. Content-Type must be one of ['application/json'].",
    ))
}
