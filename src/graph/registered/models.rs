//! Registered models: what is stored of them, and how it changes.

use super::aliases::{self, AliasMoves};
use super::names::{
    self, ALIAS_PREFIX, ARCHIVED, DELETED_PREFIX, DESCRIPTION, LIVE, OWNER, STATE, UPDATED_AT,
};
use super::rules;
use super::schema::RegistryTypes;
use crate::error::{Error, Result};
use crate::graph::names::short_name;
use crate::graph::nodes::immutable::DELETED_AT;
use crate::graph::nodes::locked::LockedNode;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::tracking::fields::{int, set_texts, text, texts_after};
use crate::graph::tracking::names::{TAG_PREFIX, tag_property};
use crate::graph::write::Write;
use crate::model::{
    ANONYMOUS, Kind, Node, NodeContent, NodeInput, NodeKey, Origin, Properties, Value,
};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// A registered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredModel {
    /// The id of the context.
    pub id: i64,
    pub name: String,
    pub description: Option<String>,
    /// Who created it; empty if that is not known.
    pub owner: String,
    /// Milliseconds since epoch.
    pub create_time: i64,
    /// When it changed, but for its tags and aliases, in milliseconds since epoch.
    pub update_time: i64,
    pub tags: Vec<(String, String)>,
    /// Each with its version.
    pub aliases: Vec<(String, String)>,
}

impl RegisteredModel {
    /// The model that a context is.
    pub(super) fn of(node: &Node) -> Self {
        let content = &node.content;
        let (declared, custom) = (&content.properties, &content.custom_properties);
        let description = declared.contains_key(DESCRIPTION);
        Self {
            id: node.id,
            name: content.name.clone().unwrap_or_default(),
            description: description.then(|| text(declared, DESCRIPTION)),
            owner: text(declared, OWNER),
            create_time: node.create_time,
            update_time: update_time(node),
            tags: texts_after(custom, TAG_PREFIX),
            aliases: texts_after(custom, ALIAS_PREFIX),
        }
    }
}

/// When a model or a version changed. Other clients do not store it apart.
pub(super) fn update_time(node: &Node) -> i64 {
    let stored = int(&node.content.custom_properties, UPDATED_AT);
    stored.unwrap_or(node.update_time)
}

/// Whether a model or a version is deleted.
pub(super) fn is_deleted(content: &NodeContent) -> bool {
    content.custom_properties.contains_key(DELETED_AT)
}

/// Says in a model or a version that it changed. `now` is in milliseconds since epoch.
pub(super) fn touch(content: &mut NodeContent, now: i64) {
    let custom = &mut content.custom_properties;
    custom.insert(UPDATED_AT.to_owned(), Value::Int(now));
}

/// Says in a model or a version that it is deleted. Nothing is removed: lineage keeps what it has.
pub(super) fn mark_deleted(content: &mut NodeContent, now: i64) {
    touch(content, now);
    let state = Value::String(ARCHIVED.to_owned());
    content.properties.insert(STATE.to_owned(), state);
    let custom = &mut content.custom_properties;
    custom.insert(DELETED_AT.to_owned(), Value::Int(now));
}

/// Texts as properties.
pub(super) fn properties_of<'t>(
    texts: impl IntoIterator<Item = (&'static str, &'t str)>,
) -> Properties {
    let texts = texts.into_iter();
    let property = |(name, text): (&str, &str)| (name.to_owned(), Value::String(text.to_owned()));
    texts.map(property).collect()
}

/// The principal of a write; empty without one.
pub(super) fn principal(origin: &Origin) -> &str {
    match &*origin.caller.principal {
        ANONYMOUS => "",
        principal => principal,
    }
}

/// A model that is not known, or is deleted.
pub(super) fn unknown(name: &str) -> Error {
    Error::NotFound(format!("Registered Model with name={name} not found"))
}

fn name_taken(name: &str) -> Error {
    Error::AlreadyExists(format!("Registered Model (name={name}) already exists."))
}

/// Registers a model.
#[derive(Clone, Debug, Default)]
pub struct NewRegisteredModel {
    /// No other model has it. At most 255 characters.
    pub name: String,
    pub description: Option<String>,
    pub tags: Vec<(String, String)>,
}

impl Write for NewRegisteredModel {
    type Answer = RegisteredModel;

    /// # Errors
    ///
    /// `AlreadyExists` when the name is taken, `InvalidArgument` for what is no name.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<RegisteredModel> {
        let types = RegistryTypes::ensure(tx, origin).await?;
        let key = NodeKey::TypeAndName(types.model, &self.name);
        if nodes::find(tx, Kind::Context, key).await?.is_some() {
            return Err(name_taken(&self.name));
        }
        let node = create(tx, types, self, origin).await?;
        Ok(RegisteredModel::of(&node))
    }
}

/// Stores a model whose name is free.
pub(super) async fn create(
    tx: &mut Tx,
    types: RegistryTypes,
    new: &NewRegisteredModel,
    origin: &Origin,
) -> Result<Node> {
    rules::check_model_name(&new.name)?;
    let now = origin.time;
    let owner = Some((OWNER, principal(origin))).filter(|(_, owner)| !owner.is_empty());
    let description = new.description.as_deref().map(|text| (DESCRIPTION, text));
    let texts = [(STATE, LIVE)].into_iter().chain(owner).chain(description);
    let mut content = NodeContent {
        name: Some(new.name.clone()),
        properties: properties_of(texts),
        ..NodeContent::default()
    };
    set_texts(&mut content, tag_property, &new.tags);
    touch(&mut content, now);
    let node = NodeInput {
        type_id: Some(types.model),
        content,
        ..NodeInput::default()
    };
    let kind = Kind::Context;
    let id = NodeWriter::put_single(tx, kind, &node, PutOptions::default(), now).await;
    let id = id.map_err(|error| match error {
        Error::AlreadyExists(_) => name_taken(&new.name),
        other => other,
    })?;
    Ok(Node {
        id,
        type_id: types.model,
        type_name: None,
        content: node.content,
        create_time: now,
        update_time: now,
    })
}

/// The context of a model that is not deleted.
pub(super) async fn find(tx: &mut Tx, types: RegistryTypes, name: &str) -> Result<Option<i64>> {
    // The names of deleted models begin in another way.
    if name.starts_with(DELETED_PREFIX) {
        return Ok(None);
    }
    nodes::find(tx, Kind::Context, NodeKey::TypeAndName(types.model, name)).await
}

/// Locks a model.
pub(super) async fn lock(tx: &mut Tx, types: RegistryTypes, name: &str) -> Result<LockedNode> {
    let id = find(tx, types, name).await?.ok_or_else(|| unknown(name))?;
    let edit = LockedNode::lock(tx, Kind::Context, id).await?;
    let edit = edit.filter(|edit| !is_deleted(&edit.content));
    edit.ok_or_else(|| unknown(name))
}

/// Changes a registered model.
#[derive(Clone, Debug)]
pub struct EditRegisteredModel {
    pub name: String,
    pub change: RegisteredModelChange,
}

/// A change of a registered model.
#[derive(Clone, Debug)]
pub enum RegisteredModelChange {
    /// `None` leaves the description as it is.
    Describe(Option<String>),
    /// Another name, of at most 255 characters.
    Rename(String),
    SetTag {
        key: String,
        value: String,
    },
    /// A tag that is missing is no error.
    DeleteTag {
        key: String,
    },
    /// Deletes it with its versions and aliases. The graph keeps the nodes; its name is free.
    Delete,
}

impl Write for EditRegisteredModel {
    type Answer = RegisteredModel;

    /// # Errors
    ///
    /// `NotFound` for an unknown model, `AlreadyExists` for a name that is taken, `InvalidArgument`
    /// for what is no name.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<RegisteredModel> {
        let (types, now) = (RegistryTypes::ensure(tx, origin).await?, origin.time);
        let mut edit = lock(tx, types, &self.name).await?;
        let id = edit.stored().id;
        let content = &mut edit.content;
        match &self.change {
            RegisteredModelChange::Describe(text) => {
                let text = text.as_deref().map(|text| (DESCRIPTION, text));
                content.properties.extend(properties_of(text));
                touch(content, now);
            }
            RegisteredModelChange::Rename(name) => {
                rules::check_model_name(name)?;
                content.name = Some(name.clone());
                touch(content, now);
            }
            RegisteredModelChange::SetTag { key, value } => {
                set_texts(content, tag_property, [&(key.clone(), value.clone())]);
            }
            RegisteredModelChange::DeleteTag { key } => {
                _ = content.custom_properties.remove(&tag_property(key).name);
            }
            RegisteredModelChange::Delete => {
                let gone = texts_after(&content.custom_properties, ALIAS_PREFIX);
                let mut moves = AliasMoves::begin(tx, id).await?;
                for (alias, version) in &gone {
                    content
                        .custom_properties
                        .remove(&names::alias_property(alias));
                    moves.add(alias, version, "", origin);
                }
                aliases::store(tx, moves).await?;
                let name = format!("{DELETED_PREFIX}{id}:{}", self.name);
                content.name = Some(short_name(name.into()).into_owned());
                mark_deleted(content, now);
            }
        }
        let name = content.name.clone().unwrap_or_default();
        let stored = LockedNode::store(tx, Kind::Context, vec![edit], now).await;
        let stored = stored.map_err(|error| match error {
            Error::AlreadyExists(_) => name_taken(&name),
            other => other,
        })?;
        let model = stored.first().map(RegisteredModel::of);
        model.ok_or_else(|| unknown(&self.name))
    }
}
