//! `GET /api/pedigree/v1/version`.

use axum::Json;
use serde::Serialize;

use crate::build_info;

/// The build of this server.
#[derive(Serialize)]
pub(super) struct Build {
    name: &'static str,
    version: &'static str,
    commit: &'static str,
}

pub(super) async fn version() -> Json<Build> {
    Json(Build {
        name: build_info::NAME,
        version: build_info::VERSION,
        commit: build_info::COMMIT,
    })
}
