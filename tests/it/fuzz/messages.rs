//! Messages with random contents, of the form that their descriptors say.

use pedigree::proto;
use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

use super::filters;
use crate::support::Random;

/// How deep messages contain each other.
const MAX_DEPTH: usize = 6;

const NAMES: [&str; 9] = ["a", "b", "A", "a ", "", "é", "日本", "x/y", "%_\\'\"`"];
const TEXTS: [&str; 6] = [
    "",
    "s3://b/1",
    "mlmd-struct::!!!",
    "1e309",
    "\u{feff}",
    "a\0b",
];
const VERSIONS: [&str; 3] = ["", "v1", "v2"];

/// A random message of a type. It is one that the schema allows, not one that makes sense.
pub fn message(random: &mut Random, descriptor: MessageDescriptor, depth: usize) -> DynamicMessage {
    if descriptor.full_name() == "google.protobuf.Any" {
        return any(random, descriptor);
    }
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let is_message = matches!(field.kind(), Kind::Message(_));
        if (is_message && depth == 0) || random.once_in(3) {
            continue;
        }
        message.set_field(&field, field_value(random, &field, depth));
    }
    message
}

fn any(random: &mut Random, descriptor: MessageDescriptor) -> DynamicMessage {
    let mut any = DynamicMessage::new(descriptor);
    let url = random.pick(&["", "type.googleapis.com/google.protobuf.Struct", "x/y"]);
    any.set_field_by_name("type_url", Value::String(url.to_owned()));
    any.set_field_by_name("value", Value::Bytes(vec![0xff; random.below(3)].into()));
    any
}

fn field_value(random: &mut Random, field: &FieldDescriptor, depth: usize) -> Value {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else {
            unreachable!("a map has entries");
        };
        let entries = (0..random.below(3)).map(|_| {
            let key = MapKey::String(random.pick(&NAMES).to_owned());
            (key, scalar(random, &entry.map_entry_value_field(), depth))
        });
        return Value::Map(entries.collect());
    }
    if field.cardinality() == Cardinality::Repeated {
        let items = (0..random.below(4)).map(|_| scalar(random, field, depth));
        return Value::List(items.collect());
    }
    scalar(random, field, depth)
}

fn scalar(random: &mut Random, field: &FieldDescriptor, depth: usize) -> Value {
    match field.kind() {
        Kind::Message(of) => Value::Message(message(random, of, depth.saturating_sub(1))),
        Kind::Enum(of) => {
            let numbers: Vec<i32> = of.values().map(|value| value.number()).collect();
            let unknown = random.once_in(20);
            Value::EnumNumber(if unknown {
                99
            } else {
                numbers[random.below(numbers.len())]
            })
        }
        Kind::String => Value::String(text(random, field.name())),
        Kind::Bytes => Value::Bytes(vec![0xff; random.below(4)].into()),
        Kind::Bool => Value::Bool(random.once_in(2)),
        Kind::Double => Value::F64(double(random)),
        Kind::Float => Value::F32(0.5),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            Value::I32(i32::try_from(random.below(5)).unwrap() - 1)
        }
        Kind::Uint32 | Kind::Fixed32 => Value::U32(u32::try_from(random.below(5)).unwrap()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(integer(random, field.name())),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(random.below(5) as u64),
    }
}

fn double(random: &mut Random) -> f64 {
    let numbers = [
        0.0,
        -0.0,
        0.5,
        1e300,
        f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
    ];
    numbers[random.below(numbers.len())]
}

fn integer(random: &mut Random, name: &str) -> i64 {
    if random.once_in(25) {
        let odd = [0, -1, i64::MIN, i64::MAX, 1 << 32];
        return odd[random.below(odd.len())];
    }
    let small = i64::try_from(random.below(12)).unwrap() + 1;
    // Ids of types begin behind those of the simple types.
    if name.contains("type_id") {
        small + 9
    } else {
        small
    }
}

fn text(random: &mut Random, name: &str) -> String {
    let any_of = match name {
        "filter_query" | "artifacts" | "executions" | "stop_at_artifacts"
        | "stop_at_executions" => return filters::condition(random, 3),
        _ if name.contains("version") => &VERSIONS[..],
        "next_page_token" | "cursor" if random.once_in(2) => &[""],
        _ if random.once_in(8) => &TEXTS[..],
        _ if random.once_in(300) => return "n".repeat(300),
        _ => &NAMES[..],
    };
    random.pick(any_of).to_owned()
}

/// A random message of the type with this name.
pub fn named<M: prost::Message + Default>(random: &mut Random, name: &str) -> M {
    let descriptor = proto::pool().get_message_by_name(name).unwrap();
    message(random, descriptor, MAX_DEPTH)
        .transcode_to()
        .unwrap()
}

/// A random request of a method, encoded.
pub fn encoded(random: &mut Random, descriptor: MessageDescriptor) -> Vec<u8> {
    prost::Message::encode_to_vec(&message(random, descriptor, MAX_DEPTH))
}
