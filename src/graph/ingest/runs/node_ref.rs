//! References of run events to nodes: what each event says about one context, run or artifact.

use std::borrow::Cow;

use super::check::DIGEST;
use super::type_catalog::TypeCatalog;
use super::{
    ArtifactIdentity, ArtifactRef, ContextRef, EventScope, EventTime, Facet, FacetLineage,
    RunEvent, RunEventType, TypeName, facets, state,
};
use crate::error::{Error, Result};
use crate::graph::datasets::join::DATASET_TYPE;
use crate::graph::names::hex_digest;
use crate::model::{ArtifactState, Kind, NodeContent, NodeInput, NodeState, Properties, Value};

/// What finds a node of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key<'e> {
    Id(i64),
    ExternalId(Cow<'e, str>),
    /// The id of its type, and its name.
    Name(i64, Cow<'e, str>),
}

/// A reference to a node in an event, and what the event says about the node.
pub(super) struct NodeRef<'e> {
    pub type_id: i64,
    pub key: Key<'e>,
    /// The key by name of a new node, where that is not what finds it.
    pub own_name: Option<Key<'e>>,
    pub may_create: bool,
    pub edit: NodeEdit<'e>,
}

/// What an event changes of a node.
pub(super) struct NodeEdit<'e> {
    event_type: Option<(RunEventType, EventTime)>,
    uri: Option<&'e str>,
    digest: Option<&'e str>,
    properties: &'e Properties,
    custom_properties: &'e Properties,
    facets: &'e [Facet],
    /// Of the event: that of its facets.
    facet_time: EventTime,
}

impl NodeRef<'_> {
    /// The facets that the event has of the node.
    pub(super) const fn facets(&self) -> &[Facet] {
        self.edit.facets
    }

    /// The URI that the event gives to the node.
    pub(super) const fn uri(&self) -> Option<&str> {
        self.edit.uri
    }

    /// A new node that has what finds it, and no more.
    pub(super) fn blank(&self, kind: Kind) -> NodeInput {
        let live = NodeState::Artifact(ArtifactState::Live);
        let mut content = NodeContent {
            state: (kind == Kind::Artifact).then_some(live),
            ..NodeContent::default()
        };
        for key in std::iter::once(&self.key).chain(&self.own_name) {
            match key {
                Key::Id(_) => {}
                Key::ExternalId(text) => content.external_id = Some(text.clone().into_owned()),
                Key::Name(_, text) => content.name = Some(text.clone().into_owned()),
            }
        }
        NodeInput {
            type_id: Some(self.type_id),
            content,
            ..NodeInput::default()
        }
    }
}

impl NodeEdit<'_> {
    /// Changes a node, and returns the indexes of the facets that count from now on.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` when its digest is another one.
    pub(super) fn apply(&self, node: &mut NodeContent) -> Result<Vec<usize>> {
        if let Some(digest) = self.digest {
            let given = Value::String(digest.to_owned());
            let known = node.custom_properties.entry(DIGEST.to_owned());
            let known = known.or_insert_with(|| given.clone());
            if *known != given {
                let stored = match known {
                    Value::String(stored) => stored.clone(),
                    other => format!("{other:?}"),
                };
                return Err(Error::FailedPrecondition(format!(
                    "The digest `{digest}` contradicts the stored one, `{stored}`"
                )));
            }
        }
        if let Some(uri) = self.uri {
            node.uri = Some(uri.to_owned());
        }
        for (of, given) in [
            (&mut node.properties, self.properties),
            (&mut node.custom_properties, self.custom_properties),
        ] {
            let kept = given.iter().filter(|(_, value)| !value.is_non_finite());
            of.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        }
        let taken = facets::merge(node, self.facets, self.facet_time);
        if let Some((event_type, time)) = self.event_type {
            state::merge(node, event_type, time);
        }
        Ok(taken)
    }
}

/// The indexes of the parts of an event among the references.
#[derive(Default)]
pub(super) struct EventSlots {
    /// `None` for an event without a run.
    pub run: Option<usize>,
    pub contexts: Vec<usize>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
}

/// The node of a facet, as an index.
#[derive(Clone, Copy, Debug)]
pub(super) enum LineageOwner {
    Run(usize),
    Context(usize),
}

/// A facet that says lineage.
pub(super) struct LineageSlots<'e> {
    pub owner: LineageOwner,
    /// The index of the facet among those of its node in the event.
    pub facet: usize,
    pub key: &'e str,
    pub lineage: &'e FacetLineage,
    /// Its datasets, as indexes of contexts.
    pub datasets: Vec<usize>,
}

/// All that the events of a batch say, by kind of node, in order.
#[derive(Default)]
pub(super) struct NodeRefs<'e> {
    pub contexts: Vec<NodeRef<'e>>,
    pub runs: Vec<NodeRef<'e>>,
    pub artifacts: Vec<NodeRef<'e>>,
    /// Contexts and the artifacts in them that an event puts there by themselves, as indexes.
    pub own_contexts: Vec<(usize, usize)>,
    /// Parents and children, as indexes of contexts.
    pub links: Vec<(usize, usize)>,
    /// Contexts that are datasets, as indexes.
    pub datasets: Vec<usize>,
    /// Contexts that are names of one dataset, as indexes.
    pub aliases: Vec<(usize, usize)>,
    pub lineages: Vec<LineageSlots<'e>>,
    /// Aligned with the events.
    pub slots: Vec<EventSlots>,
}

impl<'e> NodeRefs<'e> {
    /// Takes events apart. `now` is the time of those without one.
    pub(super) fn of(events: &[&'e RunEvent], catalog: &TypeCatalog, now: i64) -> Result<Self> {
        let mut references = Self::default();
        for event in events {
            let mut slots = EventSlots::default();
            let time = event.time.unwrap_or(EventTime::from_milliseconds(now));
            for context in &event.contexts {
                let index = references.add_context(context, catalog, time)?;
                let owner = LineageOwner::Context(index);
                references.add_lineage(owner, &context.facets, catalog, time)?;
                slots.contexts.push(index);
            }
            if event.has_run() {
                slots.run = Some(references.runs.len());
                let owner = LineageOwner::Run(references.runs.len());
                references.add_lineage(owner, &event.facets, catalog, time)?;
                references.runs.push(run(event, catalog, time)?);
            }
            for (used, into) in [
                (&event.inputs, &mut slots.inputs),
                (&event.outputs, &mut slots.outputs),
            ] {
                for given in used {
                    let index = references.artifacts.len();
                    into.push(index);
                    for context in &given.contexts {
                        let context = references.add_context(context, catalog, time)?;
                        references.own_contexts.push((context, index));
                    }
                    references.artifacts.push(artifact(given, catalog, time)?);
                }
            }
            references.slots.push(slots);
        }
        Ok(references)
    }

    /// Adds what facets of a node say, and the datasets that they name.
    fn add_lineage(
        &mut self,
        owner: LineageOwner,
        facets: &'e [Facet],
        catalog: &TypeCatalog,
        time: EventTime,
    ) -> Result<()> {
        for (number, facet) in facets.iter().enumerate() {
            let Some(lineage) = &facet.lineage else {
                continue;
            };
            let datasets = lineage.datasets.iter();
            let datasets = datasets.map(|it| self.add_context(it, catalog, time));
            let datasets = datasets.collect::<Result<Vec<usize>>>()?;
            self.lineages.push(LineageSlots {
                owner,
                facet: number,
                key: &facet.key,
                lineage,
                datasets,
            });
        }
        Ok(())
    }

    /// Adds a context and those above it, and returns its index.
    fn add_context(
        &mut self,
        given: &'e ContextRef,
        catalog: &TypeCatalog,
        time: EventTime,
    ) -> Result<usize> {
        let mut others = Vec::with_capacity(given.other_names.len());
        for other in &given.other_names {
            others.push(self.add_context(other, catalog, time)?);
        }
        let mut parents = Vec::with_capacity(given.parents.len());
        for parent in &given.parents {
            parents.push(self.add_context(parent, catalog, time)?);
        }
        let index = self.contexts.len();
        self.links
            .extend(parents.into_iter().map(|parent| (parent, index)));
        self.aliases
            .extend(others.into_iter().map(|other| (other, index)));
        if given.context_type.name == DATASET_TYPE && given.context_type.version.is_none() {
            self.datasets.push(index);
        }
        let type_id = catalog.id(Kind::Context, &given.context_type)?;
        self.contexts.push(NodeRef {
            type_id,
            key: Key::Name(type_id, Cow::Borrowed(&given.name)),
            own_name: None,
            may_create: true,
            edit: NodeEdit {
                event_type: None,
                uri: None,
                digest: None,
                properties: &given.properties,
                custom_properties: &given.custom_properties,
                facets: &given.facets,
                facet_time: time,
            },
        });
        Ok(index)
    }
}

fn run<'e>(event: &'e RunEvent, catalog: &TypeCatalog, time: EventTime) -> Result<NodeRef<'e>> {
    let type_id = catalog.id(Kind::Execution, &event.run_type)?;
    let event_type = event.event_type.unwrap_or(RunEventType::Other);
    let name = event.name.as_deref();
    let name = name.map(|name| Key::Name(type_id, Cow::Borrowed(name)));
    let external_id = event.external_id.as_deref();
    let external_id = external_id.map(|id| Key::ExternalId(Cow::Borrowed(id)));
    let (key, own_name) = match (external_id, name) {
        (Some(external_id), name) => (external_id, name),
        (None, Some(name)) => (name, None),
        (None, None) => return Err(Error::internal("a run event without a key was let through")),
    };
    Ok(NodeRef {
        type_id,
        key,
        own_name,
        may_create: event_type != RunEventType::Other || event.scope == EventScope::AnyRun,
        edit: NodeEdit {
            event_type: Some((event_type, time)),
            uri: None,
            digest: None,
            properties: &event.properties,
            custom_properties: &event.custom_properties,
            facets: &event.facets,
            facet_time: time,
        },
    })
}

fn artifact<'e>(
    given: &'e ArtifactRef,
    catalog: &TypeCatalog,
    time: EventTime,
) -> Result<NodeRef<'e>> {
    let type_name = catalog.artifact_type(given);
    let type_id = catalog.id(Kind::Artifact, type_name)?;
    let mut uri = given.uri.as_deref();
    let mut digest = given.digest.as_deref();
    let key = match &given.identity {
        Some(ArtifactIdentity::Id(id)) => Key::Id(*id),
        Some(ArtifactIdentity::ExternalId(text)) => Key::ExternalId(Cow::Borrowed(text)),
        Some(ArtifactIdentity::Name(text)) => Key::Name(type_id, Cow::Borrowed(text)),
        Some(ArtifactIdentity::Content {
            uri: at,
            digest: of,
        }) => {
            (uri, digest) = (Some(at.as_str()), Some(of.as_str()));
            Key::ExternalId(Cow::Owned(external_id_of(type_name, at, of)))
        }
        None => {
            return Err(Error::internal(
                "an artifact without identity was let through",
            ));
        }
    };
    Ok(NodeRef {
        type_id,
        may_create: !matches!(key, Key::Id(_)),
        key,
        own_name: None,
        edit: NodeEdit {
            event_type: None,
            uri,
            digest,
            properties: &given.properties,
            custom_properties: &given.custom_properties,
            facets: &given.facets,
            facet_time: time,
        },
    })
}

/// The external id of the artifact of a type with this digest at this URI. No unique key guards
/// these, but one guards external ids.
///
/// `content:` and the SHA-256, as hexadecimal digits, of the four texts, each behind its length in
/// bytes as a number of 64 bits, big-endian; a type without version has the empty one.
fn external_id_of(type_name: &TypeName, uri: &str, digest_of: &str) -> String {
    let version = type_name.version.as_deref().unwrap_or_default();
    let mut bytes = Vec::new();
    for text in [&type_name.name, version, uri, digest_of] {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    format!("content:{}", hex_digest(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ids_differ_when_any_part_does() {
        let of = |name: &str, version: Option<&str>, uri: &str, digest: &str| {
            let of = TypeName {
                name: name.into(),
                version: version.map(Into::into),
            };
            external_id_of(&of, uri, digest)
        };
        let ids = std::collections::HashSet::from([
            of("T", None, "u", "d"),
            of("T", Some("1"), "u", "d"),
            of("T", None, "ud", ""),
            of("T", None, "", "ud"),
            of("Tu", None, "", "d"),
        ]);
        assert_eq!(ids.len(), 5);
        assert!(ids.iter().all(|id| id.len() == 8 + 64));
    }

    #[test]
    fn content_ids_never_change() {
        let of = TypeName {
            name: "Model".into(),
            version: Some("2".into()),
        };
        let expected = "content:614c6d20cb82407699ebc1709a03f5f2781ef36e0f7fa5b35c5c51335d6c7eb6";
        assert_eq!(external_id_of(&of, "s3://m/1", "sha256:ab"), expected);
    }
}
