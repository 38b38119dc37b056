//! The tables `Type`, `TypeProperty` and `ParentType`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::properties::on_look_alikes;
use crate::error::{Error, Result};
use crate::model::{BaseType, Kind, NodeType, PropertyType, SIMPLE_TYPES, Stored};
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text as TextColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRows, Row};
use crate::storage::query::{Cell, Query};
use crate::storage::{Dialect, Tx};

pub(super) static TYPE: Table = Table {
    name: "Type",
    columns: &[
        ("name", TextColumn),
        ("version", TextColumn),
        ("type_kind", IntColumn),
        ("description", TextColumn),
        ("input_type", TextColumn),
        ("output_type", TextColumn),
        ("external_id", TextColumn),
    ],
    unwritten: &["id"],
    key: 0,
};

pub(super) static TYPE_PROPERTY: Table = Table {
    name: "TypeProperty",
    columns: &[
        ("type_id", IntColumn),
        ("name", TextColumn),
        ("data_type", IntColumn),
    ],
    unwritten: &[],
    key: 2,
};

pub(super) static PARENT_TYPE: Table = Table {
    name: "ParentType",
    columns: &[("type_id", IntColumn), ("parent_type_id", IntColumn)],
    unwritten: &[],
    key: 2,
};

/// Collects types from rows of a type, one of its properties and its base type, if it has any.
#[derive(Default)]
struct JoinedTypes(BTreeMap<i64, Stored<NodeType>>);

impl FromRows for JoinedTypes {
    /// From the columns of [`select`].
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        let id = row.get(0)?;
        let found = match self.0.entry(id) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(new) => {
                let value = NodeType {
                    name: row.get(1)?,
                    version: row.get(2)?,
                    description: row.get(3)?,
                    external_id: row.get(4)?,
                    input_type: row.get(5)?,
                    output_type: row.get(6)?,
                    ..NodeType::default()
                };
                new.insert(Stored { id, value })
            }
        };
        let found = &mut found.value;
        if let (Some(name), Some(number)) = (row.get(7)?, row.get(8)?) {
            let data_type = PropertyType::from_number(number).unwrap_or(PropertyType::Unknown);
            found.properties.insert(name, data_type);
        }
        if let Some(base) = row.get::<Option<String>>(9)?
            && let Some(simple) = simple_type(&base)
        {
            found.base_type = Some(simple);
        }
        Ok(())
    }
}

fn simple_type(name: &str) -> Option<BaseType> {
    let simple = SIMPLE_TYPES.iter().find(|(_, simple)| *simple == name);
    simple.map(|(_, name)| BaseType::Simple(name))
}

/// Starts a query for whole types `t` of a kind. Append conditions, then call [`fetch`].
fn select(name: &'static str, dialect: Dialect, kind: Kind) -> Query {
    let mut query = Query::new(
        name,
        dialect,
        "SELECT t.id, t.name, t.version, t.description, t.external_id, t.input_type, t.output_type, \
         p.name, p.data_type, b.name FROM Type t \
         LEFT JOIN TypeProperty p ON p.type_id = t.id \
         LEFT JOIN ParentType l ON l.type_id = t.id LEFT JOIN Type b ON b.id = l.parent_type_id \
         WHERE t.type_kind = ?",
    );
    query.bind(kind.number());
    query
}

/// Runs a query made by [`select`]. Returns the types ascending by id, sorted here: databases would
/// build a temporary table.
async fn fetch(tx: &mut Tx, query: Query) -> Result<Vec<Stored<NodeType>>> {
    let JoinedTypes(types) = tx.gather(query).await?;
    Ok(types.into_values().collect())
}

/// The type of a kind with this name and version. Old servers could create duplicates; the oldest
/// counts.
///
/// # Errors
///
/// Those of the database.
pub async fn find(
    tx: &mut Tx,
    kind: Kind,
    name: &str,
    version: Option<&str>,
) -> Result<Option<Stored<NodeType>>> {
    let mut query = select("types::find", tx.dialect(), kind);
    query.push(" AND t.name = ?").bind(name);
    match version {
        Some(version) => query.push(" AND t.version = ?").bind(version),
        None => query.push(" AND t.version IS NULL"),
    };
    let found = fetch(tx, query).await?;
    // A loose collation can match other names.
    let exact = |Stored { value, .. }: &Stored<NodeType>| {
        value.name == name && value.version.as_deref() == version
    };
    let found = found.into_iter().find(exact);
    if let (Some(found), Some((types, read))) = (&found, tx.types()) {
        types.keep_answer(kind, &Arc::new(found.clone()), read);
    }
    Ok(found)
}

/// The id of the type that [`find`] returns. It never changes, so it is cached.
///
/// # Errors
///
/// Those of the database.
pub async fn id(tx: &mut Tx, kind: Kind, name: &str, version: Option<&str>) -> Result<Option<i64>> {
    let known = tx
        .types()
        .and_then(|(types, _)| types.id(kind, name, version));
    match known {
        Some(id) => Ok(Some(id)),
        None => Ok(find(tx, kind, name, version).await?.map(|found| found.id)),
    }
}

/// [`id`], for types that most stores lack: an answer of "none" may be a second old, so that such a
/// store is not asked at every write.
///
/// # Errors
///
/// Those of the database.
pub async fn recent_id(
    tx: &mut Tx,
    kind: Kind,
    name: &str,
    version: Option<&str>,
) -> Result<Option<i64>> {
    let cached = tx.types();
    if cached.is_some_and(|(types, _)| types.was_absent(kind, name, version)) {
        return Ok(None);
    }
    let found = id(tx, kind, name, version).await?;
    if let (None, Some((types, read))) = (found, tx.types()) {
        types.keep_absence(kind, name, version, read);
    }
    Ok(found)
}

/// The types of a kind with these names, in all versions, ascending by id.
///
/// # Errors
///
/// Those of the database.
pub async fn by_names(tx: &mut Tx, kind: Kind, names: &[&str]) -> Result<Vec<Stored<NodeType>>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = select("types::by_names", tx.dialect(), kind);
    query.push(" AND t.name").push_in_texts(names);
    fetch(tx, query).await
}

/// The types of a kind with these ids, ascending by id; ids of other kinds are left out.
///
/// # Errors
///
/// Those of the database.
pub async fn by_ids(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Stored<NodeType>>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = select("types::by_ids", tx.dialect(), kind);
    query.push(" AND t.id").push_in(ids);
    fetch(tx, query).await
}

/// The ids of the types of a kind with one of these names.
///
/// # Errors
///
/// Those of the database.
pub async fn ids_by_names(tx: &mut Tx, kind: Kind, names: &[&str]) -> Result<Vec<i64>> {
    let mut query = tx.sql(
        "types::ids_by_names",
        "SELECT id FROM Type WHERE type_kind = ?",
    );
    query
        .bind(kind.number())
        .push(" AND name")
        .push_in_texts(names);
    tx.all(query).await
}

/// The types of a kind with these ids, ascending by id; ids of other kinds are left out. Cached
/// types can lack what was declared later.
///
/// # Errors
///
/// Those of the database.
pub async fn known(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Arc<Stored<NodeType>>>> {
    let mut found = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match tx.types().and_then(|(types, _)| types.known(kind, *id)) {
            Some(known) => found.push(known),
            None => missing.push(*id),
        }
    }
    found.extend(stored(tx, kind, &missing).await?);
    found.sort_by_key(|found| found.id);
    Ok(found)
}

/// As [`known`], read from the database.
///
/// # Errors
///
/// Those of the database.
pub async fn stored(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Arc<Stored<NodeType>>>> {
    let found = by_ids(tx, kind, ids).await?.into_iter().map(Arc::new);
    let found: Vec<Arc<Stored<NodeType>>> = found.collect();
    if let Some((types, read)) = tx.types().filter(|_| !found.is_empty()) {
        types.keep(kind, &found, read);
    }
    Ok(found)
}

/// All types of a kind, ascending by id.
///
/// # Errors
///
/// Those of the database.
pub async fn all(tx: &mut Tx, kind: Kind) -> Result<Vec<Stored<NodeType>>> {
    let answered = tx.types().filter(|_| tx.dialect().is_single_process());
    if let Some(found) = answered.and_then(|(types, _)| types.answer_all(kind)) {
        return Ok(found.to_vec());
    }
    let query = select("types::all", tx.dialect(), kind);
    let found = fetch(tx, query).await?;
    if let Some((types, read)) = tx.types() {
        types.keep_all(kind, &found, read);
    }
    Ok(found)
}

/// The types of a kind with these external ids, ascending by id.
///
/// # Errors
///
/// Those of the database.
pub async fn by_external_ids(
    tx: &mut Tx,
    kind: Kind,
    ids: &[&str],
) -> Result<Vec<Stored<NodeType>>> {
    let mut query = select("types::by_external_ids", tx.dialect(), kind);
    query.push(" AND t.external_id").push_in_texts(ids);
    fetch(tx, query).await
}

/// Inserts a type without its properties, and returns its id.
///
/// # Errors
///
/// `AlreadyExists` when a type of any kind has its external id.
pub async fn insert(tx: &mut Tx, kind: Kind, new: &NodeType) -> Result<i64> {
    tx.change_types();
    let mut rows = Rows::new(&TYPE);
    rows.push([
        new.name.as_str().into(),
        new.version.as_deref().into(),
        kind.number().into(),
        new.description.as_deref().into(),
        new.input_type.as_deref().into(),
        new.output_type.as_deref().into(),
        new.external_id.as_deref().into(),
    ]);
    let ids = tx.insert_rows_for_ids(&rows).await?;
    let id = ids.first().copied();
    id.ok_or_else(|| Error::internal("an inserted type has no id"))
}

/// Declares further properties of a type.
///
/// # Errors
///
/// `AlreadyExists` when one of them is declared; `InvalidArgument` for names that the database
/// takes for equal.
pub async fn add_properties<'a>(
    tx: &mut Tx,
    id: i64,
    properties: impl Iterator<Item = (&'a String, &'a PropertyType)>,
) -> Result<()> {
    let mut rows = Rows::new(&TYPE_PROPERTY);
    for (name, data_type) in properties {
        let number = i64::from(data_type.number());
        rows.push([id.into(), name.as_str().into(), number.into()]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    tx.change_types();
    let inserted = tx.insert_rows(&rows).await;
    inserted.map_err(|error| on_look_alikes(tx.dialect(), error))
}

/// Sets the external id of a type.
///
/// # Errors
///
/// `AlreadyExists` when a type of any kind has it.
pub async fn set_external_id(tx: &mut Tx, id: i64, external_id: &str) -> Result<()> {
    tx.change_types();
    let mut query = tx.sql(
        "types::set_external_id",
        "UPDATE Type SET external_id = ? WHERE id = ?",
    );
    query.bind(external_id).bind(id);
    tx.run(query).await.map(|_| ())
}

/// Makes one type the parent of another.
///
/// # Errors
///
/// `AlreadyExists` when it is already.
pub async fn insert_parent(tx: &mut Tx, id: i64, parent: i64) -> Result<()> {
    tx.change_types();
    let mut rows = Rows::new(&PARENT_TYPE);
    rows.push([Cell::from(id), Cell::from(parent)]);
    tx.insert_rows(&rows).await
}
