//! The stored form of message answers: JSON in the column `answer` of `PedigreeMessage`.
//!
//! Rows outlive the version that wrote them, and servers of several versions share the table. The
//! names below are therefore data: they are written out, so that no renamed Rust item changes
//! them. A field is never given another meaning, and a new one needs `#[serde(default)]`.

use serde::{Deserialize, Serialize};

use super::Recorded;
use crate::error::{Error, Result};
use crate::graph::composite::execution::PutExecutionAnswer;
use crate::graph::composite::subgraph::PutSubgraphAnswer;
use crate::graph::ingest::runs::RunResult;
use crate::model::ExecutionState;

/// A message that was stored before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredMessage {
    /// The label of its change, see [`super::Recordable::label`].
    #[serde(rename = "label")]
    pub label: String,
    /// As hexadecimal digits. Rows of versions that compared only labels have none.
    #[serde(rename = "digest", default, with = "digest_form")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<u128>,
    #[serde(rename = "answer", with = "AnswerForm")]
    pub answer: Recorded,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Recorded")]
enum AnswerForm {
    #[serde(rename = "Run", with = "RunForm")]
    Run(RunResult),
    #[serde(rename = "Ids")]
    Ids(Vec<i64>),
    #[serde(rename = "Done")]
    Done(()),
    #[serde(rename = "Execution", with = "ExecutionForm")]
    Execution(PutExecutionAnswer),
    #[serde(rename = "Subgraph", with = "SubgraphForm")]
    Subgraph(PutSubgraphAnswer),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RunResult")]
struct RunForm {
    #[serde(rename = "execution_id")]
    execution_id: i64,
    #[serde(rename = "context_ids")]
    context_ids: Vec<i64>,
    #[serde(rename = "input_ids")]
    input_ids: Vec<i64>,
    #[serde(rename = "output_ids")]
    output_ids: Vec<i64>,
    #[serde(rename = "state", with = "state_form")]
    state: Option<ExecutionState>,
    #[serde(
        rename = "discarded_properties",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    discarded_properties: Vec<String>,
}

/// A digest as its hexadecimal digits.
mod digest_form {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<u128>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let digits = digest.map(|digest| format!("{digest:032x}"));
        digits.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u128>, D::Error> {
        let digits: Option<String> = Option::deserialize(deserializer)?;
        let digest = digits.map(|digits| u128::from_str_radix(&digits, 16));
        digest.transpose().map_err(de::Error::custom)
    }
}

/// A state as its number.
mod state_form {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::ExecutionState;

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        state: &Option<ExecutionState>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        state.map(ExecutionState::number).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ExecutionState>, D::Error> {
        let number = Option::deserialize(deserializer)?;
        Ok(number.map(ExecutionState::from_number))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PutExecutionAnswer")]
struct ExecutionForm {
    #[serde(rename = "execution_id")]
    execution_id: i64,
    #[serde(rename = "artifact_ids")]
    artifact_ids: Vec<Option<i64>>,
    #[serde(rename = "context_ids")]
    context_ids: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PutSubgraphAnswer")]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the remote struct"
)]
struct SubgraphForm {
    #[serde(rename = "execution_ids")]
    execution_ids: Vec<i64>,
    #[serde(rename = "artifact_ids")]
    artifact_ids: Vec<i64>,
    #[serde(rename = "context_ids")]
    context_ids: Vec<i64>,
}

/// The text of a message's answer.
///
/// # Errors
///
/// `Internal` when it has none.
pub(super) fn encode(message: &StoredMessage) -> Result<String> {
    serde_json::to_string(message).map_err(|error| Error::Internal {
        context: "the answer to a message cannot be encoded".into(),
        source: Some(error.into()),
    })
}

/// The answer of a text that [`encode`] wrote, in this version or another one.
///
/// # Errors
///
/// Those of the decoder.
pub(super) fn decode(text: &str) -> serde_json::Result<StoredMessage> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(label: &str, answer: Recorded, text: &str) {
        let label = label.to_owned();
        let message = StoredMessage {
            label,
            digest: None,
            answer,
        };
        assert_eq!(encode(&message).unwrap(), text);
        assert_eq!(decode(text).unwrap(), message);
    }

    /// The texts are those that the first version wrote.
    #[test]
    fn stored_texts_never_change() {
        let run = RunResult {
            execution_id: 1,
            context_ids: vec![2],
            input_ids: vec![3, 4],
            output_ids: vec![],
            state: Some(ExecutionState::Running),
            discarded_properties: vec![],
        };
        check(
            "Run",
            Recorded::Run(run),
            r#"{"label":"Run","answer":{"Run":{"execution_id":1,"context_ids":[2],"input_ids":[3,4],"output_ids":[],"state":2}}}"#,
        );
        let stateless = RunResult {
            execution_id: 7,
            ..RunResult::default()
        };
        check(
            "Run",
            Recorded::Run(stateless),
            r#"{"label":"Run","answer":{"Run":{"execution_id":7,"context_ids":[],"input_ids":[],"output_ids":[],"state":null}}}"#,
        );
        let diverged = RunResult {
            execution_id: 8,
            discarded_properties: vec!["loss".into()],
            ..RunResult::default()
        };
        check(
            "Run",
            Recorded::Run(diverged),
            r#"{"label":"Run","answer":{"Run":{"execution_id":8,"context_ids":[],"input_ids":[],"output_ids":[],"state":null,"discarded_properties":["loss"]}}}"#,
        );
        check(
            "Nodes",
            Recorded::Ids(vec![3, 4]),
            r#"{"label":"Nodes","answer":{"Ids":[3,4]}}"#,
        );
        check(
            "Events",
            Recorded::Done(()),
            r#"{"label":"Events","answer":{"Done":null}}"#,
        );
        let execution = PutExecutionAnswer {
            execution_id: 2,
            artifact_ids: vec![Some(5), None],
            context_ids: vec![2],
        };
        check(
            "Execution",
            Recorded::Execution(execution),
            r#"{"label":"Execution","answer":{"Execution":{"execution_id":2,"artifact_ids":[5,null],"context_ids":[2]}}}"#,
        );
        let subgraph = PutSubgraphAnswer {
            execution_ids: vec![3],
            artifact_ids: vec![6, 7],
            context_ids: vec![],
        };
        check(
            "Subgraph",
            Recorded::Subgraph(subgraph),
            r#"{"label":"Subgraph","answer":{"Subgraph":{"execution_ids":[3],"artifact_ids":[6,7],"context_ids":[]}}}"#,
        );
    }

    #[test]
    fn digests_are_stored_as_digits() {
        let message = StoredMessage {
            label: "Events".into(),
            digest: Some(0xab),
            answer: Recorded::Done(()),
        };
        let text = r#"{"label":"Events","digest":"000000000000000000000000000000ab","answer":{"Done":null}}"#;
        assert_eq!(encode(&message).unwrap(), text);
        assert_eq!(decode(text).unwrap(), message);
    }

    #[test]
    fn unknown_fields_of_a_later_version_are_skipped() {
        let text = r#"{"label":"Nodes","answer":{"Ids":[1]},"later":{}}"#;
        assert_eq!(decode(text).unwrap().answer, Recorded::Ids(vec![1]));
        assert!(decode(r#"{"label":"Nodes","answer":{"Later":[1]}}"#).is_err());
        assert!(decode("").is_err());
    }
}
