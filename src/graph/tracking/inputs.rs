//! Datasets that runs used.
//!
//! A dataset of an experiment is an artifact, which joins what other doors know of the data at its
//! URI.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::above::last_tag;
use super::experiments::context_id;
use super::fields::text;
use super::names::{
    self, CLIENT_DIGEST, DIGEST, INPUT_CONTEXT_TAG, INPUT_DIGEST_TAG, INPUT_NAME, PROFILE_DIGEST,
    SCHEMA_DIGEST, SOURCE, SOURCE_TYPE, VERSION, weak_digest,
};
use super::outputs::links;
use super::runs::{check_active, experiment_of, find, unknown};
use super::schema::TrackingTypes;
use crate::error::Result;
use crate::graph::datasets::named;
use crate::graph::edges::{events, memberships};
use crate::graph::files;
use crate::graph::names::hex_digest;
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::graph::write::Write;
use crate::model::{Event, EventType, Kind, Node, NodeContent, NodeInput, Origin, Step, Value};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::tracking::inputs::{self as input_tags, InputTag};
use crate::storage::tables::{events as stored_events, facets, nodes};

/// A dataset that a run used. Name and digest identify it in its experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunInput {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    /// JSON, mostly. Its member `uri` or `url` says where the data is.
    pub source: String,
    pub schema: Option<String>,
    pub profile: Option<String>,
    /// Of this use of it.
    pub tags: Vec<(String, String)>,
}

impl RunInput {
    /// A member of the source.
    fn of_source(&self, key: &str) -> Option<Json> {
        let source: Json = serde_json::from_str(&self.source).ok()?;
        source.get(key).cloned()
    }

    /// The version of a table of Delta Lake, whose versions do not change.
    fn version(&self) -> Option<String> {
        match self.of_source("delta_table_version")? {
            Json::Number(version) => Some(version.to_string()),
            Json::String(version) => Some(version).filter(|version| !version.is_empty()),
            _ => None,
        }
    }

    /// The SHA-256 that a tag of its use gives.
    fn tagged_digest(&self) -> Option<&str> {
        let digest = last_tag(&self.tags, INPUT_DIGEST_TAG)?;
        let digits = digest.strip_prefix("sha256:")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == 64 && digits.bytes().all(is_digit)).then_some(digest)
    }

    /// Where the data is, if the source says it. An absolute path is that of a local file.
    fn uri(&self) -> Option<String> {
        let source: Json = serde_json::from_str(&self.source).ok()?;
        let uri = ["uri", "url"]
            .iter()
            .find_map(|key| source.get(key)?.as_str())?;
        match uri {
            "" => None,
            path if path.starts_with('/') => Some(["file://", path].concat()),
            uri => Some(uri.to_owned()),
        }
    }

    /// The artifact. `stored` is the digest of the file that this server has at its URI.
    fn node(
        &self,
        type_id: i64,
        external_id: &str,
        uri: Option<&String>,
        stored: Option<&String>,
    ) -> NodeInput {
        let texts = [
            (INPUT_NAME, &self.name),
            (SOURCE_TYPE, &self.source_type),
            (SOURCE, &self.source),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), Value::String(text.clone())));
        let known = stored.cloned();
        let known = known.or_else(|| self.tagged_digest().map(str::to_owned));
        let facts = [
            (CLIENT_DIGEST, Some(self.digest.clone())),
            (
                DIGEST,
                Some(known.unwrap_or_else(|| weak_digest(&self.digest))),
            ),
            (VERSION, self.version()),
            (SCHEMA_DIGEST, self.schema.as_deref().map(digest_of)),
            (PROFILE_DIGEST, self.profile.as_deref().map(digest_of)),
        ];
        let facts = facts.into_iter();
        let facts = facts.filter_map(|(name, it)| Some((name.to_owned(), Value::String(it?))));
        NodeInput {
            type_id: Some(type_id),
            content: NodeContent {
                external_id: Some(external_id.to_owned()),
                uri: uri.cloned(),
                properties: texts.into(),
                custom_properties: facts.collect(),
                ..NodeContent::default()
            },
            ..NodeInput::default()
        }
    }

    /// The dataset that an artifact is, without tags. `texts` are those of digests.
    pub(super) fn of(node: &Node, texts: &BTreeMap<String, String>) -> Self {
        let content = &node.content;
        let (declared, custom) = (&content.properties, &content.custom_properties);
        let kept = |name: &str| texts.get(&text(custom, name)).cloned();
        Self {
            name: text(declared, INPUT_NAME),
            digest: text(custom, CLIENT_DIGEST),
            source_type: text(declared, SOURCE_TYPE),
            source: text(declared, SOURCE),
            schema: kept(SCHEMA_DIGEST),
            profile: kept(PROFILE_DIGEST),
            tags: Vec::new(),
        }
    }

    /// The texts that are kept by their digests.
    fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.schema, &self.profile]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// What the run used it for.
    fn context(&self) -> Option<&str> {
        let context = self.tags.iter().find(|(key, _)| key == INPUT_CONTEXT_TAG);
        context.map(|(_, value)| value.as_str())
    }
}

fn digest_of(text: &str) -> String {
    hex_digest(text.as_bytes())
}

/// The digests of the texts about datasets.
pub(super) fn text_digests(nodes: &[Node]) -> BTreeSet<&str> {
    fn digest<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
        match node.content.custom_properties.get(name) {
            Some(Value::String(digest)) => Some(digest),
            _ => None,
        }
    }
    let of_node = |node| [SCHEMA_DIGEST, PROFILE_DIGEST].map(|name| digest(node, name));
    nodes.iter().flat_map(of_node).flatten().collect()
}

/// Says that a run used datasets and models.
#[derive(Clone, Debug, Default)]
pub struct LogInputs {
    pub id: String,
    pub inputs: Vec<RunInput>,
    /// Ids of models.
    pub models: Vec<String>,
}

impl Write for LogInputs {
    type Answer = ();

    /// What is known of a dataset stays as it is, and so do the tags of its first use by the run.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown run or model, `InvalidArgument` for a deleted run.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let (types, now) = (TrackingTypes::ensure(tx, origin).await?, origin.time);
        let execution_id = find(tx, types, &self.id).await?;
        let execution_id = execution_id.ok_or_else(|| unknown(&self.id))?;
        let uris: Vec<Option<String>> = self.inputs.iter().map(RunInput::uri).collect();
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        let named = uris.iter().flatten().map(String::as_str).collect();
        let named = named::name(tx, &named, origin).await?;
        let run = LockedNode::lock(tx, Kind::Execution, execution_id).await?;
        let run = run.ok_or_else(|| unknown(&self.id))?;
        check_active(&self.id, &run.stored().content)?;
        let experiment = experiment_of(&run.stored().content.properties);
        let experiment_context = context_id(tx, experiment).await?;
        let mut inputs: BTreeMap<String, (&RunInput, Option<&String>)> = BTreeMap::new();
        for (input, uri) in self.inputs.iter().zip(&uris) {
            let key = names::input_id(experiment, &input.name, &input.digest);
            inputs.entry(key).or_insert((input, uri.as_ref()));
        }
        let ids = put_artifacts(tx, types, &inputs, now).await?;
        let artifact_ids: Vec<i64> = ids.values().copied().collect();
        let contexts = [experiment_context];
        memberships::put_all(tx, Kind::Artifact, &contexts, &artifact_ids, Nodes::Any).await?;
        put_uses(tx, execution_id, &inputs, &ids, now).await?;
        let models = self.models.iter().map(|id| (id.as_str(), Vec::new()));
        let used = (execution_id, EventType::Input);
        let used = links(tx, types, used, models.collect(), now).await?;
        events::put_missing(tx, used).await?;
        let placed = inputs.iter().filter_map(|(key, (_, uri))| {
            let uri = Cow::Borrowed(uri.as_ref()?.as_str());
            Some((*ids.get(key)?, uri))
        });
        named.join(tx, &placed.collect(), now).await
    }
}

/// Stores the datasets that are not known yet, and returns the ids of all by external id.
async fn put_artifacts(
    tx: &mut Tx,
    types: TrackingTypes,
    inputs: &BTreeMap<String, (&RunInput, Option<&String>)>,
    now: i64,
) -> Result<BTreeMap<String, i64>> {
    let keys: Vec<&str> = inputs.keys().map(String::as_str).collect();
    let known = nodes::ids_by_external_ids(tx, Kind::Artifact, &keys).await?;
    let new = inputs.iter().filter(|(key, _)| !known.contains_key(*key));
    let texts = new.clone().flat_map(|(_, (input, _))| input.texts());
    let texts: BTreeMap<String, &str> = texts.map(|text| (digest_of(text), text)).collect();
    let texts: BTreeMap<&str, &str> = texts.iter().map(|(key, text)| (&**key, *text)).collect();
    facets::put(tx, &texts).await?;
    let paths = new.clone();
    let paths = paths.filter_map(|(_, (_, uri))| names::served_path((*uri)?));
    let stored = files::digests(tx, &paths.collect()).await?;
    let nodes = new.map(|(key, (input, uri))| {
        let stored = uri.and_then(|uri| stored.get(names::served_path(uri)?));
        (key, input.node(types.input, key, *uri, stored))
    });
    let nodes: Vec<(&String, NodeInput)> = nodes.collect();
    let options = PutOptions {
        on_conflict: OnConflict::Retry,
        ..PutOptions::default()
    };
    let coming = nodes.iter().map(|(_, node)| node);
    let mut writer = NodeWriter::new(tx, Kind::Artifact, coming, options, now).await?;
    for (_, node) in &nodes {
        writer.put(tx, Cow::Borrowed(node)).await?;
    }
    let new_ids = writer.finish(tx).await?;
    let keys = nodes.iter().map(|(key, _)| (*key).clone());
    Ok(known.into_iter().chain(keys.zip(new_ids)).collect())
}

/// Stores that a run used datasets, with the tags of each first use.
async fn put_uses(
    tx: &mut Tx,
    execution_id: i64,
    inputs: &BTreeMap<String, (&RunInput, Option<&String>)>,
    ids: &BTreeMap<String, i64>,
    now: i64,
) -> Result<()> {
    let uses = inputs.iter().filter_map(|(key, (input, _))| {
        let event = Event {
            artifact_id: *ids.get(key)?,
            execution_id,
            event_type: EventType::Input,
            milliseconds: Some(now),
            path: input
                .context()
                .map(|it| Step::Key(it.to_owned()))
                .into_iter()
                .collect(),
        };
        Some((*input, event))
    });
    let uses: Vec<(&RunInput, Event)> = uses.collect();
    let all: Vec<Event> = uses.iter().map(|(_, event)| event.clone()).collect();
    let known = stored_events::existing(tx, &all).await?;
    let new = uses
        .iter()
        .filter(|(_, event)| !known.contains(&stored_events::key(event)));
    let tags = new.clone().flat_map(|(input, event)| {
        input.tags.iter().map(|(key, value)| InputTag {
            execution_id,
            artifact_id: event.artifact_id,
            key: key.clone(),
            value: value.clone(),
        })
    });
    let tags: Vec<InputTag> = tags.collect();
    let new: Vec<Event> = new.map(|(_, event)| event.clone()).collect();
    events::put_missing(tx, new).await?;
    input_tags::put(tx, &tags).await
}
