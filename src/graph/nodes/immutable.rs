//! What is registered does not change: the URI and the digest of an artifact that is in a version
//! of a registered model stay as they are, whichever door asks. Other content is another artifact.

use crate::error::{Error, Result};
use crate::model::{Kind, Node, NodeContent, Value};
use crate::storage::Tx;
use crate::storage::tables::{types, versions};

/// The type of contexts that are versions of registered models.
pub const MODEL_VERSION_TYPE: &str = "kf.ModelVersion";

/// When a model or a version was deleted, in milliseconds since epoch. Others lack it. A custom
/// property.
pub(in crate::graph) const DELETED_AT: &str = "deleted_at";

/// The digest of the content of an artifact, declared or not.
const DIGEST: &str = "digest";

fn digests(content: &NodeContent) -> [Option<&Value>; 2] {
    [&content.properties, &content.custom_properties].map(|properties| properties.get(DIGEST))
}

/// Whether a change may be one of the content that an artifact stands for. A digest may be added.
fn changes_content(before: &NodeContent, after: &NodeContent) -> bool {
    let mut pairs = digests(before).into_iter().zip(digests(after));
    before.uri.as_deref().unwrap_or_default() != after.uri.as_deref().unwrap_or_default()
        || pairs.any(|(before, after)| before.is_some() && before != after)
}

/// Refuses changes of nodes, given as they were and as they will be, that no registered artifact
/// may have.
///
/// # Errors
///
/// `FailedPrecondition` for such a change.
pub(in crate::graph) async fn check(
    tx: &mut Tx,
    kind: Kind,
    nodes: &[(&Node, &Node)],
) -> Result<()> {
    if kind != Kind::Artifact {
        return Ok(());
    }
    let changed = nodes
        .iter()
        .filter(|(before, after)| changes_content(&before.content, &after.content));
    let changed: Vec<i64> = changed.map(|(before, _)| before.id).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let Some(type_id) = types::id(tx, Kind::Context, MODEL_VERSION_TYPE, None).await? else {
        return Ok(());
    };
    let registered = versions::of_artifacts(tx, type_id, &changed, DELETED_AT).await?;
    let Some((id, version)) = registered.first() else {
        return Ok(());
    };
    let version = version.as_deref().unwrap_or_default();
    Err(Error::FailedPrecondition(format!(
        "the artifact {id} is in the registered version {version}: its URI and its digest stay. \
         Other content is another artifact."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(uri: &str, digest: Option<&str>) -> NodeContent {
        let digest = digest.map(|text| (DIGEST.to_owned(), Value::String(text.to_owned())));
        NodeContent {
            uri: Some(uri.to_owned()),
            custom_properties: digest.into_iter().collect(),
            ..NodeContent::default()
        }
    }

    #[test]
    fn content_is_a_uri_and_a_digest() {
        let stored = content("s3://a", Some("1"));
        for (after, expected) in [
            (content("s3://a", Some("1")), false),
            (content("s3://b", Some("1")), true),
            (content("s3://a", Some("2")), true),
            (content("s3://a", None), true),
        ] {
            assert_eq!(changes_content(&stored, &after), expected, "{after:?}");
        }
        let bare = content("s3://a", None);
        assert!(!changes_content(&bare, &stored));
    }
}
