//! The table `PedigreeLargeValue`: what is too large for the rows of the history, in parts.
//!
//! All parts of a row have one id, with which the row begins: statements find the parts of rows
//! without decoding these. The row says which parts are which value.

use prost::Message;
use prost_types::{Any, Struct};

use super::codec::RowDefect;
use crate::error::Result;
use crate::model::{NodeContent, Properties, Value};
use crate::proof::commitment::{canonical, commitment, salt};
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bytes as BytesColumn, Int as IntColumn};
use crate::storage::bulk::{Rows, Table};

static LARGE_VALUE: Table = Table {
    name: "PedigreeLargeValue",
    columns: &[
        ("id", BytesColumn),
        ("part_number", IntColumn),
        ("content", BytesColumn),
    ],
    unwritten: &[],
    key: 1,
};

/// The size above which a value is kept apart, in bytes.
pub(super) const MAX_INNER_BYTES: usize = 64 << 10;

/// The most bytes of a part.
const MAX_PART_BYTES: usize = 1 << 20;

/// The leading bytes of a row with parts, before their id: the key of field 7 of the row and the
/// length of the id.
pub(super) const ID_PREFIX: [u8; 2] = [0x3a, ID_BYTES];

/// The length of an id, in bytes.
pub(super) const ID_BYTES: u8 = 16;

/// The id of the parts of a row, from the leading bytes of the row.
pub(super) fn parts_id(row: &[u8]) -> Option<&[u8]> {
    row.strip_prefix(&ID_PREFIX)?.get(..ID_BYTES.into())
}

/// Where something is that is kept apart, in a row.
#[derive(Clone, PartialEq, Message)]
pub(super) struct LargeFields {
    /// SHA-256 of the salt and the canonical bytes.
    #[prost(bytes = "vec", tag = "1")]
    commitment: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    salt: Vec<u8>,
    #[prost(uint32, tag = "3")]
    first_part: u32,
    #[prost(uint32, tag = "4")]
    parts: u32,
}

impl LargeFields {
    /// What the parts hold.
    fn bytes(&self, parts: &[Vec<u8>]) -> Result<Vec<u8>, RowDefect> {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (first, count) = (place(self.first_part), place(self.parts));
        let own = parts.get(first..first.saturating_add(count));
        Ok(own.ok_or(RowDefect::MissingPart)?.concat())
    }

    /// Bytes that [`RowParts::keep`] kept.
    pub(super) fn plain(&self, parts: &[Vec<u8>]) -> Result<Vec<u8>, RowDefect> {
        let bytes = self.bytes(parts)?;
        self.check(&bytes)?;
        Ok(bytes)
    }

    /// A value that [`RowParts::take`] took.
    fn value(&self, parts: &[Vec<u8>]) -> Result<Value, RowDefect> {
        let value = decode_value(&self.bytes(parts)?)?;
        self.check(&canonical(&value))?;
        Ok(value)
    }

    fn check(&self, canonical: &[u8]) -> Result<(), RowDefect> {
        if commitment(&self.salt, canonical) == self.commitment {
            return Ok(());
        }
        Err(RowDefect::ChangedPart)
    }
}

/// The parts of a row under construction.
#[derive(Debug, Default)]
pub(super) struct RowParts(pub Vec<Vec<u8>>);

impl RowParts {
    /// Takes the large values out of a node, which is a record of the row with this seed. Returns
    /// them by the names of their fields.
    pub(super) fn take(
        &mut self,
        content: &mut NodeContent,
        seed: &[u8],
        record: u32,
    ) -> Vec<(String, LargeFields)> {
        let mut taken = Vec::new();
        for (name, text) in texts_of(content) {
            if let Some(long) = text.take_if(|text| text.len() > MAX_INNER_BYTES) {
                taken.push((name.to_owned(), Value::String(long)));
            }
        }
        for (prefix, properties) in properties_of(content) {
            let large = properties.extract_if(.., |_, value| is_large(value));
            taken.extend(large.map(|(name, value)| ([prefix, &name].concat(), value)));
        }
        let keep = |(field, value): (String, Value)| {
            let salt = salt(seed, record, &field);
            let kept = self.put(&encode_value(&value), salt, &canonical(&value));
            (field, kept)
        };
        taken.into_iter().map(keep).collect()
    }

    /// Keeps bytes apart that are no value.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> LargeFields {
        self.put(bytes, Vec::new(), bytes)
    }

    fn put(&mut self, bytes: &[u8], salt: Vec<u8>, canonical: &[u8]) -> LargeFields {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let first = self.0.len();
        self.0
            .extend(bytes.chunks(MAX_PART_BYTES).map(<[u8]>::to_vec));
        LargeFields {
            commitment: commitment(&salt, canonical),
            salt,
            first_part: number(first),
            parts: number(self.0.len() - first),
        }
    }
}

/// Puts values that [`RowParts::take`] took back into their node.
pub(super) fn put_back(
    content: &mut NodeContent,
    large: impl IntoIterator<Item = (String, LargeFields)>,
    parts: &[Vec<u8>],
) -> Result<(), RowDefect> {
    for (field, kept) in large {
        let value = kept.value(parts)?;
        if let Some((properties, name)) = properties_of(content)
            .into_iter()
            .find_map(|(prefix, properties)| Some((properties, field.strip_prefix(prefix)?)))
        {
            properties.insert(name.to_owned(), value);
        } else if let Value::String(text) = value
            && let Some((_, place)) = texts_of(content)
                .into_iter()
                .find(|(name, _)| *name == field)
        {
            *place = Some(text);
        }
    }
    Ok(())
}

/// The texts of a node, with the names of their fields.
fn texts_of(content: &mut NodeContent) -> [(&'static str, &mut Option<String>); 3] {
    [
        ("name", &mut content.name),
        ("external_id", &mut content.external_id),
        ("uri", &mut content.uri),
    ]
}

/// The properties of a node, with what the names of their fields begin with.
fn properties_of(content: &mut NodeContent) -> [(&'static str, &mut Properties); 2] {
    [
        ("p/", &mut content.properties),
        ("c/", &mut content.custom_properties),
    ]
}

/// Whether a value is kept apart: it is large, or another program stored it and it is nested too
/// deeply to be decoded inside a row.
fn is_large(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > MAX_INNER_BYTES,
        Value::Struct(given) => given.encoded_len() > MAX_INNER_BYTES || value.defect().is_some(),
        Value::Proto(any) => any.encoded_len() > MAX_INNER_BYTES,
        Value::Int(_) | Value::Double(_) | Value::Bool(_) | Value::Empty => false,
    }
}

/// What the stored forms of values begin with.
const TEXT_LETTER: u8 = b's';
const STRUCT_LETTER: u8 = b'm';
const PROTO_LETTER: u8 = b'p';

/// The stored form of a large value. Unlike the canonical one, it keeps everything of a struct.
fn encode_value(value: &Value) -> Vec<u8> {
    let with_letter = |letter: u8, content: &[u8]| [&[letter], content].concat();
    match value {
        Value::String(text) => with_letter(TEXT_LETTER, text.as_bytes()),
        Value::Struct(given) => with_letter(STRUCT_LETTER, &given.encode_to_vec()),
        Value::Proto(any) => with_letter(PROTO_LETTER, &any.encode_to_vec()),
        Value::Int(_) | Value::Double(_) | Value::Bool(_) | Value::Empty => Vec::new(),
    }
}

fn decode_value(bytes: &[u8]) -> Result<Value, RowDefect> {
    match bytes.split_first() {
        Some((&TEXT_LETTER, text)) => String::from_utf8(text.to_vec())
            .map(Value::String)
            .map_err(|_| RowDefect::ChangedPart),
        Some((&STRUCT_LETTER, given)) => Ok(Value::Struct(Struct::decode(given)?)),
        Some((&PROTO_LETTER, any)) => Ok(Value::Proto(Any::decode(any)?)),
        _ => Err(RowDefect::ChangedPart),
    }
}

/// Stores the parts of rows, which have these ids.
pub(super) async fn insert<'a>(
    tx: &mut Tx,
    rows: impl Iterator<Item = (&'a [u8], &'a [Vec<u8>])>,
) -> Result<()> {
    let mut parts = Rows::new(&LARGE_VALUE);
    for (id, of_row) in rows {
        for (number, part) in (0_i64..).zip(of_row) {
            parts.push([id.into(), number.into(), part.as_slice().into()]);
        }
    }
    tx.insert_rows(&parts).await
}

/// The parts of a row, in order.
pub(super) async fn parts(tx: &mut Tx, id: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut query = tx.sql(
        "large::parts",
        "SELECT content FROM PedigreeLargeValue WHERE id = ? ORDER BY part_number",
    );
    query.bind(id);
    tx.all(query).await
}

/// Deletes the parts of rows.
pub(super) async fn delete(tx: &mut Tx, ids: &[Vec<u8>]) -> Result<()> {
    let mut keys = Rows::keys(&LARGE_VALUE);
    for id in ids {
        keys.push([id.as_slice().into()]);
    }
    tx.delete_rows(&keys).await
}
