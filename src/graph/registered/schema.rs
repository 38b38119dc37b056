//! The types of registered models. They are stored with the first model, so that other stores do
//! not have them.

use super::names::{
    AUTHOR, DESCRIPTION, MODEL_ARTIFACT_TYPE, MODEL_NAME, MODEL_VERSION_TYPE, OWNER,
    REGISTERED_MODEL_TYPE, STATE, VERSION,
};
use crate::error::{Error, Result};
use crate::graph::types::declared::{DeclaredType, find_declared, store_declared};
use crate::model::PropertyType::String as Text;
use crate::model::{Kind, Origin};
use crate::storage::Tx;

/// The ids of the types.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegistryTypes {
    pub model: i64,
    pub version: i64,
    pub artifact: i64,
}

const TYPES: [DeclaredType; 3] = [
    (
        Kind::Context,
        REGISTERED_MODEL_TYPE,
        &[(DESCRIPTION, Text), (OWNER, Text), (STATE, Text)],
    ),
    (
        Kind::Context,
        MODEL_VERSION_TYPE,
        &[
            (AUTHOR, Text),
            (DESCRIPTION, Text),
            (MODEL_NAME, Text),
            (STATE, Text),
            (VERSION, Text),
        ],
    ),
    (
        Kind::Artifact,
        MODEL_ARTIFACT_TYPE,
        &[
            (DESCRIPTION, Text),
            ("model_format_name", Text),
            ("model_format_version", Text),
            ("service_account_name", Text),
            ("storage_key", Text),
            ("storage_path", Text),
        ],
    ),
];

impl RegistryTypes {
    /// The types, if they are stored.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn find(tx: &mut Tx) -> Result<Option<Self>> {
        Ok(find_declared(tx, TYPES).await?.map(Self::of))
    }

    /// The types, which are stored if they are missing.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` or `InvalidArgument` when a client has declared another type of such a name.
    pub(super) async fn ensure(tx: &mut Tx, origin: &Origin) -> Result<Self> {
        if let Some(types) = Self::find(tx).await? {
            return Ok(types);
        }
        let ids = store_declared(tx, TYPES, origin).await?;
        let types = ids.map(Self::of);
        types.ok_or_else(|| Error::internal("a type of registered models has no id"))
    }

    const fn of([model, version, artifact]: [i64; 3]) -> Self {
        Self {
            model,
            version,
            artifact,
        }
    }
}
