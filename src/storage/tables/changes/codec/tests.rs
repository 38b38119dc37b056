//! Rows there and back.

use std::collections::BTreeSet;

use proptest::prelude::*;
use prost_types::{Any, Struct};

use super::*;
use crate::model::{
    Access, BaseType, Door, Event, EventType, Membership, Node, NodeContent, NodeState, NodeType,
    PropertyType, Step, Stored, Value,
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

fn rows_of(entries: Vec<JournalEntry>) -> Vec<EncodedRow> {
    let shared = Vec::new();
    encode_rows(TakenJournal { entries, shared }).unwrap()
}

fn changes_of(row: &EncodedRow) -> Vec<Decoded> {
    decode_row(&row.bytes, 9, &row.parts).unwrap().changes
}

fn there_and_back(subject: Subject) -> DecodedChange {
    let rows = rows_of(vec![entry(&origin("ada", "r", 1), subject)]);
    let mut decoded = changes_of(&rows[0]);
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

fn proto(value: Vec<u8>) -> Value {
    let type_url = "t\0".into();
    Value::Proto(Any { type_url, value })
}

/// A struct around others, as deep as other programs can store.
fn nested(levels: usize) -> Value {
    let mut inner = Struct::default();
    for _ in 0..levels {
        let kind = Some(prost_types::value::Kind::StructValue(inner));
        let fields = [("k".to_owned(), prost_types::Value { kind })].into();
        inner = Struct { fields };
    }
    Value::Struct(inner)
}

/// A node with these custom properties, named by their places.
fn node_with(values: impl IntoIterator<Item = Value>) -> Node {
    let mut node = node_with_uri(String::new());
    let named = values.into_iter().enumerate();
    node.content.custom_properties = named
        .map(|(place, value)| (place.to_string(), value))
        .collect();
    node
}

#[test]
fn large_values_are_kept_apart_and_come_back() {
    let long = "x".repeat(MAX_INNER_BYTES + 1);
    let text = |text: &str| Value::String(text.to_owned());
    let large = [
        text(&"é".repeat(1 << 20)),
        proto(long.clone().into_bytes()),
        nested(32),
    ];
    for value in large {
        check(Subject::Node(KIND, node_with([value, text("short")])));
    }
    let mut node = node_with_uri(long.clone());
    node.content.name = Some(long.clone());
    node.content.external_id = Some(long.clone());
    node.content.properties = [("p/uri".to_owned(), text(&long))].into();
    check(Subject::Node(KIND, node.clone()));
    let rows = rows_of(vec![entry(
        &origin("ada", "r", 1),
        Subject::Node(KIND, node),
    )]);
    assert!(rows[0].bytes.len() < 1000 && rows[0].parts.len() == 4);
    assert_eq!(parts_id(&rows[0].bytes), rows[0].parts().map(|(id, _)| id));
}

#[test]
fn very_many_small_values_are_kept_apart_together() {
    let values = (i64::MIN..).take(MAX_CHANGES_BYTES / 8).map(Value::Int);
    let subject = Subject::Node(KIND, node_with(values));
    check(subject.clone());
    let rows = rows_of(vec![entry(&origin("ada", "r", 1), subject)]);
    assert!(rows[0].bytes.len() < 1000 && rows[0].parts.len() > 1);
}

#[test]
fn parts_that_are_missing_or_changed_are_noticed() {
    let of = origin("ada", "r", 1);
    let large = || Value::String("x".repeat(2 << 20));
    let mut row = rows_of(vec![entry(&of, Subject::Node(KIND, node_with([large()])))]).remove(0);
    row.parts[1][7] = b'y';
    let decoded = decode_row(&row.bytes, 0, &row.parts);
    assert!(
        matches!(decoded, Err(RowDefect::ChangedPart)),
        "{decoded:?}"
    );
    row.parts.pop();
    let decoded = decode_row(&row.bytes, 0, &row.parts);
    assert!(
        matches!(decoded, Err(RowDefect::MissingPart)),
        "{decoded:?}"
    );
}

#[test]
fn each_row_and_each_large_value_is_salted() {
    let of = origin("ada", "r", 1);
    let two = || [(), ()].map(|()| Value::String("x".repeat(MAX_INNER_BYTES + 1)));
    let row = || rows_of(vec![entry(&of, Subject::Node(KIND, node_with(two())))]).remove(0);
    let rows = [row(), row()].map(|row| ChangeRow::decode(row.bytes.as_slice()).unwrap());
    assert!(rows.iter().all(|row| row.seed.len() == SEED_BYTES));
    assert_ne!(rows[0].seed, rows[1].seed);
    assert_ne!(rows[0].parts_id, rows[1].parts_id);
    let kept = rows.iter().flat_map(|row| match &row.changes[0].subject {
        Some(StoredSubject::Node(node)) => node.large.values().map(Message::encode_to_vec),
        other => panic!("{other:?}"),
    });
    assert_eq!(kept.collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn rows_of_older_and_later_versions_are_read() {
    // Fields 1 and 12: the id 7, and that the others were left out.
    let node = NodeFields::decode([8, 7, 96, 1].as_slice()).unwrap();
    let large = StoredChange {
        operation: 2,
        kind: 0,
        subject: Some(StoredSubject::Node(node)),
        origin: 0,
    };
    let later = StoredChange {
        operation: 99,
        ..large.clone()
    };
    let row = ChangeRow {
        changes: vec![later, large],
        ..ChangeRow::default()
    };
    let decoded = decode_row(&row.encode_to_vec(), 0, &[]).unwrap().changes;
    assert_eq!(decoded.len(), 1);
    let DecodedChange::IdOnly(operation, kind, id) = decoded[0].change else {
        panic!("{decoded:?}");
    };
    assert_eq!((operation, kind.number(), id), (Operation::Updated, 0, 7));
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
    let row = ChangeRow::decode(rows[0].bytes.as_slice()).unwrap();
    let principals: Vec<&str> = row.callers.iter().map(|it| it.principal.as_str()).collect();
    assert_eq!(principals, ["ada", "bob"]);
    assert_eq!(row.origins.len(), 3);
    let decoded = changes_of(&rows[0]);
    let expected = places.map(|place| &origins[place]);
    assert!(decoded.iter().map(|it| &it.origin).eq(expected));
}

#[test]
fn a_row_without_origins_is_of_an_unknown_one() {
    // As a version without origins wrote it: attribution 1 of artifact 2.
    let row = [10, 10, 8, 1, 16, 1, 50, 4, 8, 1, 16, 2];
    let decoded = decode_row(&row, 9, &[]).unwrap().changes;
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
        let decoded = changes_of(&row);
        assert!(decoded.iter().all(|it| it.origin == of));
    }
}
