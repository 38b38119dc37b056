//! Datasets and models that runs used, and models that they made.

use serde_json::Value as Json;

use super::checks::check_length;
use super::experiments::tags;
use super::fields::Fields;
use super::refusal::MlflowRefusal;
use super::runs::required_id;
use super::{Answer, Empty, TrackingRequest, done};
use crate::graph::tracking::{ExtendTag, LogInputs, LogOutputs, RunInput};

/// The most datasets of a request, and the most models.
const MAX_INPUTS: usize = 1000;

/// The most characters of what describes a dataset.
pub(super) const MAX_DATASET_NAME_CHARACTERS: usize = 500;
pub(super) const MAX_DIGEST_CHARACTERS: usize = 36;
const MAX_SOURCE_CHARACTERS: usize = 65_535;
const MAX_SCHEMA_CHARACTERS: usize = 1_048_575;
const MAX_PROFILE_CHARACTERS: usize = 16_777_215;

/// The most characters of a key and a value of a tag of a dataset.
const MAX_INPUT_TAG_KEY_CHARACTERS: usize = 255;
const MAX_INPUT_TAG_CHARACTERS: usize = 500;

/// The tag with what clients before version 3 say about the models of a run: a list of JSON.
const MODELS_TAG: &str = "mlflow.log-model.history";

/// What these clients have to say about a model.
const MODEL_MEMBERS: [&str; 4] = ["artifact_path", "flavors", "run_id", "utc_time_created"];

pub(super) async fn log(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let datasets = fields.objects("datasets")?;
    if datasets.len() > MAX_INPUTS {
        return Err(MlflowRefusal::invalid(format!(
            "a request can contain at most {MAX_INPUTS} datasets"
        )));
    }
    let inputs = datasets.iter().map(input);
    let inputs = inputs.collect::<Result<_, _>>()?;
    let models = models(&fields)?
        .iter()
        .map(model_id)
        .collect::<Result<_, _>>()?;
    let log = LogInputs { id, inputs, models };
    call.graph.write(&call.caller, log).await?;
    Ok(done())
}

/// The models that a request lists.
fn models(fields: &Fields) -> Result<Vec<Fields>, MlflowRefusal> {
    let models = fields.objects("models")?;
    if models.len() > MAX_INPUTS {
        return Err(MlflowRefusal::invalid(format!(
            "a request can contain at most {MAX_INPUTS} models"
        )));
    }
    Ok(models)
}

fn model_id(fields: &Fields) -> Result<String, MlflowRefusal> {
    fields.required_text("model_id").map(str::to_owned)
}

pub(super) async fn outputs(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let models = models(&fields)?;
    let models = models.iter().map(|model| {
        let step = model.int("step")?.unwrap_or_default();
        Ok::<_, MlflowRefusal>((model_id(model)?, step))
    });
    let models = models.collect::<Result<_, _>>()?;
    let log = LogOutputs { id, models };
    call.graph.write(&call.caller, log).await?;
    Ok(done())
}

/// `POST /runs/log-model`, by which clients before version 3 log models.
pub(super) async fn log_model(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let text = fields.required_text("model_json")?;
    let model: Json = serde_json::from_str(text).map_err(|error| {
        MlflowRefusal::invalid(format!(
            "Malformed model info. \n {text} \n is not JSON: {error}"
        ))
    })?;
    let missing = MODEL_MEMBERS
        .iter()
        .filter(|name| model.get(name).is_none());
    let missing: Vec<String> = missing.map(|name| format!("'{name}'")).collect();
    if !missing.is_empty() {
        return Err(MlflowRefusal::invalid(format!(
            "Model json is missing mandatory fields: [{}]",
            missing.join(", ")
        )));
    }
    let extend = ExtendTag {
        id,
        key: MODELS_TAG,
        entry: model,
    };
    call.graph.write(&call.caller, extend).await?;
    Ok(done())
}

fn input(fields: &Fields) -> Result<RunInput, MlflowRefusal> {
    let dataset = fields.object("dataset").unwrap_or_default();
    let text = |name, max| {
        let text = dataset.text(name)?;
        check_length(name, text.unwrap_or_default(), max)?;
        Ok::<_, MlflowRefusal>(text.map(str::to_owned))
    };
    let tags = tags(fields)?;
    for (key, value) in &tags {
        check_length("key", key, MAX_INPUT_TAG_KEY_CHARACTERS)?;
        check_length("value", value, MAX_INPUT_TAG_CHARACTERS)?;
    }
    Ok(RunInput {
        name: text("name", MAX_DATASET_NAME_CHARACTERS)?.unwrap_or_default(),
        digest: text("digest", MAX_DIGEST_CHARACTERS)?.unwrap_or_default(),
        source_type: text("source_type", MAX_DATASET_NAME_CHARACTERS)?.unwrap_or_default(),
        source: text("source", MAX_SOURCE_CHARACTERS)?.unwrap_or_default(),
        schema: text("schema", MAX_SCHEMA_CHARACTERS)?,
        profile: text("profile", MAX_PROFILE_CHARACTERS)?,
        tags,
    })
}
