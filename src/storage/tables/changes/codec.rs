//! The stored form of changes: a row of `PedigreeChange` or `PedigreeOutbox`, as protocol buffers.
//!
//! Rows outlive the version that wrote them: no field gets another meaning, and a version skips the
//! fields that it does not know. A row stores each origin once, and each caller of several once.

use std::sync::Arc;

use prost::{DecodeError, Message, Oneof};

use super::origins::{AccessFields, CallerFields, OriginFields};
use super::subject::{EventFields, MembershipFields, NodeFields, TypeFields};
use crate::model::{
    AccessRecord, Caller, Change, JournalEntry, Kind, Operation, Origin, Subject, Value,
};
use crate::storage::TakenJournal;

/// The size at which a row is full, in bytes of changes.
const ROW_BYTES: usize = 64 << 10;

/// The size above which only the id of a node is stored, in bytes.
const MAX_NODE_BYTES: usize = 1 << 20;

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
    /// A change of the node with this id, which was too large to be stored.
    IdOnly(Operation, Kind, i64),
}

/// The rows of these changes, in order. The last one has the requests that share them.
pub(super) fn encode_rows(journal: TakenJournal) -> Vec<Vec<u8>> {
    let mut rows = Vec::new();
    let mut row = RowBuilder::default();
    for entry in journal.entries {
        row.push(entry);
        if row.bytes >= ROW_BYTES {
            let next = RowBuilder::after(&row);
            rows.push(std::mem::replace(&mut row, next).row.encode_to_vec());
        }
    }
    for access in journal.shared {
        row.push_access(access);
    }
    if !row.row.changes.is_empty() || !row.row.accesses.is_empty() {
        rows.push(row.row.encode_to_vec());
    }
    rows
}

/// The row of requests that changed nothing.
pub(super) fn encode_accesses(accesses: Vec<AccessRecord>) -> Vec<u8> {
    let mut builder = RowBuilder::default();
    for access in accesses {
        builder.push_access(access);
    }
    builder.row.encode_to_vec()
}

/// The content of a row that was written at a time in milliseconds since epoch. Changes of a kind
/// that this version does not know are left out.
///
/// # Errors
///
/// Those of the decoder.
pub(super) fn decode_row(bytes: &[u8], time: i64) -> Result<DecodedRow, DecodeError> {
    let row = ChangeRow::decode(bytes)?;
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
        Some(Decoded {
            origin: origin(change.origin),
            change: change.decode()?,
        })
    };
    let access = |fields: AccessFields| {
        let origin = origin(fields.origin);
        fields.of(origin)
    };
    Ok(DecodedRow {
        changes: row.changes.into_iter().filter_map(decoded).collect(),
        accesses: row.accesses.into_iter().map(access).collect(),
        part: row.part,
    })
}

/// A row under construction.
#[derive(Default)]
struct RowBuilder {
    row: ChangeRow,
    /// The size of the changes so far.
    bytes: usize,
    /// The origin of the change before.
    last: Option<Arc<Origin>>,
    /// The origin of the last change of the row before, and the part of its changes that follows.
    before: Option<(Arc<Origin>, u32)>,
}

impl RowBuilder {
    /// The row after a full one.
    fn after(full: &Self) -> Self {
        let next_part = match full.row.origins.as_slice() {
            [_] => full.row.part + 1,
            _ => 1,
        };
        Self {
            before: full.last.clone().map(|origin| (origin, next_part)),
            ..Self::default()
        }
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
        let change = StoredChange {
            origin: index(self.row.origins.len() - 1),
            ..StoredChange::from(entry.change)
        };
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
        let is_deep = is_deep(&change.subject);
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
        let mut stored = Self {
            operation: match change.operation {
                Operation::Created => 1,
                Operation::Updated => 2,
                Operation::Reconciled => 3,
                Operation::Deleted => 4,
            },
            kind,
            subject: Some(subject),
            origin: 0,
        };
        if let Some(StoredSubject::Node(node)) = &mut stored.subject
            && (is_deep || node.encoded_len() > MAX_NODE_BYTES)
        {
            *node = NodeFields::id_only(node.id);
        }
        stored
    }
}

/// Whether a node has a value that another program stored and that is nested too deeply to be
/// decoded inside a row.
fn is_deep(subject: &Subject) -> bool {
    let Subject::Node(_, node) = subject else {
        return false;
    };
    let (declared, custom) = (&node.content.properties, &node.content.custom_properties);
    let mut values = declared.values().chain(custom.values());
    values.any(|value| matches!(value, Value::Struct(_)) && value.defect().is_some())
}

impl StoredChange {
    /// The change, unless it is of a kind that this version does not know.
    fn decode(self) -> Option<DecodedChange> {
        let operation = match self.operation {
            1 => Operation::Created,
            2 => Operation::Updated,
            3 => Operation::Reconciled,
            4 => Operation::Deleted,
            _ => return None,
        };
        let kind = Kind::from_number(self.kind);
        let subject = match self.subject? {
            StoredSubject::Node(node) if node.id_only => {
                return Some(DecodedChange::IdOnly(operation, kind?, node.id?));
            }
            StoredSubject::Node(node) => Subject::Node(kind?, node.into_node(kind?)?),
            StoredSubject::Type(node_type) => Subject::Type(kind?, node_type.into_type()?),
            StoredSubject::Event(event) => Subject::Event(event.into_event()?),
            StoredSubject::Membership(member) => Subject::Membership(kind?, member.into()),
        };
        let change = Change { operation, subject };
        Some(DecodedChange::Whole(Box::new(change)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        Access, BaseType, Door, Event, EventType, Membership, Node, NodeContent, NodeState,
        NodeType, PropertyType, Step, Stored,
    };

    const KIND: Kind = Kind::Artifact;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<f64>()
                .prop_filter("a NaN differs from itself", |value| !value.is_nan())
                .prop_map(Value::Double),
            any::<String>().prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Empty),
        ]
    }

    fn node() -> impl Strategy<Value = Node> {
        let properties = || prop::collection::btree_map(any::<String>(), value(), 0..4);
        let text = any::<Option<String>>;
        let number = any::<i64>;
        (
            (number(), number(), number(), number()),
            any::<Option<i64>>(),
            (text(), text(), text(), text()),
            (properties(), properties()),
        )
            .prop_map(|(numbers, state, texts, properties)| Node {
                id: numbers.0,
                type_id: numbers.1,
                type_name: texts.0,
                content: NodeContent {
                    name: texts.1,
                    external_id: texts.2,
                    uri: texts.3,
                    state: state.and_then(|number| NodeState::from_number(KIND, number)),
                    properties: properties.0,
                    custom_properties: properties.1,
                },
                create_time: numbers.2,
                update_time: numbers.3,
            })
    }

    fn node_with_uri(uri: String) -> Node {
        Node {
            id: 7,
            type_id: 10,
            type_name: None,
            content: NodeContent {
                uri: Some(uri),
                ..NodeContent::default()
            },
            create_time: 1,
            update_time: 2,
        }
    }

    fn origin(principal: &str, request_id: &str, time: i64) -> Arc<Origin> {
        let caller = Caller {
            principal: principal.into(),
            peer: Some("192.0.2.1:4321".into()),
            door: Door::MlMetadata,
            request_id: request_id.into(),
            access: Access {
                method: request_id.to_owned().into(),
                grant: Some(7),
            },
        };
        Arc::new(caller.at(time))
    }

    fn entry(origin: &Arc<Origin>, subject: Subject) -> JournalEntry {
        JournalEntry {
            origin: origin.clone(),
            change: Change::created(subject),
        }
    }

    fn member(node_id: i64) -> Subject {
        let context_id = 1;
        Subject::Membership(
            Kind::Artifact,
            Membership {
                context_id,
                node_id,
            },
        )
    }

    fn rows_of(entries: Vec<JournalEntry>) -> Vec<Vec<u8>> {
        let shared = Vec::new();
        encode_rows(TakenJournal { entries, shared })
    }

    fn there_and_back(subject: Subject) -> DecodedChange {
        let rows = rows_of(vec![entry(&origin("ada", "r", 1), subject)]);
        let mut decoded = decode_row(&rows[0], 0).unwrap().changes;
        assert_eq!((rows.len(), decoded.len()), (1, 1));
        decoded.remove(0).change
    }

    #[track_caller]
    fn check(subject: Subject) {
        let change = Change::created(subject.clone());
        let decoded = there_and_back(subject);
        let is_same = matches!(&decoded, DecodedChange::Whole(whole) if **whole == change);
        assert!(is_same, "{change:?}: {decoded:?}");
    }

    proptest! {
        #[test]
        fn nodes_come_back(node in node()) {
            check(Subject::Node(KIND, node));
        }
    }

    #[test]
    fn types_and_edges_come_back() {
        let declared = [("p".to_owned(), PropertyType::Boolean)];
        let value = NodeType {
            name: "T".into(),
            version: Some("2".into()),
            properties: declared.into(),
            base_type: Some(BaseType::Simple("mlmd.Train")),
            input_type: Some("{}".into()),
            ..NodeType::default()
        };
        check(Subject::Type(Kind::Execution, Stored { id: 11, value }));
        check(Subject::Event(Event {
            artifact_id: 1,
            execution_id: 2,
            event_type: EventType::Output,
            milliseconds: Some(3),
            path: vec![Step::Key("data".into()), Step::Index(4)],
        }));
        check(member(6));
    }

    #[test]
    fn of_a_large_node_only_the_id_is_stored() {
        let node = node_with_uri("x".repeat(MAX_NODE_BYTES));
        let decoded = there_and_back(Subject::Node(Kind::Artifact, node));
        assert!(matches!(
            decoded,
            DecodedChange::IdOnly(Operation::Created, Kind::Artifact, 7)
        ));
    }

    #[test]
    fn each_change_keeps_its_origin_and_a_row_stores_a_caller_once() {
        let origins = [
            origin("ada", "r1", 5),
            origin("bob", "r2", 6),
            origin("ada", "r3", 7),
        ];
        let places = [0, 0, 1, 2, 2];
        let entries = places.iter().zip(1..);
        let entries = entries.map(|(&place, node)| entry(&origins[place], member(node)));
        let rows = rows_of(entries.collect());
        let row = ChangeRow::decode(rows[0].as_slice()).unwrap();
        let principals: Vec<&str> = row.callers.iter().map(|it| it.principal.as_str()).collect();
        assert_eq!(principals, ["ada", "bob"]);
        assert_eq!(row.origins.len(), 3);
        let decoded = decode_row(&rows[0], 9).unwrap().changes;
        let expected = places.map(|place| &origins[place]);
        assert!(decoded.iter().map(|it| &it.origin).eq(expected));
    }

    #[test]
    fn a_row_without_origins_is_of_an_unknown_one() {
        // As a version without origins wrote it: attribution 1 of artifact 2.
        let row = [10, 10, 8, 1, 16, 1, 50, 4, 8, 1, 16, 2];
        let decoded = decode_row(&row, 9).unwrap().changes;
        assert_eq!(decoded.len(), 1);
        assert_eq!(*decoded[0].origin, Origin::unknown(9));
        let change = Change::created(member(2));
        assert!(matches!(&decoded[0].change, DecodedChange::Whole(whole) if **whole == change));
    }

    #[test]
    fn long_lists_of_changes_take_several_rows() {
        let of = origin("ada", "r", 1);
        let large = node_with_uri("x".repeat(ROW_BYTES / 2));
        let subjects = (0..5).map(|_| Subject::Node(Kind::Context, large.clone()));
        let rows = rows_of(subjects.map(|subject| entry(&of, subject)).collect());
        assert_eq!(rows.len(), 3);
        for row in rows {
            let decoded = decode_row(&row, 0).unwrap().changes;
            assert!(decoded.iter().all(|it| it.origin == of));
        }
    }
}
