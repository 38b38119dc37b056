//! The tables `ArtifactProperty`, `ExecutionProperty` and `ContextProperty`, and how a value
//! becomes a row.
//!
//! Each type of value has a column. A struct is text with a prefix; a proto message is base64 text
//! in a binary column, on PostgreSQL its bytes. This is upstream's format, which other readers of
//! the database rely on.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::{Any, Struct};

use super::schema::NodeTables;
use crate::error::{Error, Result};
use crate::model::{Kind, Node, NodeContent, Properties, Value};
use crate::storage::bulk::Rows;
use crate::storage::column::{FromRows, Row};
use crate::storage::query::Cell;
use crate::storage::{Dialect, Tx};

/// Prefix of a text that holds a serialized `google.protobuf.Struct`.
const STRUCT_PREFIX: &str = "mlmd-struct::";

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
    String(String),
    Proto(Vec<u8>),
    Bool(bool),
}

impl Property {
    /// Decodes the columns from this index on: name, custom flag, values. The first value that is
    /// not NULL counts; those behind it are not read. `None` where an outer join found no property.
    pub(super) fn read<R: Row>(row: &R, place: usize) -> Result<Option<Self>, R::Error> {
        let Some(name) = row.get(place)? else {
            return Ok(None);
        };
        let custom = row.get(place + 1)?;
        let value = StoredValue::read(row, place + 2)?;
        Ok(Some(Self {
            name,
            custom,
            value,
        }))
    }
}

impl StoredValue {
    fn read<R: Row>(row: &R, place: usize) -> Result<Option<Self>, R::Error> {
        Ok(if let Some(value) = row.get(place)? {
            Some(Self::Int(value))
        } else if let Some(value) = row.get(place + 1)? {
            Some(Self::Double(value))
        } else if let Some(value) = row.get(place + 2)? {
            Some(Self::String(value))
        } else if let Some(value) = row.get(place + 3)? {
            Some(Self::Proto(value))
        } else {
            row.get::<Option<bool>>(place + 4)?.map(Self::Bool)
        })
    }
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
    let dialect = tx.dialect();
    for (owner, property) in properties {
        if let Some(&place) = places.get(&owner) {
            add(dialect, &mut nodes[place], property)?;
        }
    }
    Ok(())
}

/// Adds a property to its owner.
pub(super) fn add(dialect: Dialect, owner: &mut Node, property: Property) -> Result<()> {
    let map = if property.custom {
        &mut owner.content.custom_properties
    } else {
        &mut owner.content.properties
    };
    let value = decode(dialect, owner.id, &property.name, property.value)?;
    map.insert(property.name, value);
    Ok(())
}

fn decode(dialect: Dialect, owner: i64, name: &str, stored: Option<StoredValue>) -> Result<Value> {
    match stored {
        Some(StoredValue::Int(int)) => Ok(Value::Int(int)),
        Some(StoredValue::Double(double)) => Ok(Value::Double(double)),
        Some(StoredValue::String(text)) => decode_string(text),
        Some(StoredValue::Proto(bytes)) => decode_proto(dialect, &bytes).ok_or_else(|| {
            Error::internal(format!(
                "property `{name}` of node {owner} holds no valid `google.protobuf.Any`"
            ))
        }),
        Some(StoredValue::Bool(bool)) => Ok(Value::Bool(bool)),
        None => Err(Error::internal(
            "Attempt to populate property with null value in every known *_value column.",
        )),
    }
}

fn decode_string(text: String) -> Result<Value> {
    let Some(encoded) = text.strip_prefix(STRUCT_PREFIX) else {
        return Ok(Value::String(text));
    };
    STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| Struct::decode(bytes.as_slice()).ok())
        .map(Value::Struct)
        .ok_or_else(|| {
            Error::invalid(format!(
                "Unable to parse serialized `google.protobuf.Struct` value: {text}"
            ))
        })
}

fn decode_proto(dialect: Dialect, stored: &[u8]) -> Option<Value> {
    let any = if dialect.stores_raw_proto() {
        Any::decode(stored)
    } else {
        Any::decode(STANDARD.decode(stored).ok()?.as_slice())
    };
    any.ok()
        .filter(|any| !any.type_url.is_empty())
        .map(Value::Proto)
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
        Value::Struct(value) => {
            let mut text = STRUCT_PREFIX.to_owned();
            STANDARD.encode_string(value.encode_to_vec(), &mut text);
            string = text.into();
        }
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
    tx.insert_rows(&rows).await
}

/// Updates the properties of nodes from the first of each pair, which is stored, to the second.
///
/// # Errors
///
/// Those of the database.
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
    tx.upsert_rows(&new).await
}
