//! The tables `ArtifactProperty`, `ExecutionProperty` and `ContextProperty`, and how a value
//! becomes a row.
//!
//! Each type of value has a column. A struct is text with a prefix; a proto message is base64 text
//! in a binary column, on PostgreSQL its bytes. This is upstream's format, which other readers of
//! the database rely on.
//!
//! A row that cannot be decoded, as another program may have left it, never fails a read: what it
//! holds comes back as near to it as possible, and is counted.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metrics::counter;
use prost::Message;
use prost_types::Any;

use super::schema::NodeTables;
use crate::error::{Error, Result};
use crate::model::{Kind, Node, NodeContent, Properties, StructText, Value};
use crate::storage::bulk::Rows;
use crate::storage::column::{DecodeColumn, FromRows, Row};
use crate::storage::query::Cell;
use crate::storage::{Dialect, Tx};

/// A row of a property.
pub(super) struct Property {
    name: String,
    custom: bool,
    value: Option<StoredValue>,
}

/// The value of a row, by the column that holds it.
enum StoredValue {
    Int(i64),
    Double(f64),
    /// UTF-8, unless another program stored it.
    Text(Vec<u8>),
    Proto(Vec<u8>),
    Bool(bool),
    /// A value of another type than its column, as text. SQLite allows it.
    Mistyped(String),
}

impl Property {
    /// Decodes the columns from this index on: name, custom flag, values. The first value that is
    /// not NULL counts; those behind it are not read. `None` where an outer join found no property.
    pub(super) fn read<R: Row>(row: &R, place: usize) -> Result<Option<Self>, R::Error> {
        let Some(name) = row.get(place)? else {
            return Ok(None);
        };
        let custom = row.get(place + 1)?;
        Ok(Some(Self {
            name,
            custom,
            value: StoredValue::read(row, place + 2),
        }))
    }
}

impl StoredValue {
    fn read<R: Row>(row: &R, place: usize) -> Option<Self> {
        column(row, place, Self::Int)
            .or_else(|| column(row, place + 1, Self::Double))
            .or_else(|| column(row, place + 2, Self::Text))
            .or_else(|| column(row, place + 3, Self::Proto))
            .or_else(|| column(row, place + 4, Self::Bool))
    }
}

/// The value of a column; `None` for NULL.
fn column<R: Row, T: DecodeColumn>(
    row: &R,
    place: usize,
    value: fn(T) -> StoredValue,
) -> Option<StoredValue> {
    if let Ok(stored) = row.get::<Option<T>>(place) {
        return stored.map(value);
    }
    let text = row.get::<Option<String>>(place).ok().flatten();
    Some(StoredValue::Mistyped(text.unwrap_or_default()))
}

/// Properties with the ids of their nodes.
#[derive(Default)]
struct Owned(Vec<(i64, Property)>);

impl FromRows for Owned {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        let owner = row.get(0)?;
        let property = Property::read(row, 1)?;
        self.0.extend(property.map(|property| (owner, property)));
        Ok(())
    }
}

/// Reads the properties of nodes and adds them.
pub(super) async fn attach(tx: &mut Tx, kind: Kind, nodes: &mut [Node]) -> Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    let tables = NodeTables::of(kind);
    let ids: Vec<i64> = nodes.iter().map(|node| node.id).collect();
    let mut query = tx.sql("properties::attach", "SELECT ");
    query
        .push(tables.foreign_key)
        .push(", name, is_custom_property, int_value, double_value, string_value, proto_value, bool_value FROM ")
        .push(tables.properties.name)
        .push(" WHERE ")
        .push(tables.foreign_key)
        .push_in(&ids);
    let Owned(properties) = tx.gather(query).await?;
    let places: HashMap<i64, usize> = ids.into_iter().zip(0..).collect();
    let place = |(owner, property)| Some((*places.get(&owner)?, property));
    let properties = properties.into_iter().filter_map(place);
    add_all(tx.dialect(), kind, nodes, properties);
    Ok(())
}

/// Adds properties to the nodes at their places, and reports those that cannot be decoded.
pub(super) fn add_all(
    dialect: Dialect,
    kind: Kind,
    nodes: &mut [Node],
    properties: impl IntoIterator<Item = (usize, Property)>,
) {
    let mut unreadable = 0;
    let mut first = None;
    for (place, property) in properties {
        let owner = &mut nodes[place];
        let map = if property.custom {
            &mut owner.content.custom_properties
        } else {
            &mut owner.content.properties
        };
        let (value, is_readable) = decode(dialect, property.value);
        if !is_readable {
            unreadable += 1;
            first.get_or_insert_with(|| (owner.id, property.name.clone()));
        }
        map.insert(property.name, value);
    }
    if let Some((id, property)) = first {
        counter!("pedigree_unreadable_values_total").increment(unreadable);
        tracing::warn!(
            kind = kind.noun(),
            id,
            property,
            unreadable,
            "stored values cannot be decoded, and are returned as they are; the first is named"
        );
    }
}

/// The value of a row, and whether it could be decoded. What cannot be decoded is returned as it
/// is: text as text, bytes in an `Any`, a row without a value as the empty one.
fn decode(dialect: Dialect, stored: Option<StoredValue>) -> (Value, bool) {
    match stored {
        Some(StoredValue::Int(int)) => (Value::Int(int), true),
        Some(StoredValue::Double(double)) => (Value::Double(double), true),
        Some(StoredValue::Text(bytes)) => decode_text(bytes),
        Some(StoredValue::Proto(stored)) => decode_proto(dialect, stored),
        Some(StoredValue::Bool(bool)) => (Value::Bool(bool), true),
        Some(StoredValue::Mistyped(text)) => (Value::String(text), false),
        None => (Value::Empty, false),
    }
}

fn decode_text(bytes: Vec<u8>) -> (Value, bool) {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes());
            return (Value::String(text.into_owned()), false);
        }
    };
    match StructText::decode(&text) {
        StructText::Plain => (Value::String(text), true),
        StructText::Struct(decoded) => (Value::Struct(decoded), true),
        StructText::Undecodable => (Value::String(text), false),
    }
}

fn decode_proto(dialect: Dialect, stored: Vec<u8>) -> (Value, bool) {
    let bytes = if dialect.stores_raw_proto() {
        Some(stored.clone())
    } else {
        STANDARD.decode(&stored).ok()
    };
    if let Some(any) = bytes.and_then(|bytes| Any::decode(bytes.as_slice()).ok()) {
        let is_readable = !any.type_url.is_empty();
        return (Value::Proto(any), is_readable);
    }
    let any = Any {
        type_url: String::new(),
        value: stored,
    };
    (Value::Proto(any), false)
}

/// The cells of one property, in the order of `NodeTables::properties`.
fn cells<'a>(
    dialect: Dialect,
    owner: i64,
    (name, value): (&'a str, &'a Value),
    custom: bool,
) -> [Cell<'a>; 8] {
    let mut int = Cell::Int(None);
    let mut double = Cell::Double(None);
    let mut string = Cell::Text(None);
    let mut proto = Cell::Bytes(None);
    let mut bool = Cell::Bool(None);
    match value {
        Value::Int(value) => int = (*value).into(),
        Value::Double(value) => double = (*value).into(),
        Value::String(value) => string = value.as_str().into(),
        Value::Struct(value) => string = StructText::encode(value).into(),
        Value::Proto(value) if dialect.stores_raw_proto() => proto = value.encode_to_vec().into(),
        Value::Proto(value) => proto = STANDARD.encode(value.encode_to_vec()).into_bytes().into(),
        Value::Bool(value) => bool = (*value).into(),
        Value::Empty => debug_assert!(false, "the rules let no empty value through"),
    }
    [
        owner.into(),
        name.into(),
        custom.into(),
        int,
        double,
        string,
        proto,
        bool,
    ]
}

fn push_all<'a>(
    rows: &mut Rows<'a>,
    dialect: Dialect,
    owner: i64,
    properties: impl IntoIterator<Item = (&'a String, &'a Value)>,
    custom: bool,
) {
    for (name, value) in properties {
        rows.push(cells(dialect, owner, (name, value), custom));
    }
}

/// Inserts the properties of new nodes, given with their ids.
pub(super) async fn insert<'a>(
    tx: &mut Tx,
    kind: Kind,
    nodes: impl Iterator<Item = (i64, &'a NodeContent)>,
) -> Result<()> {
    let mut rows = Rows::new(&NodeTables::of(kind).properties);
    for (id, node) in nodes {
        push_all(&mut rows, tx.dialect(), id, &node.properties, false);
        push_all(&mut rows, tx.dialect(), id, &node.custom_properties, true);
    }
    let inserted = tx.insert_rows(&rows).await;
    inserted.map_err(|error| on_look_alikes(tx.dialect(), error))
}

/// The error of two names of one node or type that a database takes for equal: no row had either.
pub(super) fn on_look_alikes(dialect: Dialect, error: Error) -> Error {
    match error {
        Error::AlreadyExists(_) if dialect.has_loose_collation() => Error::invalid(
            "The database takes two names of properties for equal, because its collation ignores \
             case, accents or trailing blanks",
        ),
        other => other,
    }
}

/// Updates the properties of nodes from the first of each pair, which is stored, to the second.
///
/// # Errors
///
/// Those of the database; `InvalidArgument` for names that it takes for equal.
pub async fn update(tx: &mut Tx, kind: Kind, changes: &[(&Node, &Node)]) -> Result<()> {
    let table = &NodeTables::of(kind).properties;
    let mut gone = Rows::keys(table);
    let mut new = Rows::new(table);
    for (before, after) in changes {
        let id = after.id;
        let (before, after) = (&before.content, &after.content);
        let maps: [(&Properties, &Properties, bool); 2] = [
            (&before.properties, &after.properties, false),
            (&before.custom_properties, &after.custom_properties, true),
        ];
        for (before, after, custom) in maps {
            for name in before.keys().filter(|name| !after.contains_key(*name)) {
                gone.push([id.into(), name.as_str().into(), custom.into()]);
            }
            let new_values = after
                .iter()
                .filter(|(name, v)| before.get(*name) != Some(v));
            push_all(&mut new, tx.dialect(), id, new_values, custom);
        }
    }
    tx.delete_rows(&gone).await?;
    let updated = tx.upsert_rows(&new).await;
    updated.map_err(|error| on_look_alikes(tx.dialect(), error))
}

/// Those of some texts that are the property `digest` of an artifact.
///
/// # Errors
///
/// Those of the database.
pub async fn artifact_digests(tx: &mut Tx, digests: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for is_custom in [true, false] {
        let mut query = tx.sql(
            "properties::artifact_digests",
            "SELECT DISTINCT p.string_value FROM ArtifactProperty p WHERE p.name = 'digest' \
             AND p.is_custom_property = ?",
        );
        query
            .bind(is_custom)
            .push(" AND ")
            .push_in_long_texts(|query| _ = query.push("p.string_value"), digests);
        found.extend(tx.all::<String>(query).await?);
    }
    Ok(found)
}
