//! The stored form of changes: a row of `PedigreeChange` or `PedigreeOutbox`, as protocol buffers.
//!
//! Rows outlive the version that wrote them: no field gets another meaning, and a version skips the
//! fields that it does not know. A row stores each origin once, and each caller of several once.
//! What is too large for it is in parts of their own.

use std::sync::Arc;

use aws_lc_rs::rand;
use prost::{DecodeError, Message, Oneof};

use super::large::{ID_BYTES, LargeFields, MAX_INNER_BYTES, RowParts, parts_id};
use super::origins::{AccessFields, CallerFields, OriginFields};
use super::subject::{EventFields, MembershipFields, NodeFields, TypeFields};
use crate::error::{Error, Result};
use crate::model::{AccessRecord, Caller, Change, JournalEntry, Kind, Operation, Origin, Subject};
use crate::storage::TakenJournal;

/// The size at which a row is full, in bytes of changes, with what is kept apart from them.
const ROW_BYTES: usize = MAX_INNER_BYTES;

/// The size of changes above which they are kept apart as a whole, in bytes: nodes of very many
/// small values, mostly.
const MAX_CHANGES_BYTES: usize = 1 << 20;

/// The length of the seed of a row, in bytes.
const SEED_BYTES: usize = 32;

/// The `kind` of events, which have none.
const NO_KIND: i64 = -1;

#[derive(Clone, PartialEq, Message)]
struct ChangeRow {
    #[prost(message, repeated, tag = "1")]
    changes: Vec<StoredChange>,
    #[prost(message, repeated, tag = "2")]
    callers: Vec<CallerFields>,
    /// Empty in rows of versions that stored no origins.
    #[prost(message, repeated, tag = "3")]
    origins: Vec<OriginFields>,
    /// Requests that changed nothing.
    #[prost(message, repeated, tag = "4")]
    accesses: Vec<AccessFields>,
    /// How many rows before this one have changes of its first origin.
    #[prost(uint32, tag = "5")]
    part: u32,
    /// Random bytes, from which the salts of commitments to the fields of changes follow. Empty in
    /// rows of versions that drew none.
    #[prost(bytes = "vec", tag = "6")]
    seed: Vec<u8>,
    /// The id of the parts, if there are some. It is the first field of the encoded row.
    #[prost(bytes = "vec", tag = "7")]
    parts_id: Vec<u8>,
    /// Further changes, which are kept apart: a `ChangeList`.
    #[prost(message, optional, tag = "8")]
    large_changes: Option<LargeFields>,
}

/// The part of a row that is encoded first.
#[derive(Clone, PartialEq, Message)]
struct RowHead {
    #[prost(bytes = "vec", tag = "7")]
    parts_id: Vec<u8>,
}

/// The part of a row that is kept apart if it is large.
#[derive(Clone, PartialEq, Message)]
struct ChangeList {
    #[prost(message, repeated, tag = "1")]
    changes: Vec<StoredChange>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredChange {
    #[prost(int64, tag = "1")]
    operation: i64,
    #[prost(int64, tag = "2")]
    kind: i64,
    #[prost(oneof = "StoredSubject", tags = "3, 4, 5, 6")]
    subject: Option<StoredSubject>,
    /// The index of its origin in the row.
    #[prost(uint32, tag = "7")]
    origin: u32,
}

#[derive(Clone, PartialEq, Oneof)]
enum StoredSubject {
    #[prost(message, tag = "3")]
    Node(NodeFields),
    #[prost(message, tag = "4")]
    Type(TypeFields),
    #[prost(message, tag = "5")]
    Event(EventFields),
    #[prost(message, tag = "6")]
    Membership(MembershipFields),
}

/// The content of a row, as in `ChangeRow`.
#[derive(Debug)]
pub(super) struct DecodedRow {
    pub changes: Vec<Decoded>,
    pub accesses: Vec<AccessRecord>,
    pub part: u32,
}

/// A change as its row has it.
#[derive(Debug)]
pub(super) struct Decoded {
    pub origin: Arc<Origin>,
    pub change: DecodedChange,
}

#[derive(Debug)]
pub(super) enum DecodedChange {
    Whole(Box<Change>),
    /// A change of the node with this id. It is of a version that stored no more of a large node.
    IdOnly(Operation, Kind, i64),
}

/// Why a row cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowDefect {
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    #[error("a part of a large value is missing")]
    MissingPart,
    #[error("a part of a large value is not as it was written")]
    ChangedPart,
}

/// A row as it is stored, and the parts of what is too large for it.
#[derive(Debug)]
pub(super) struct EncodedRow {
    pub bytes: Vec<u8>,
    parts: Vec<Vec<u8>>,
}

impl EncodedRow {
    /// The parts and their id, if there are some.
    pub(super) fn parts(&self) -> Option<(&[u8], &[Vec<u8>])> {
        Some((parts_id(&self.bytes)?, self.parts.as_slice()))
    }
}

/// The rows of these changes, in order. The last one has the requests that share them.
///
/// # Errors
///
/// `Internal` when the system has no random bytes.
pub(super) fn encode_rows(journal: TakenJournal) -> Result<Vec<EncodedRow>> {
    let mut rows = Vec::new();
    if journal.entries.is_empty() && journal.shared.is_empty() {
        return Ok(rows);
    }
    let mut row = RowBuilder::begin()?;
    for entry in journal.entries {
        row.push(entry);
        if row.bytes >= ROW_BYTES {
            let next = RowBuilder::after(&row)?;
            rows.push(std::mem::replace(&mut row, next).finish()?);
        }
    }
    for access in journal.shared {
        row.push_access(access);
    }
    if !row.row.changes.is_empty() || !row.row.accesses.is_empty() {
        rows.push(row.finish()?);
    }
    Ok(rows)
}

/// The row of requests that changed nothing.
///
/// # Errors
///
/// As [`encode_rows`].
pub(super) fn encode_accesses(accesses: Vec<AccessRecord>) -> Result<EncodedRow> {
    let mut builder = RowBuilder::begin()?;
    for access in accesses {
        builder.push_access(access);
    }
    builder.finish()
}

/// Bytes of the system's generator.
fn random_bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    let filled = rand::fill(&mut bytes);
    filled.map_err(|_| Error::internal("the system has no random bytes"))?;
    Ok(bytes)
}

/// The content of a row that was written at a time in milliseconds since epoch, and has these
/// parts. Changes of a kind that this version does not know are left out.
///
/// # Errors
///
/// If the row or a part is not as it was written.
pub(super) fn decode_row(
    bytes: &[u8],
    time: i64,
    parts: &[Vec<u8>],
) -> Result<DecodedRow, RowDefect> {
    let mut row = ChangeRow::decode(bytes)?;
    if let Some(large) = row.large_changes.take() {
        let list = ChangeList::decode(large.plain(parts)?.as_slice())?;
        row.changes.extend(list.changes);
    }
    let unknown = Arc::new(Origin::unknown(time));
    let callers: Vec<Caller> = row.callers.into_iter().map(Caller::from).collect();
    let origin = |fields: OriginFields| {
        let caller = callers.get(position(fields.caller))?;
        Some(Arc::new(fields.of(caller)))
    };
    let origins: Vec<Option<Arc<Origin>>> = row.origins.into_iter().map(origin).collect();
    let origin = |place: u32| {
        let found = origins.get(position(place)).cloned().flatten();
        found.unwrap_or_else(|| unknown.clone())
    };
    let decoded = |change: StoredChange| {
        let origin = origin(change.origin);
        let change = change.decode(parts).transpose()?;
        Some(change.map(|change| Decoded { origin, change }))
    };
    let access = |fields: AccessFields| {
        let origin = origin(fields.origin);
        fields.of(origin)
    };
    Ok(DecodedRow {
        changes: row
            .changes
            .into_iter()
            .filter_map(decoded)
            .collect::<Result<_, _>>()?,
        accesses: row.accesses.into_iter().map(access).collect(),
        part: row.part,
    })
}

/// A row under construction.
#[derive(Default)]
struct RowBuilder {
    row: ChangeRow,
    parts: RowParts,
    /// The size of the changes so far, with what is kept apart.
    bytes: usize,
    /// The origin of the change before.
    last: Option<Arc<Origin>>,
    /// The origin of the last change of the row before, and the part of its changes that follows.
    before: Option<(Arc<Origin>, u32)>,
}

impl RowBuilder {
    /// A row without changes, and its seed.
    fn begin() -> Result<Self> {
        let row = ChangeRow {
            seed: random_bytes(SEED_BYTES)?,
            ..ChangeRow::default()
        };
        Ok(Self {
            row,
            ..Self::default()
        })
    }

    /// The row after a full one.
    fn after(full: &Self) -> Result<Self> {
        let next_part = match full.row.origins.as_slice() {
            [_] => full.row.part + 1,
            _ => 1,
        };
        Ok(Self {
            before: full.last.clone().map(|origin| (origin, next_part)),
            ..Self::begin()?
        })
    }

    /// Encodes the row, whose leading bytes have the id of its parts.
    fn finish(mut self) -> Result<EncodedRow> {
        if self.bytes > MAX_CHANGES_BYTES && self.row.encoded_len() > MAX_CHANGES_BYTES {
            let changes = std::mem::take(&mut self.row.changes);
            let list = ChangeList { changes };
            self.row.large_changes = Some(self.parts.keep(&list.encode_to_vec()));
        }
        let RowParts(parts) = self.parts;
        let mut bytes = self.row.encode_to_vec();
        if !parts.is_empty() {
            let parts_id = random_bytes(ID_BYTES.into())?;
            bytes = [RowHead { parts_id }.encode_to_vec(), bytes].concat();
        }
        Ok(EncodedRow { bytes, parts })
    }

    fn push(&mut self, entry: JournalEntry) {
        let is_same = |last: &Arc<Origin>| Arc::ptr_eq(last, &entry.origin);
        if !self.last.as_ref().is_some_and(is_same) {
            if let Some((before, part)) = self.before.take()
                && is_same(&before)
            {
                self.row.part = part;
            }
            self.push_origin(&entry.origin);
            self.last = Some(entry.origin);
        }
        let mut change = entry.change;
        let mut large = Vec::new();
        if let Subject::Node(_, node) = &mut change.subject {
            let record = index(self.row.changes.len());
            let before = self.parts.0.len();
            large = self.parts.take(&mut node.content, &self.row.seed, record);
            self.bytes += self.parts.0[before..].iter().map(Vec::len).sum::<usize>();
        }
        let mut change = StoredChange {
            origin: index(self.row.origins.len() - 1),
            ..StoredChange::from(change)
        };
        if let Some(StoredSubject::Node(node)) = &mut change.subject {
            node.large = large.into_iter().collect();
        }
        self.bytes += change.encoded_len();
        self.row.changes.push(change);
    }

    fn push_access(&mut self, access: AccessRecord) {
        self.push_origin(&access.origin);
        let origin = index(self.row.origins.len() - 1);
        self.row.accesses.push(AccessFields::new(origin, access));
    }

    fn push_origin(&mut self, origin: &Origin) {
        let caller = &origin.caller;
        let is_stored = |stored: &CallerFields| {
            stored.principal == *caller.principal
                && stored.peer.as_deref() == caller.peer.as_deref()
                && stored.door == caller.door.number()
        };
        let callers = &mut self.row.callers;
        let place = callers.iter().position(is_stored).unwrap_or_else(|| {
            callers.push(caller.into());
            callers.len() - 1
        });
        self.row
            .origins
            .push(OriginFields::new(index(place), origin));
    }
}

/// A place in a list of a row as a stored number. No row has as many changes as that.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn position(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl From<Change> for StoredChange {
    fn from(change: Change) -> Self {
        let (kind, subject) = match change.subject {
            Subject::Node(kind, node) => (kind.number(), StoredSubject::Node(node.into())),
            Subject::Type(kind, node_type) => {
                (kind.number(), StoredSubject::Type(node_type.into()))
            }
            Subject::Event(event) => (NO_KIND, StoredSubject::Event(event.into())),
            Subject::Membership(kind, member) => {
                (kind.number(), StoredSubject::Membership(member.into()))
            }
        };
        Self {
            operation: change.operation.number(),
            kind,
            subject: Some(subject),
            origin: 0,
        }
    }
}

impl StoredChange {
    /// The change, unless it is of a kind that this version does not know.
    fn decode(self, parts: &[Vec<u8>]) -> Result<Option<DecodedChange>, RowDefect> {
        let Some(operation) = Operation::from_number(self.operation) else {
            return Ok(None);
        };
        let kind = Kind::from_number(self.kind);
        let subject = match (self.subject, kind) {
            (Some(StoredSubject::Node(node)), Some(kind)) if node.id_only => {
                let id_only = |id| DecodedChange::IdOnly(operation, kind, id);
                return Ok(node.id.map(id_only));
            }
            (Some(StoredSubject::Node(node)), Some(kind)) => {
                let node = node.into_node(kind, parts)?;
                node.map(|node| Subject::Node(kind, node))
            }
            (Some(StoredSubject::Type(fields)), Some(kind)) => {
                let node_type = fields.into_type();
                node_type.map(|node_type| Subject::Type(kind, node_type))
            }
            (Some(StoredSubject::Membership(member)), Some(kind)) => {
                Some(Subject::Membership(kind, member.into()))
            }
            (Some(StoredSubject::Event(event)), _) => event.into_event().map(Subject::Event),
            _ => None,
        };
        let change = subject.map(|subject| Change { operation, subject });
        Ok(change.map(|change| DecodedChange::Whole(Box::new(change))))
    }
}

#[cfg(test)]
mod tests;
