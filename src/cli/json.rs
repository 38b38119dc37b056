//! Messages as protobuf JSON.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::Value;

use super::Failure;
use crate::proto;

fn descriptor(name: &str) -> Result<MessageDescriptor, Failure> {
    let found = proto::pool().get_message_by_name(name);
    found.ok_or_else(|| Failure(format!("there is no message {name}")))
}

/// Encodes a message. `name` is its name with the package.
pub(super) fn write(name: &str, message: &impl Message) -> Result<Value, Failure> {
    let mut dynamic = DynamicMessage::new(descriptor(name)?);
    let copied = dynamic.transcode_from(message);
    copied.map_err(|error| Failure(error.to_string()))?;
    Ok(serde_json::to_value(&dynamic)?)
}

/// Decodes a message; an unknown field is an error.
pub(super) fn read<M: Message + Default>(name: &str, text: &str) -> Result<M, Failure> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let dynamic = DynamicMessage::deserialize(descriptor(name)?, &mut reader)?;
    reader.end()?;
    let copied = dynamic.transcode_to();
    copied.map_err(|error| Failure(error.to_string()))
}
