//! ML Metadata's stored form of a `google.protobuf.Struct`: a text with a prefix.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::Struct;

/// Prefix of a text that holds a serialized struct, in base64.
const STRUCT_PREFIX: &str = "mlmd-struct::";

/// What a text holds.
#[derive(Clone, Debug, PartialEq)]
pub enum StructText {
    /// A text without the prefix.
    Plain,
    Struct(Struct),
    /// The prefix, and something else than a struct behind it.
    Undecodable,
}

impl StructText {
    /// Decodes a text.
    #[must_use]
    pub fn decode(text: &str) -> Self {
        let Some(encoded) = text.strip_prefix(STRUCT_PREFIX) else {
            return Self::Plain;
        };
        let bytes = STANDARD.decode(encoded).ok();
        let decoded = bytes.and_then(|bytes| Struct::decode(bytes.as_slice()).ok());
        decoded.map_or(Self::Undecodable, Self::Struct)
    }

    /// The text that holds a struct.
    #[must_use]
    pub fn encode(given: &Struct) -> String {
        let mut text = STRUCT_PREFIX.to_owned();
        STANDARD.encode_string(given.encode_to_vec(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_a_struct_or_nothing_or_damage() {
        let empty = Struct::default();
        let text = StructText::encode(&empty);
        assert_eq!(StructText::decode(&text), StructText::Struct(empty));
        assert_eq!(StructText::decode("mlmd-struct:"), StructText::Plain);
        for damaged in ["mlmd-struct::!!!", "mlmd-struct::?", "mlmd-struct::/w=="] {
            assert_eq!(StructText::decode(damaged), StructText::Undecodable);
        }
    }
}
