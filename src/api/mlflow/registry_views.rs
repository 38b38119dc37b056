//! Registered models and their versions as `MLflow` shows them.

use serde::Serialize;

use super::views::{Pair, pairs};
use crate::graph::registered::{ModelVersion, RegisteredModelData};

/// The stage of versions that are in none.
pub(super) const NO_STAGE: &str = "None";

/// The state of every version.
const READY: &str = "READY";

#[derive(Serialize)]
pub(super) struct RegisteredModelView {
    name: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersionView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasView>,
}

#[derive(Serialize)]
struct AliasView {
    alias: String,
    version: String,
}

impl From<RegisteredModelData> for RegisteredModelView {
    fn from(found: RegisteredModelData) -> Self {
        let (model, latest) = (found.model, found.latest.into_iter());
        let aliases = model.aliases.into_iter();
        let aliases = aliases.map(|(alias, version)| AliasView { alias, version });
        Self {
            name: model.name,
            creation_timestamp: model.create_time,
            last_updated_timestamp: model.update_time,
            description: model.description,
            latest_versions: latest.map(Into::into).collect(),
            tags: pairs(model.tags),
            aliases: aliases.collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ModelVersionView {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    current_stage: String,
    description: String,
    source: String,
    run_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    run_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
}

impl From<ModelVersion> for ModelVersionView {
    fn from(version: ModelVersion) -> Self {
        let stage = Some(version.stage).filter(|stage| !stage.is_empty());
        Self {
            name: version.model,
            version: version.version,
            creation_timestamp: version.create_time,
            last_updated_timestamp: version.update_time,
            current_stage: stage.unwrap_or_else(|| NO_STAGE.to_owned()),
            description: version.description,
            source: version.source,
            run_id: version.run,
            status: READY,
            tags: pairs(version.tags),
            run_link: version.run_link,
            aliases: version.aliases,
        }
    }
}
