//! Versions of registered models: what is stored of them, and how it changes.

use super::aliases::{self, AliasMoves};
use super::models::{
    self, NewRegisteredModel, is_deleted, mark_deleted, principal, properties_of, touch,
    update_time,
};
use super::names::{
    ALIAS_PREFIX, AUTHOR, DESCRIPTION, DOWNLOAD_URI, LIVE, MODEL_NAME, RUN_ID, RUN_LINK, SOURCE,
    STAGE, STATE, VERSION, VERSION_PROPERTIES, alias_property, version_name, version_text,
};
use super::schema::RegistryTypes;
use super::source::{self, FoundSource, VersionSource};
use crate::error::{Error, Result};
use crate::graph::edges::memberships;
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::tracking::fields::{set_texts, text, texts_after};
use crate::graph::tracking::names::{TAG_PREFIX, tag_property};
use crate::graph::write::Write;
use crate::model::{Kind, Node, NodeContent, NodeInput, NodeKey, Origin, Value};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::{nodes, versions as version_rows};

/// The stage of versions that are replaced in another one.
const ARCHIVED_STAGE: &str = "Archived";

/// How many versions change their stage together.
const STAGE_BATCH_SIZE: i64 = 1000;

/// The most names of versions of other clients that are read for the next number.
const MAX_READ_NAMES: i64 = 10_000;

/// A version of a registered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelVersion {
    /// The id of the context.
    pub id: i64,
    /// The name of the model.
    pub model: String,
    /// No other version of the model has it. A number, unless another client has chosen it.
    pub version: String,
    pub description: String,
    /// Who created it; empty if that is not known.
    pub author: String,
    /// Where it comes from, as its client says it.
    pub source: String,
    /// Where its files are.
    pub download_uri: String,
    /// The id of the run that it names, or an empty text.
    pub run: String,
    pub run_link: String,
    /// Empty if it is in none.
    pub stage: String,
    /// Milliseconds since epoch.
    pub create_time: i64,
    /// When it changed, but for its tags and aliases, in milliseconds since epoch.
    pub update_time: i64,
    pub tags: Vec<(String, String)>,
    pub aliases: Vec<String>,
}

impl ModelVersion {
    /// The version that a context is, of the model that another context is.
    pub(super) fn of(node: &Node, model: &Node) -> Self {
        let content = &node.content;
        let (declared, custom) = (&content.properties, &content.custom_properties);
        let name = content.name.as_deref().unwrap_or_default();
        let version = version_text(name).to_owned();
        let aliases = texts_after(&model.content.custom_properties, ALIAS_PREFIX).into_iter();
        let aliases = aliases.filter(|(_, of)| *of == version);
        let source = text(custom, SOURCE);
        let download_uri = Some(text(custom, DOWNLOAD_URI)).filter(|uri| !uri.is_empty());
        Self {
            id: node.id,
            model: model.content.name.clone().unwrap_or_default(),
            description: text(declared, DESCRIPTION),
            author: text(declared, AUTHOR),
            download_uri: download_uri.unwrap_or_else(|| source.clone()),
            source,
            run: text(custom, RUN_ID),
            run_link: text(custom, RUN_LINK),
            stage: text(custom, STAGE),
            create_time: node.create_time,
            update_time: update_time(node),
            tags: texts_after(custom, TAG_PREFIX),
            aliases: aliases.map(|(alias, _)| alias).collect(),
            version,
        }
    }
}

/// A version that is not known, or is deleted.
pub(super) fn unknown(model: &str, version: &str) -> Error {
    Error::NotFound(format!(
        "Model Version (name={model}, version={version}) not found"
    ))
}

/// The context of a version of a model, unless it is deleted.
pub(super) async fn find(
    tx: &mut Tx,
    types: RegistryTypes,
    model: i64,
    version: &str,
) -> Result<Option<Node>> {
    let name = version_name(model, version);
    let found = nodes::by_name(tx, Kind::Context, types.version, &name).await?;
    Ok(found.filter(|node| !is_deleted(&node.content)))
}

/// Registers a version of a model.
#[derive(Clone, Debug)]
pub struct NewVersion {
    pub model: String,
    /// Where it comes from, as its client says it. If it is empty, clients see the URI of the
    /// artifact.
    pub given_source: String,
    pub source: VersionSource,
    /// The id of the run that it names, or an empty text.
    pub run: String,
    pub run_link: String,
    pub description: String,
    pub tags: Vec<(String, String)>,
    /// Registers the model too, if it is missing.
    pub creates_model: bool,
    /// The number that it has elsewhere; the next one of its model without it.
    pub number: Option<i64>,
}

impl Write for NewVersion {
    type Answer = ModelVersion;

    /// # Errors
    ///
    /// `AlreadyExists` for a number that a version has, a deleted one too; `NotFound` for an
    /// unknown model or source; `InvalidArgument` for files that are not those of the run.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<ModelVersion> {
        let (types, now) = (RegistryTypes::ensure(tx, origin).await?, origin.time);
        let given = (self.given_source.as_str(), self.run.as_str());
        let found = source::find(tx, types, &self.source, given).await?;
        if self.creates_model && models::find(tx, types, &self.model).await?.is_none() {
            let new = NewRegisteredModel {
                name: self.model.clone(),
                ..NewRegisteredModel::default()
            };
            models::create(tx, types, &new, origin).await?;
        }
        let mut model = models::lock(tx, types, &self.model).await?;
        let model_id = model.stored().id;
        let number = match self.number {
            Some(number) => number,
            None => next_number(tx, types, model_id).await?,
        };
        let version = number.to_string();
        let content = self.content((model_id, number), &found, origin);
        let node = NodeInput {
            type_id: Some(types.version),
            content,
            ..NodeInput::default()
        };
        let kind = Kind::Context;
        let id = NodeWriter::put_single(tx, kind, &node, PutOptions::default(), now).await?;
        memberships::put_all(tx, kind, &[model_id], &[id], Nodes::New).await?;
        touch(&mut model.content, now);
        let stored = LockedNode::store(tx, kind, vec![model], now).await?.pop();
        let stored = stored.ok_or_else(|| models::unknown(&self.model))?;
        let artifacts = found.store(tx, types, (model_id, &version), origin).await?;
        memberships::put_all(tx, Kind::Artifact, &[id], &artifacts, Nodes::Any).await?;
        let node = Node {
            id,
            type_id: types.version,
            type_name: None,
            content: node.content,
            create_time: now,
            update_time: now,
        };
        Ok(ModelVersion::of(&node, &stored))
    }
}

/// The next number of a version of a model that is locked.
async fn next_number(tx: &mut Tx, types: RegistryTypes, model: i64) -> Result<i64> {
    let last = version_rows::last_number(tx, model, &VERSION_PROPERTIES).await?;
    let next = last.unwrap_or_default() + 1;
    let name = version_name(model, &next.to_string());
    let key = NodeKey::TypeAndName(types.version, &name);
    if nodes::find(tx, Kind::Context, key).await?.is_none() {
        return Ok(next);
    }
    // Another client has created versions, whose texts may be numbers.
    let names = version_rows::newest_names(tx, model, types.version, MAX_READ_NAMES).await?;
    let numbers = names.iter().flatten();
    let numbers = numbers.filter_map(|name| version_text(name).parse::<i64>().ok());
    Ok(numbers.max().unwrap_or_default().max(next) + 1)
}

impl NewVersion {
    fn content(
        &self,
        (model, number): (i64, i64),
        found: &FoundSource,
        origin: &Origin,
    ) -> NodeContent {
        let version = number.to_string();
        let author = Some((AUTHOR, principal(origin))).filter(|(_, author)| !author.is_empty());
        let declared = [
            (DESCRIPTION, self.description.as_str()),
            (MODEL_NAME, &self.model),
            (STATE, LIVE),
            (VERSION, &version),
        ];
        let run = match &found.run {
            Some(run) if self.run.is_empty() => run,
            _ => &self.run,
        };
        let download_uri = found.download_uri.as_deref().unwrap_or_default();
        let source = match &found.uri {
            Some(uri) if self.given_source.is_empty() => uri,
            _ => self.given_source.as_str(),
        };
        let custom = [
            (SOURCE, source),
            (RUN_ID, run),
            (RUN_LINK, &self.run_link),
            (DOWNLOAD_URI, download_uri),
        ];
        let mut content = NodeContent {
            name: Some(version_name(model, &version)),
            properties: properties_of(declared.into_iter().chain(author)),
            custom_properties: properties_of(
                custom.into_iter().filter(|(_, text)| !text.is_empty()),
            ),
            ..NodeContent::default()
        };
        let number = (VERSION_PROPERTIES.number.to_owned(), Value::Int(number));
        content.custom_properties.extend([number]);
        set_texts(&mut content, tag_property, &self.tags);
        touch(&mut content, origin.time);
        content
    }
}

/// Changes a version of a registered model.
#[derive(Clone, Debug)]
pub struct EditVersion {
    pub model: String,
    pub version: String,
    pub change: VersionChange,
}

/// A change of a version.
#[derive(Clone, Debug)]
pub enum VersionChange {
    /// `None` leaves the description as it is.
    Describe(Option<String>),
    SetTag {
        key: String,
        value: String,
    },
    /// A tag that is missing is no error.
    DeleteTag {
        key: String,
    },
    SetStage {
        /// Empty for none.
        stage: String,
        /// Whether the other versions in that stage leave it for [`ARCHIVED_STAGE`].
        archives_others: bool,
    },
    /// Deletes it with its aliases. The graph keeps the node, and no version gets its number.
    Delete,
}

impl Write for EditVersion {
    type Answer = ModelVersion;

    /// # Errors
    ///
    /// `NotFound` for an unknown model or version.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<ModelVersion> {
        let (types, now) = (RegistryTypes::ensure(tx, origin).await?, origin.time);
        let missing = || unknown(&self.model, &self.version);
        let model = models::lock(tx, types, &self.model).await;
        let mut model = model.map_err(|error| match error {
            Error::NotFound(_) => missing(),
            other => other,
        })?;
        let model_id = model.stored().id;
        let found = find(tx, types, model_id, &self.version).await?;
        let id = found.ok_or_else(missing)?.id;
        let edit = LockedNode::lock(tx, Kind::Context, id).await?;
        let mut edit = edit.ok_or_else(missing)?;
        let content = &mut edit.content;
        let mut is_touched = true;
        match &self.change {
            VersionChange::Describe(text) => {
                let text = text.as_deref().map(|text| (DESCRIPTION, text));
                content.properties.extend(properties_of(text));
                touch(content, now);
            }
            VersionChange::SetTag { key, value } => {
                set_texts(content, tag_property, [&(key.clone(), value.clone())]);
                is_touched = false;
            }
            VersionChange::DeleteTag { key } => {
                _ = content.custom_properties.remove(&tag_property(key).name);
                is_touched = false;
            }
            VersionChange::SetStage {
                stage,
                archives_others,
            } => {
                set_stage(content, stage, now);
                if *archives_others {
                    archive(tx, (model_id, id), stage, now).await?;
                }
            }
            VersionChange::Delete => {
                let gone = texts_after(&model.content.custom_properties, ALIAS_PREFIX);
                let gone = gone.iter().filter(|(_, of)| *of == self.version);
                let mut moves = AliasMoves::begin(tx, model_id).await?;
                for (alias, version) in gone {
                    let custom = &mut model.content.custom_properties;
                    custom.remove(&alias_property(alias));
                    moves.add(alias, version, "", origin);
                }
                aliases::store(tx, moves).await?;
                mark_deleted(content, now);
            }
        }
        if is_touched {
            touch(&mut model.content, now);
        }
        let stored = LockedNode::store(tx, Kind::Context, vec![model, edit], now).await?;
        match stored.as_slice() {
            [model, version] => Ok(ModelVersion::of(version, model)),
            _ => Err(missing()),
        }
    }
}

fn set_stage(content: &mut NodeContent, stage: &str, now: i64) {
    let custom = &mut content.custom_properties;
    if stage.is_empty() {
        custom.remove(STAGE);
    } else {
        custom.insert(STAGE.to_owned(), Value::String(stage.to_owned()));
    }
    touch(content, now);
}

/// Lets all other versions of a model leave a stage, part by part.
async fn archive(tx: &mut Tx, (model, but): (i64, i64), stage: &str, now: i64) -> Result<()> {
    if stage == ARCHIVED_STAGE {
        return Ok(());
    }
    loop {
        let properties = &VERSION_PROPERTIES;
        let of = (model, but);
        let ids = version_rows::first_in_stage(tx, of, stage, properties, STAGE_BATCH_SIZE).await?;
        if ids.is_empty() {
            return Ok(());
        }
        let mut edits = LockedNode::lock_all(tx, Kind::Context, &ids).await?;
        for edit in &mut edits {
            set_stage(&mut edit.content, ARCHIVED_STAGE, now);
        }
        LockedNode::store(tx, Kind::Context, edits, now).await?;
    }
}
