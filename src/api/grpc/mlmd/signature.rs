//! Input and output types of execution types, which the database keeps as proto JSON.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use crate::error::{Error, Result};
use crate::proto;
use crate::proto::ml_metadata::ArtifactStructType;

fn descriptor() -> Result<MessageDescriptor> {
    proto::pool()
        .get_message_by_name("ml_metadata.ArtifactStructType")
        .ok_or_else(|| Error::internal("the descriptor of ArtifactStructType is missing"))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal {
        context: "an input or output type of an execution type cannot be converted".into(),
        source: Some(error.into()),
    }
}

/// A signature as proto JSON.
pub(super) fn to_json(signature: Option<&ArtifactStructType>) -> Result<Option<String>> {
    let Some(signature) = signature else {
        return Ok(None);
    };
    let message = DynamicMessage::decode(descriptor()?, signature.encode_to_vec().as_slice())
        .map_err(failed)?;
    serde_json::to_string(&message).map(Some).map_err(failed)
}

/// The signature that proto JSON means.
pub(super) fn from_json(json: Option<&str>) -> Result<Option<ArtifactStructType>> {
    let Some(json) = json else {
        return Ok(None);
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor()?, &mut reader).map_err(failed)?;
    ArtifactStructType::decode(message.encode_to_vec().as_slice())
        .map(Some)
        .map_err(failed)
}
