//! What clients ask about the server.

use axum::Json;
use axum::extract::Request;
use axum::response::Html;
use serde::Serialize;

use crate::api::call::RequestContext;

/// The version of `MLflow` whose clients' requests are answered.
const MLFLOW_VERSION: &str = "3.17.2";

/// `GET /health`.
pub(super) async fn health() -> &'static str {
    "OK"
}

/// `GET /version`.
pub(super) async fn version() -> Html<&'static str> {
    Html(MLFLOW_VERSION)
}

/// What the server can do beside tracking.
#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of the answer"
)]
pub(super) struct ServerInfo {
    store_type: &'static str,
    workspaces_enabled: bool,
    trace_archival_enabled: bool,
    multipart_uploads_enabled: bool,
    multipart_downloads_enabled: bool,
    presigned_upload_run_id_supported: bool,
    presigned_upload_model_id_supported: bool,
    features_enabled: ServerFeatures,
}

#[derive(Serialize)]
struct ServerFeatures {
    gateway: bool,
}

/// `GET /server-info`.
pub(super) async fn server_info(request: Request) -> Json<ServerInfo> {
    let context = request.extensions().get::<RequestContext>();
    Json(ServerInfo {
        store_type: "SqlStore",
        workspaces_enabled: context.is_some_and(|context| context.has_tenants),
        trace_archival_enabled: false,
        multipart_uploads_enabled: false,
        multipart_downloads_enabled: false,
        presigned_upload_run_id_supported: false,
        presigned_upload_model_id_supported: false,
        features_enabled: ServerFeatures { gateway: false },
    })
}
