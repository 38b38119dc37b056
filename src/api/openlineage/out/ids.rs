//! Ids of runs and names of versions in events out. They depend on the database and the node alone,
//! so that a run has the same id whenever it is sent, by any server.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use uuid::{Builder, Uuid};

use super::value::text_of;
use crate::api::openlineage::names;
use crate::model::Node;

/// The length of a UUID with its hyphens.
const UUID_CHARACTERS: usize = 36;

/// The ids of what is in a database.
#[derive(Debug)]
pub(super) struct ExportIds<'s> {
    pub store_id: &'s str,
    namespace: Uuid,
}

impl<'s> ExportIds<'s> {
    pub(super) fn of_store(store_id: &'s str) -> Self {
        let namespace = Uuid::parse_str(store_id);
        Self {
            store_id,
            namespace: namespace.unwrap_or_else(|_| uuid_v5(Uuid::NAMESPACE_URL, store_id)),
        }
    }

    /// The run id of an execution: its `OpenLineage` id if events reported it, else a UUID that is
    /// made from the ids of the database and of the execution.
    pub(super) fn run(&self, execution: &Node) -> String {
        told_id(execution).map_or_else(
            || self.of("execution", execution.id),
            |id| as_uuid(id).unwrap_or_else(|| uuid_v5(Uuid::NAMESPACE_URL, id).to_string()),
        )
    }

    /// The id of the run that a context stands for. Kubeflow Pipelines names it by a UUID.
    pub(super) fn run_context(&self, context: &Node) -> String {
        let name = context.content.name.as_deref().and_then(as_uuid);
        name.unwrap_or_else(|| self.of("context", context.id))
    }

    /// The name of the version that an artifact is: its own, its digest, or one of this database.
    /// `None` for a version that events reported without a name: event times identify it.
    pub(super) fn version(&self, artifact: &Node) -> Option<String> {
        let content = &artifact.content;
        if let Some(version) = text_of(content, "version") {
            return Some(version);
        }
        let external_id = content.external_id.as_deref().unwrap_or_default();
        if external_id.starts_with(names::VERSION_PREFIX) {
            return None;
        }
        let digest = text_of(content, "digest");
        Some(digest.unwrap_or_else(|| self.of("artifact", artifact.id)))
    }

    fn of(&self, kind: &str, id: i64) -> String {
        uuid_v5(self.namespace, &format!("{kind}:{id}")).to_string()
    }
}

/// The `OpenLineage` id of a run, if events reported it.
pub(super) fn told_id(execution: &Node) -> Option<&str> {
    let external_id = execution.content.external_id.as_deref()?;
    external_id.strip_prefix(names::RUN_PREFIX)
}

/// A text that is a UUID, as events have it.
fn as_uuid(text: &str) -> Option<String> {
    let is_uuid = text.len() == UUID_CHARACTERS && Uuid::parse_str(text).is_ok();
    is_uuid.then(|| text.to_owned())
}

/// The UUID of a name, of version 5 (RFC 9562, section 5.5).
fn uuid_v5(namespace: Uuid, name: &str) -> Uuid {
    let bytes = [namespace.as_bytes(), name.as_bytes()].concat();
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let first: [u8; 16] = std::array::from_fn(|index| sha1.as_ref()[index]);
    Builder::from_sha1_bytes(first).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NodeContent, Value};

    fn node(id: i64, external_id: Option<&str>) -> Node {
        Node {
            id,
            type_id: 1,
            type_name: None,
            content: NodeContent {
                external_id: external_id.map(str::to_owned),
                ..NodeContent::default()
            },
            create_time: 0,
            update_time: 0,
        }
    }

    #[test]
    fn a_uuid_of_a_name_is_that_of_the_standard() {
        // RFC 9562, appendix A.4, and another one.
        let dns = Uuid::parse_str("6ba7b810-9dad-11d1-80b4-00c04fd430c8").unwrap();
        let made = uuid_v5(dns, "www.example.com").to_string();
        assert_eq!(made, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    #[test]
    fn ids_of_runs_never_change() {
        let hex = ExportIds::of_store("0123456789abcdef0123456789abcdef");
        let hyphens = ExportIds::of_store("01234567-89ab-cdef-0123-456789abcdef");
        let run = hex.run(&node(7, None));
        assert_eq!(run, hyphens.run(&node(7, None)));
        assert_ne!(run, hex.run(&node(8, None)));
        let told = "openlineage:run:0198fd6e-7a5f-7c3e-9d3b-1f2a3b4c5d6e";
        let told = hex.run(&node(7, Some(told)));
        assert_eq!(told, "0198fd6e-7a5f-7c3e-9d3b-1f2a3b4c5d6e");
        let odd = node(7, Some("openlineage:run:run_id"));
        let elsewhere = ExportIds::of_store("another store");
        assert_eq!(hex.run(&odd), elsewhere.run(&odd));
        Uuid::parse_str(&hex.run(&odd)).unwrap();
    }

    #[test]
    fn a_version_is_named_by_the_best_of_what_is_known() {
        let ids = ExportIds::of_store("store");
        let mut artifact = node(3, None);
        let of_store = ids.version(&artifact).unwrap();
        let mut put = |name: &str, value: &str| {
            let value = Value::String(value.to_owned());
            artifact
                .content
                .custom_properties
                .insert(name.to_owned(), value);
            ids.version(&artifact)
        };
        assert_eq!(put("digest", "sha256:ab").unwrap(), "sha256:ab");
        assert_eq!(put("version", "7").unwrap(), "7");
        assert_ne!(of_store, "7");
        let told = node(3, Some("openlineage:data:abc"));
        assert_eq!(ids.version(&told), None);
    }
}
