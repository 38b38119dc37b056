//! The types of experiments, runs and models, and the first experiment. They are stored with the
//! first request about experiments, so that other stores do not have them.

use super::experiments;
use super::names::{
    self, ARTIFACT_LOCATION, ARTIFACT_URI, DEFAULT_EXPERIMENT, EXPERIMENT_ID, EXPERIMENT_TYPE,
    INPUT_NAME, LIFECYCLE_STAGE, LOGGED_MODEL_TYPE, MODEL_NAME, MODEL_TYPE, RUN_FAMILY_TYPE,
    RUN_INPUT_TYPE, RUN_NAME, SOURCE, SOURCE_RUN_ID, SOURCE_TYPE, TRACKED_RUN_TYPE,
};
use crate::error::{Error, Result};
use crate::graph::types::declared::{DeclaredType, find_declared, store_declared};
use crate::graph::write::Write;
use crate::model::PropertyType::{Int as IntType, String as Text};
use crate::model::{Kind, NodeKey, Origin};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// The name of the first experiment.
const DEFAULT_EXPERIMENT_NAME: &str = "Default";

/// The ids of the types.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackingTypes {
    pub experiment: i64,
    pub run: i64,
    pub family: i64,
    pub input: i64,
    pub model: i64,
}

const TYPES: [DeclaredType; 5] = [
    (
        Kind::Context,
        EXPERIMENT_TYPE,
        &[(ARTIFACT_LOCATION, Text), (LIFECYCLE_STAGE, Text)],
    ),
    (
        Kind::Execution,
        TRACKED_RUN_TYPE,
        &[
            (ARTIFACT_URI, Text),
            (EXPERIMENT_ID, IntType),
            (LIFECYCLE_STAGE, Text),
            (RUN_NAME, Text),
        ],
    ),
    (Kind::Context, RUN_FAMILY_TYPE, &[]),
    (
        Kind::Artifact,
        RUN_INPUT_TYPE,
        &[(INPUT_NAME, Text), (SOURCE, Text), (SOURCE_TYPE, Text)],
    ),
    (
        Kind::Artifact,
        LOGGED_MODEL_TYPE,
        &[
            (EXPERIMENT_ID, IntType),
            (MODEL_NAME, Text),
            (MODEL_TYPE, Text),
            (SOURCE_RUN_ID, Text),
        ],
    ),
];

impl TrackingTypes {
    /// The types, if they are stored.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn find(tx: &mut Tx) -> Result<Option<Self>> {
        Ok(find_declared(tx, TYPES).await?.map(Self::of))
    }

    /// The types, which are stored with the first experiment if they are missing.
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
        let types = types.ok_or_else(|| Error::internal("a type of runs has no id"))?;
        // Another server may have stored them meanwhile.
        let key = names::experiment_id(DEFAULT_EXPERIMENT);
        let key = NodeKey::ExternalId(&key);
        if nodes::find(tx, Kind::Context, key).await?.is_none() {
            let first = experiments::NewExperiment::named(DEFAULT_EXPERIMENT_NAME);
            experiments::create(tx, types, &first, origin.time).await?;
        }
        Ok(types)
    }

    const fn of([experiment, run, family, input, model]: [i64; 5]) -> Self {
        Self {
            experiment,
            run,
            family,
            input,
            model,
        }
    }
}

/// Stores the types and the first experiment, if they are missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct PrepareTracking;

impl Write for PrepareTracking {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        TrackingTypes::ensure(tx, origin).await.map(|_| ())
    }
}
