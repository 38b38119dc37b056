//! Puts of types.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::types::rules as type_rules;
use crate::graph::types::rules::Evolution;
use crate::graph::write::Write;
use crate::model::{
    BaseType, Change, Kind, NodeType, Origin, SIMPLE_TYPES, Stored, Subject, TypeIdentity,
};
use crate::storage::tables::{locks, types};
use crate::storage::{Database, Tx};

/// Creates types or extends those that exist (`PutTypes` and its three single forms).
#[derive(Clone, Debug, Default)]
pub struct PutTypes {
    /// In the order in which they are put.
    pub types: Vec<(Kind, NodeType)>,
    pub can_add_fields: bool,
    pub can_omit_fields: bool,
    /// An explicit `all_fields_match: false`, which is refused.
    pub partial_match: bool,
}

impl PutTypes {
    /// Creates the simple types that do not exist yet.
    pub(in crate::graph) fn simple() -> Self {
        let simple = |(kind, name): (Kind, &str)| {
            let new = NodeType {
                name: name.to_owned(),
                ..NodeType::default()
            };
            (kind, new)
        };
        Self {
            types: SIMPLE_TYPES.into_iter().map(simple).collect(),
            can_add_fields: true,
            can_omit_fields: true,
            partial_match: false,
        }
    }
}

impl Write for PutTypes {
    /// The ids, aligned with the types.
    type Answer = Vec<i64>;

    async fn apply(&self, tx: &mut Tx, _: &Origin) -> Result<Vec<i64>> {
        if self.partial_match {
            return Err(Error::Unimplemented("Must match all fields.".into()));
        }
        let allowed = Evolution {
            can_add_fields: self.can_add_fields,
            can_omit_fields: self.can_omit_fields,
        };
        let mut stored = stored_types(tx, &self.types).await?;
        let changes = |(kind, given): &(Kind, NodeType)| {
            !stored
                .get(&given.identity(*kind))
                .is_some_and(|known| is_same(&known.value, given))
        };
        // No unique key prevents a type from being created twice; the lock does.
        if self.types.iter().any(changes) && locks::structure(tx).await? {
            stored = stored_types(tx, &self.types).await?;
        }
        let mut ids = Vec::with_capacity(self.types.len());
        for (kind, given) in &self.types {
            let key = given.identity(*kind);
            let before = stored.remove(&key);
            let known = match before.clone() {
                Some(known) => extend(tx, known, given, allowed).await?,
                None => create(tx, *kind, given).await?,
            };
            let known = derive(tx, *kind, known, given.base_type).await?;
            tx.note_change(|| change(*kind, before.as_ref(), &known));
            ids.push(known.id);
            stored.insert(key, known);
        }
        Ok(ids)
    }
}

/// The change of a type, if it changed. Simple types are hidden.
fn change(
    kind: Kind,
    before: Option<&Stored<NodeType>>,
    after: &Stored<NodeType>,
) -> Option<Change> {
    if SIMPLE_TYPES.contains(&(kind, &after.value.name)) {
        return None;
    }
    let subject = || Subject::Type(kind, after.clone());
    match before {
        None => Some(Change::created(subject())),
        Some(before) => (before != after).then(|| Change::updated(subject())),
    }
}

/// Whether putting a type again changes nothing, which is the usual case.
fn is_same(stored: &NodeType, given: &NodeType) -> bool {
    let declared = |(name, data_type)| stored.properties.get(name) == Some(data_type);
    given.properties.iter().all(declared)
        && (given.external_id.is_none() || given.external_id == stored.external_id)
        && (given.base_type.is_none() || given.base_type == stored.base_type)
}

/// Whether all of the types are stored as they are given, or with more. Types are never deleted and
/// lose nothing: putting them changes nothing later either.
pub(in crate::graph) async fn are_stored(database: &Database, put: &PutTypes) -> Result<bool> {
    let mut tx = database.read().await?;
    let stored = stored_types(&mut tx, &put.types).await?;
    Ok(put.types.iter().all(|(kind, given)| {
        let known = stored.get(&given.identity(*kind));
        known.is_some_and(|known| is_same(&known.value, given))
    }))
}

/// The ids of types, which are created if they are missing. Those that are stored already are not
/// read again.
///
/// # Errors
///
/// `AlreadyExists` or `InvalidArgument` when a stored type of the name declares other properties.
pub(in crate::graph) async fn ensure(
    tx: &mut Tx,
    given: Vec<(Kind, NodeType)>,
    origin: &Origin,
) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(given.len());
    for (kind, of) in &given {
        ids.extend(types::id(tx, *kind, &of.name, of.version.as_deref()).await?);
    }
    if ids.len() == given.len() {
        return Ok(ids);
    }
    let put = PutTypes {
        types: given,
        can_add_fields: true,
        can_omit_fields: true,
        partial_match: false,
    };
    put.apply(tx, origin).await
}

/// The stored types with the names of the given types, by identity.
pub(in crate::graph) async fn stored_types(
    tx: &mut Tx,
    given: &[(Kind, NodeType)],
) -> Result<HashMap<TypeIdentity, Stored<NodeType>>> {
    let mut stored = HashMap::new();
    for kind in Kind::ALL {
        let names: Vec<&str> = given
            .iter()
            .filter(|(of, _)| *of == kind)
            .map(|(_, given)| given.name.as_str())
            .collect();
        for found in types::by_names(tx, kind, &names).await? {
            // Old servers could create duplicates: the one with the lowest id counts.
            let key = found.value.identity(kind);
            stored.entry(key).or_insert(found);
        }
    }
    Ok(stored)
}

async fn create(tx: &mut Tx, kind: Kind, given: &NodeType) -> Result<Stored<NodeType>> {
    if given.name.is_empty() {
        return Err(Error::invalid("No type name is specified."));
    }
    let id = types::insert(tx, kind, given).await.map_err(|error| {
        error.on_duplicate(|| {
            let external_id = given.external_id.as_deref().unwrap_or_default();
            format!("Conflict of external_id: {external_id} Found already existing {kind} type or another type with it")
        })
    })?;
    type_rules::check_new(given)?;
    types::add_properties(tx, id, given.properties.iter()).await?;
    let value = NodeType {
        base_type: None,
        ..given.clone()
    };
    Ok(Stored { id, value })
}

async fn extend(
    tx: &mut Tx,
    mut stored: Stored<NodeType>,
    given: &NodeType,
    allowed: Evolution,
) -> Result<Stored<NodeType>> {
    let Stored { id, ref mut value } = stored;
    let added = type_rules::additions(value, given, allowed)?;
    types::add_properties(tx, id, added.iter()).await?;
    value.properties.extend(added);
    let external_id = given.external_id.as_ref().filter(|given| !given.is_empty());
    if let Some(external_id) = external_id
        && value.external_id.as_ref() != Some(external_id)
    {
        let taken = || format!("Conflict of external_id: {external_id} is in use by another type");
        types::set_external_id(tx, id, external_id)
            .await
            .map_err(|error| error.on_duplicate(taken))?;
        value.external_id = Some(external_id.clone());
    }
    Ok(stored)
}

/// Links a type to the simple type it derives from. The link is made once and never changes.
async fn derive(
    tx: &mut Tx,
    kind: Kind,
    mut stored: Stored<NodeType>,
    given: Option<BaseType>,
) -> Result<Stored<NodeType>> {
    let unsupported = |what: &str| {
        Err(Error::Unimplemented(format!(
            "base_type {what} is not supported yet"
        )))
    };
    match (given, stored.value.base_type) {
        (None, _) => {}
        (Some(BaseType::Unset), _) => return unsupported("deletion"),
        (given, known) if given == known => {}
        (_, Some(_)) => return unsupported("update"),
        (Some(BaseType::Simple(name)), None) => {
            let parent = simple_parent(tx, kind, stored.id, name).await?;
            types::insert_parent(tx, stored.id, parent).await?;
            stored.value.base_type = given;
        }
    }
    Ok(stored)
}

/// The id of the simple type of that name, after a walk up its own parents that must not meet the
/// child.
async fn simple_parent(tx: &mut Tx, kind: Kind, child: i64, name: &'static str) -> Result<i64> {
    let parent = find_simple(tx, kind, name).await?;
    let parent_id = parent.id;
    let mut next = parent;
    loop {
        if next.id == child {
            return Err(Error::invalid(
                "There is a cycle detected of the given relationship.",
            ));
        }
        match next.value.base_type {
            Some(BaseType::Simple(name)) => next = find_simple(tx, kind, name).await?,
            Some(BaseType::Unset) | None => return Ok(parent_id),
        }
    }
}

async fn find_simple(tx: &mut Tx, kind: Kind, name: &str) -> Result<Stored<NodeType>> {
    let found = types::find(tx, kind, name, None).await?;
    found.ok_or_else(|| Error::internal(format!("the simple type {name} is missing")))
}
