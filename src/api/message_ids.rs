//! Ids of messages, which are apart by subject.

use aws_lc_rs::digest::{Context, SHA256};

use crate::graph::MAX_MESSAGE_ID_BYTES;
use crate::model::ANONYMOUS;

/// The id by which a message of a caller is stored. A caller with an identity neither gets nor
/// takes the place of what another one said with the same id. Ids that are refused stay as they
/// are.
pub(in crate::api) fn stored_id(principal: &str, id: String) -> String {
    let is_usable = (1..=MAX_MESSAGE_ID_BYTES).contains(&id.len());
    if principal == ANONYMOUS || !is_usable {
        return id;
    }
    let mut context = Context::new(&SHA256);
    context.update(principal.as_bytes());
    context.update(&[0]);
    context.update(id.as_bytes());
    hex::encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored ids are compared with those that later versions compute.
    #[test]
    fn stored_ids_never_change() {
        assert_eq!(stored_id(ANONYMOUS, "1".into()), "1");
        let stored = stored_id("token:ci", "1".into());
        assert_eq!(
            stored,
            "c8b2c78baa4c0954d4d7955c3a177fefdaa3f4479d744370fb81b87ed39e9e8d"
        );
        assert_ne!(
            stored_id("token:c", "i1".into()),
            stored_id("token:ci", "1".into())
        );
        for refused in [String::new(), "x".repeat(MAX_MESSAGE_ID_BYTES + 1)] {
            assert_eq!(stored_id("token:ci", refused.clone()), refused);
        }
    }
}
