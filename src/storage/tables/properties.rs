//! The tables `ArtifactProperty`, `ExecutionProperty` and `ContextProperty`, and how a value becomes a row.
//!
//! A value has a column of its own type. A struct is text behind a prefix, a proto message is base64 text in a binary column
//! (its bytes on PostgreSQL); this is upstream's format, which other readers of the database know.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::{Any, Struct};

use super::super::bulk::Rows;
use super::super::column::{Bytes, Flag, Int, Text};
use super::super::query::Cell;
use super::super::{Dialect, Tx};
use super::schema::NodeTables;
use crate::error::{Error, Result};
use crate::model::{Kind, Node, Properties, Value};

/// What a text that holds a serialized `google.protobuf.Struct` starts with.
const STRUCT_PREFIX: &str = "mlmd-struct::";

/// A property: owner, name, whether it is custom, and the value columns in the order in which they are tried.
pub(super) type Row = (
    Int,
    Text,
    Flag,
    Option<Int>,
    Option<f64>,
    Option<Text>,
    Option<Bytes>,
    Option<Flag>,
);

/// Reads the properties of nodes into them.
pub(super) async fn attach(tx: &mut Tx, kind: Kind, nodes: &mut [Node]) -> Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    let tables = NodeTables::of(kind);
    let ids: Vec<i64> = nodes.iter().filter_map(|node| node.id).collect();
    let mut query = tx.sql("properties::attach", "SELECT ");
    query
        .push(tables.reference)
        .push(", name, is_custom_property, int_value, double_value, string_value, proto_value, bool_value FROM ")
        .push(tables.properties.name)
        .push(" WHERE ")
        .push(tables.reference)
        .push_in(&ids);
    let rows: Vec<Row> = tx.all(query).await?;
    let places: HashMap<i64, usize> = ids.into_iter().zip(0..).collect();
    let dialect = tx.dialect();
    for row in rows {
        if let Some(&place) = places.get(&row.0.0) {
            add(dialect, &mut nodes[place], row)?;
        }
    }
    Ok(())
}

/// Adds a property to its owner.
pub(super) fn add(dialect: Dialect, owner: &mut Node, row: Row) -> Result<()> {
    let map = if row.2.0 {
        &mut owner.custom_properties
    } else {
        &mut owner.properties
    };
    let (name, value) = decode(dialect, row)?;
    map.insert(name, value);
    Ok(())
}

fn decode(dialect: Dialect, row: Row) -> Result<(String, Value)> {
    let (owner, name, _, int, double, string, proto, bool) = row;
    let value = if let Some(int) = int {
        Value::Int(int.0)
    } else if let Some(double) = double {
        Value::Double(double)
    } else if let Some(string) = string {
        decode_string(string.0)?
    } else if let Some(proto) = proto {
        decode_proto(dialect, &proto.0).ok_or_else(|| {
            let (owner, name) = (owner.0, &name.0);
            Error::internal(format!(
                "property `{name}` of node {owner} holds no valid `google.protobuf.Any`"
            ))
        })?
    } else if let Some(bool) = bool {
        Value::Bool(bool.0)
    } else {
        return Err(Error::internal(
            "Attempt to populate property with null value in every known *_value column.",
        ));
    };
    Ok((name.0, value))
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

/// Stores the properties of new nodes, given with their ids.
pub(super) async fn insert<'a>(
    tx: &mut Tx,
    kind: Kind,
    nodes: impl Iterator<Item = (i64, &'a Node)>,
) -> Result<()> {
    let mut rows = Rows::new(&NodeTables::of(kind).properties);
    for (id, node) in nodes {
        push_all(&mut rows, tx.dialect(), id, &node.properties, false);
        push_all(&mut rows, tx.dialect(), id, &node.custom_properties, true);
    }
    tx.insert_rows(&rows).await
}

/// Makes the stored properties of nodes equal to those of `(before, after)`'s second half, given that the first is stored.
///
/// # Errors
///
/// Those of the database.
pub async fn update(tx: &mut Tx, kind: Kind, changes: &[(&Node, &Node)]) -> Result<()> {
    let table = &NodeTables::of(kind).properties;
    let mut gone = Rows::keys(table);
    let mut new = Rows::new(table);
    for (before, after) in changes {
        let Some(id) = after.id else { continue };
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
