//! The tables `ArtifactProperty`, `ExecutionProperty` and `ContextProperty`, and how a value
//! becomes a row.
//!
//! Each type of value has a column. A struct is text with a prefix; a proto message is base64 text
//! in a binary column, on PostgreSQL its bytes. This is upstream's format, which other readers of
//! the database rely on.
//!
//! A row that cannot be decoded, as another program may have left it, never fails a read: what it
//! holds comes back as near to it as possible, and is counted.

use std::borrow::Cow;
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

/// What the properties of a node are read into.
pub trait FromProperties: Default + Send + 'static {
    /// Adds a property. Properties come in no order, each once.
    fn add(&mut self, name: Cow<'_, str>, is_custom: bool, value: Value);
}

/// All properties of a node.
#[derive(Default)]
pub(super) struct AllProperties {
    pub declared: Properties,
    pub custom: Properties,
}

impl FromProperties for AllProperties {
    fn add(&mut self, name: Cow<'_, str>, is_custom: bool, value: Value) {
        let map = if is_custom {
            &mut self.custom
        } else {
            &mut self.declared
        };
        map.insert(name.into_owned(), value);
    }
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

/// The properties of nodes, by the ids of these in the order in which they came.
#[derive(Default)]
pub(super) struct Gathered<P> {
    pub of_nodes: Vec<(i64, P)>,
    places: HashMap<i64, usize>,
    /// How many values could not be decoded.
    unreadable: u64,
    /// The first of them: the node and the name.
    first_unreadable: Option<(i64, String)>,
}

impl<P: FromProperties> Gathered<P> {
    /// Adds a row of a node and a property, whose columns begin at this index: name, custom flag,
    /// values. The first value that is not NULL counts; those behind it are not read. The name is
    /// NULL where an outer join found no property. Returns whether the node is a new one.
    pub(super) fn add<R: Row>(&mut self, row: &R, id: i64, place: usize) -> Result<bool, R::Error> {
        // The rows of a node mostly follow each other.
        let is_last = self.of_nodes.last().is_some_and(|(last, _)| *last == id);
        let count = self.of_nodes.len();
        let node = if is_last {
            count - 1
        } else {
            *self.places.entry(id).or_insert(count)
        };
        let is_new = node == count;
        if is_new {
            self.of_nodes.push((id, P::default()));
        }
        let Some(name) = row.get_text(place)? else {
            return Ok(is_new);
        };
        let is_custom = row.get(place + 1)?;
        let (value, is_readable) = decode(R::DIALECT, StoredValue::read(row, place + 2));
        if !is_readable {
            self.unreadable += 1;
            self.first_unreadable
                .get_or_insert_with(|| (id, name.clone().into_owned()));
        }
        self.of_nodes[node].1.add(name, is_custom, value);
        Ok(is_new)
    }

    /// Reports values that could not be decoded.
    pub(super) fn report(&self, kind: Kind) {
        let unreadable = self.unreadable;
        if let Some((id, property)) = &self.first_unreadable {
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
}

impl<P: FromProperties> FromRows for Gathered<P> {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        let id = row.get(0)?;
        self.add(row, id, 1).map(|_| ())
    }
}

/// The properties of nodes, by the ids of these.
pub(super) async fn of_nodes<P: FromProperties>(
    tx: &mut Tx,
    kind: Kind,
    ids: &[i64],
) -> Result<HashMap<i64, P>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let tables = NodeTables::of(kind);
    let mut query = tx.sql("properties::of_nodes", "SELECT ");
    query
        .push(tables.foreign_key)
        .push(", name, is_custom_property, int_value, double_value, string_value, proto_value, bool_value FROM ")
        .push(tables.properties.name)
        .push(" WHERE ")
        .push(tables.foreign_key)
        .push_in(ids);
    let gathered: Gathered<P> = tx.gather(query).await?;
    gathered.report(kind);
    Ok(gathered.of_nodes.into_iter().collect())
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
