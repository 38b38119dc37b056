//! Files of runs and models: their bytes below `/api/2.0/mlflow-artifacts`, and lists of them.
//!
//! * `paths`: what paths may be.
//! * `upload`, `download`: bytes, which are streamed both ways; `environment`: what a file that is
//!   uploaded says about its run.
//! * `lists`: what is in a folder.

mod download;
mod environment;
mod lists;
mod paths;
mod upload;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::routing::{any, get};
use http::Method;
use http::request::Parts;

pub(super) use lists::{of_model, of_run};

use super::refusal::MlflowRefusal;
use super::{Answer, Empty, done};
use crate::api::call::{Call, Calls, RequestContext};
use crate::blobs::BlobStore;
use crate::graph::DeleteArtifacts;
use crate::model::Door;
use crate::policy::TenantName;
use paths::{ArtifactPath, as_artifact_path};

/// What the paths of bytes begin with.
const BYTES_PREFIX: &str = "/api/2.0/mlflow-artifacts/artifacts/";

/// Where the bytes of files are, and how many a file may have.
#[derive(Clone, Debug)]
pub struct ArtifactSettings {
    pub store: BlobStore,
    /// The maximum size of a file, in bytes.
    pub max_file: u64,
}

/// Whether a request has the bytes of a file, which are not to be collected before it is handled.
#[must_use]
pub fn is_upload(method: &Method, path: &str) -> bool {
    *method == Method::PUT && path.starts_with(BYTES_PREFIX)
}

/// What the handlers of bytes share.
#[derive(Clone, Debug)]
struct ArtifactDoor {
    calls: Calls,
    settings: ArtifactSettings,
}

/// The routes of bytes.
pub(super) fn routes(calls: Calls, settings: ArtifactSettings) -> Router {
    let bytes = get(download::download).put(upload::upload).delete(delete);
    let lists = Router::new()
        .route("/api/2.0/mlflow-artifacts/artifacts", get(lists::of_folder))
        .with_state(calls.clone());
    Router::new()
        .route("/api/2.0/mlflow-artifacts/artifacts/{*path}", bytes)
        .route("/get-artifact", get(download::of_run))
        .route("/model-versions/get-artifact", get(download::of_version))
        .route(
            "/api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
            get(download::of_model),
        )
        .route(
            "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
            get(download::of_model),
        )
        .with_state(ArtifactDoor { calls, settings })
        .merge(lists)
        .route("/api/2.0/mlflow-artifacts/mpu/{*rest}", any(no_parts))
        .route("/api/2.0/mlflow-artifacts/presigned/{*rest}", get(no_links))
}

/// A request for bytes.
struct BytesRequest {
    call: Call,
    /// The blobs of its tenant.
    blobs: BlobStore,
    max_file: u64,
}

impl FromRequestParts<ArtifactDoor> for BytesRequest {
    type Rejection = MlflowRefusal;

    async fn from_request_parts(
        parts: &mut Parts,
        door: &ArtifactDoor,
    ) -> Result<Self, MlflowRefusal> {
        let context = parts.extensions.get::<RequestContext>();
        let tenant = context.and_then(|context| context.tenant.as_ref());
        let tenant = tenant.and_then(TenantName::unless_default);
        Ok(Self {
            blobs: door.settings.store.of_tenant(tenant),
            max_file: door.settings.max_file,
            call: door.calls.call(Door::MlFlow, &parts.extensions).await?,
        })
    }
}

async fn delete(
    ArtifactPath(path): ArtifactPath,
    BytesRequest { call, .. }: BytesRequest,
) -> Answer<Empty> {
    call.graph
        .write(&call.caller, DeleteArtifacts { path })
        .await?;
    Ok(done())
}

async fn no_parts() -> MlflowRefusal {
    let text = "Multipart upload is not supported for the current artifact repository";
    MlflowRefusal::unsupported(text)
}

async fn no_links() -> MlflowRefusal {
    let text = "Multipart download is not supported for the current artifact repository";
    MlflowRefusal::unsupported(text)
}
