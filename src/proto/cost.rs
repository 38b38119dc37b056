//! The memory that a request will take, computed from its encoded bytes before anything is decoded.
//!
//! A decoded message can be many times as large as its encoding: two bytes can be an empty node of
//! some hundred bytes. One walk over the tags and lengths counts the messages, with the sizes that
//! the descriptors imply. No method needs code of its own for this.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::encoding::decode_varint;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::pool;

/// Depth of nested messages at which decoding fails.
const MAX_DEPTH_MESSAGES: usize = 100;

/// Largest field number that has a layout. Requests have none that is larger.
const MAX_FIELD_NUMBER: u32 = 255;

/// How much a growing list takes of the size of its elements: up to twice as many places, and the
/// list that it grew from.
const LIST_GROWTH_FACTOR: usize = 3;

/// Size of a number or an enum in a message, with its presence, in bytes.
const NUMBER_BYTES: usize = 16;

/// Size of a text, a list or a map in a message, without its content, in bytes.
const HEADER_BYTES: usize = 24;

/// Share of a map's node that belongs to an entry, beside key and value, in bytes.
const ENTRY_BYTES: usize = 32;

/// What allocating a text or a list takes beside its content, in bytes.
const ALLOCATION_BYTES: usize = 16;

/// What is limited by its number in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemLimit {
    /// What the items are, in the plural.
    pub name: &'static str,
    /// The messages that count, by their full names. None stands for elements of lists of numbers
    /// and texts, such as ids.
    messages: &'static [&'static str],
    /// The maximum number in one request.
    pub max: usize,
}

/// The limits of all requests.
pub const ITEM_LIMITS: [ItemLimit; 4] = [
    ItemLimit {
        name: "nodes",
        messages: &[
            "ml_metadata.Artifact",
            "ml_metadata.Execution",
            "ml_metadata.Context",
        ],
        max: 100_000,
    },
    ItemLimit {
        name: "types",
        messages: &[
            "ml_metadata.ArtifactType",
            "ml_metadata.ExecutionType",
            "ml_metadata.ContextType",
        ],
        max: 10_000,
    },
    ItemLimit {
        name: "links",
        messages: &[
            "ml_metadata.Event",
            "ml_metadata.Attribution",
            "ml_metadata.Association",
            "ml_metadata.ParentContext",
        ],
        max: 1_000_000,
    },
    ItemLimit {
        name: "ids, names or URIs",
        messages: &[],
        max: 1_000_000,
    },
];

/// The place of elements of lists in [`ITEM_LIMITS`].
const ELEMENTS_INDEX: usize = ITEM_LIMITS.len() - 1;

/// What a request is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCost {
    /// Memory of the decoded message in bytes, at most.
    pub bytes: usize,
    items: [usize; ITEM_LIMITS.len()],
}

impl RequestCost {
    /// The first limit that is exceeded, and the number of items.
    #[must_use]
    pub fn exceeded(&self) -> Option<(ItemLimit, usize)> {
        let mut counted = ITEM_LIMITS.into_iter().zip(self.items);
        counted.find(|(limit, count)| *count > limit.max)
    }
}

/// A method of one of our services.
#[derive(Clone, Copy, Debug)]
pub struct MethodShape {
    input: usize,
    /// Whether the client sends any number of messages.
    pub streams_requests: bool,
    /// Whether the server sends any number of messages.
    pub streams_responses: bool,
}

impl MethodShape {
    /// The method with this path, `/SERVICE/METHOD`.
    #[must_use]
    pub fn find(path: &str) -> Option<&'static Self> {
        LAYOUTS.methods.get(path)
    }

    /// Walks over a request message of this method. What cannot be decoded is counted up to where
    /// decoding will fail.
    #[must_use]
    pub fn cost(&self, message: &[u8]) -> RequestCost {
        let mut cost = RequestCost {
            bytes: LAYOUTS.messages[self.input].bytes,
            ..RequestCost::default()
        };
        let _ = walk(self.input, message, MAX_DEPTH_MESSAGES, &mut cost);
        cost
    }
}

/// The layouts of all messages that requests are made of.
struct Layouts {
    messages: Vec<MessageLayout>,
    methods: HashMap<String, MethodShape>,
}

#[derive(Default)]
struct MessageLayout {
    /// Size in memory, without what it points to, at least.
    bytes: usize,
    /// The limit that it counts for, as an index of [`ITEM_LIMITS`].
    item: Option<usize>,
    /// By field number.
    fields: Vec<FieldLayout>,
}

/// What a field takes on the heap.
#[derive(Clone, Copy, Default)]
enum FieldLayout {
    /// Nothing: a number, or a field that is not known.
    #[default]
    Inline,
    Text,
    Texts,
    Numbers,
    /// A list of numbers of a fixed width in bytes.
    FixedNumbers(usize),
    Message(usize),
    Messages(usize),
    Map(usize),
}

static LAYOUTS: LazyLock<Layouts> = LazyLock::new(|| {
    let mut layouts = Layouts {
        messages: Vec::new(),
        methods: HashMap::new(),
    };
    let mut known = HashMap::new();
    for service in pool().services() {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let shape = MethodShape {
                input: layouts.add(&method.input(), &mut known),
                streams_requests: method.is_client_streaming(),
                streams_responses: method.is_server_streaming(),
            };
            layouts.methods.insert(path, shape);
        }
    }
    layouts
});

impl Layouts {
    /// Adds a message and all that it contains, and returns its index.
    fn add(&mut self, message: &MessageDescriptor, known: &mut HashMap<String, usize>) -> usize {
        if let Some(index) = known.get(message.full_name()) {
            return *index;
        }
        let index = self.messages.len();
        known.insert(message.full_name().to_owned(), index);
        let counts = |limit: &ItemLimit| limit.messages.contains(&message.full_name());
        self.messages.push(MessageLayout {
            bytes: size(message, &mut Vec::new()),
            item: ITEM_LIMITS.iter().position(counts),
            fields: Vec::new(),
        });
        for field in message.fields() {
            let layout = self.field(&field, known);
            let number = field.number() as usize;
            let fields = &mut self.messages[index].fields;
            if field.number() <= MAX_FIELD_NUMBER {
                fields.resize(fields.len().max(number + 1), FieldLayout::default());
                fields[number] = layout;
            }
        }
        index
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        known: &mut HashMap<String, usize>,
    ) -> FieldLayout {
        match (field.kind(), field.is_list()) {
            (Kind::Message(entry), _) if field.is_map() => {
                FieldLayout::Map(self.add(&entry, known))
            }
            (Kind::Message(message), true) => FieldLayout::Messages(self.add(&message, known)),
            (Kind::Message(message), false) => FieldLayout::Message(self.add(&message, known)),
            (Kind::String | Kind::Bytes, true) => FieldLayout::Texts,
            (Kind::String | Kind::Bytes, false) => FieldLayout::Text,
            (Kind::Double | Kind::Fixed64 | Kind::Sfixed64, true) => FieldLayout::FixedNumbers(8),
            (Kind::Float | Kind::Fixed32 | Kind::Sfixed32, true) => FieldLayout::FixedNumbers(4),
            (_, true) => FieldLayout::Numbers,
            (_, false) => FieldLayout::Inline,
        }
    }
}

/// The size of a message in memory, without what it points to. `outer` are the messages around it:
/// one that contains itself is behind a pointer.
fn size(message: &MessageDescriptor, outer: &mut Vec<String>) -> usize {
    if outer.iter().any(|name| name == message.full_name()) {
        return HEADER_BYTES;
    }
    outer.push(message.full_name().to_owned());
    let mut field_size = |field: FieldDescriptor| match field.kind() {
        _ if field.is_list() || field.is_map() => HEADER_BYTES,
        Kind::Message(inner) => size(&inner, outer) + size_of::<usize>(),
        Kind::String | Kind::Bytes => HEADER_BYTES,
        _ => NUMBER_BYTES,
    };
    let alone = message.fields().filter(|field| {
        let group = field.containing_oneof();
        group.is_none_or(|group| group.is_synthetic())
    });
    let mut bytes: usize = alone.map(&mut field_size).sum();
    for group in message.oneofs().filter(|group| !group.is_synthetic()) {
        let largest = group.fields().map(&mut field_size).max();
        bytes += largest.unwrap_or_default() + size_of::<usize>();
    }
    outer.pop();
    bytes
}

/// Adds what a message takes beside its own size. `None` where decoding will fail.
fn walk(layout: usize, mut bytes: &[u8], depth: usize, cost: &mut RequestCost) -> Option<()> {
    let layout = &LAYOUTS.messages[layout];
    if let Some(item) = layout.item {
        cost.items[item] += 1;
    }
    let depth = depth.checked_sub(1)?;
    while !bytes.is_empty() {
        let key = decode_varint(&mut bytes).ok()?;
        let number = usize::try_from(key >> 3).ok()?;
        let field = layout.fields.get(number).copied().unwrap_or_default();
        match key & 0x7 {
            0 => {
                decode_varint(&mut bytes).ok()?;
                add_number(field, cost);
            }
            1 => {
                take(&mut bytes, 8)?;
                add_number(field, cost);
            }
            2 => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let content = take(&mut bytes, length)?;
                add_content(field, content, depth, cost)?;
            }
            // Groups are skipped when decoding. What is in one counts as if it were outside.
            3 | 4 => {}
            5 => {
                take(&mut bytes, 4)?;
                add_number(field, cost);
            }
            _ => return None,
        }
    }
    Some(())
}

/// Adds an element of a list of numbers that is not packed.
fn add_number(field: FieldLayout, cost: &mut RequestCost) {
    if matches!(field, FieldLayout::Numbers | FieldLayout::FixedNumbers(_)) {
        add_elements(1, size_of::<u64>(), cost);
    }
}

fn add_elements(count: usize, bytes: usize, cost: &mut RequestCost) {
    cost.items[ELEMENTS_INDEX] += count;
    cost.bytes += count * bytes * LIST_GROWTH_FACTOR;
}

/// Adds a field with a length.
fn add_content(
    field: FieldLayout,
    content: &[u8],
    depth: usize,
    cost: &mut RequestCost,
) -> Option<()> {
    match field {
        FieldLayout::Inline => {}
        FieldLayout::Text => cost.bytes += content.len() + ALLOCATION_BYTES,
        FieldLayout::Texts => {
            add_elements(1, HEADER_BYTES, cost);
            cost.bytes += content.len() + ALLOCATION_BYTES;
        }
        FieldLayout::Numbers => {
            // The last byte of each has no continuation bit.
            let count = content.iter().filter(|byte| **byte < 0x80).count();
            add_elements(count, size_of::<u64>(), cost);
        }
        FieldLayout::FixedNumbers(width) => add_elements(content.len() / width, width, cost),
        FieldLayout::Message(inner) => walk(inner, content, depth, cost)?,
        FieldLayout::Messages(inner) => {
            cost.bytes += LAYOUTS.messages[inner].bytes * LIST_GROWTH_FACTOR;
            walk(inner, content, depth, cost)?;
        }
        FieldLayout::Map(entry) => {
            cost.bytes += LAYOUTS.messages[entry].bytes + ENTRY_BYTES;
            walk(entry, content, depth, cost)?;
        }
    }
    Some(())
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::ml_metadata as pb;
    use crate::proto::pedigree::lineage::v1 as lineage;

    fn bytes_of(name: &str) -> usize {
        let message = pool().get_message_by_name(name).unwrap();
        size(&message, &mut Vec::new())
    }

    fn cost(method: &str, message: &[u8]) -> RequestCost {
        let shape = MethodShape::find(method).unwrap();
        shape.cost(message)
    }

    const PUT_ARTIFACTS: &str = "/ml_metadata.MetadataStoreService/PutArtifacts";

    #[test]
    fn sizes_are_those_of_the_generated_structs_at_least() {
        for (name, actual) in [
            ("ml_metadata.Artifact", size_of::<pb::Artifact>()),
            ("ml_metadata.Execution", size_of::<pb::Execution>()),
            ("ml_metadata.Context", size_of::<pb::Context>()),
            ("ml_metadata.Event", size_of::<pb::Event>()),
            ("ml_metadata.Value", size_of::<pb::Value>()),
            ("ml_metadata.ArtifactType", size_of::<pb::ArtifactType>()),
            ("ml_metadata.ExecutionType", size_of::<pb::ExecutionType>()),
            ("ml_metadata.ContextType", size_of::<pb::ContextType>()),
            ("ml_metadata.Attribution", size_of::<pb::Attribution>()),
            (
                "ml_metadata.PutLineageSubgraphRequest",
                size_of::<pb::PutLineageSubgraphRequest>(),
            ),
            (
                "pedigree.lineage.v1.RecordRequest",
                size_of::<lineage::RecordRequest>(),
            ),
            ("google.protobuf.Value", size_of::<prost_types::Value>()),
        ] {
            let implied = bytes_of(name);
            assert!(implied >= actual, "{name}: {implied} < {actual}");
            assert!(implied <= 2 * actual + 64, "{name}: {implied} > {actual}");
        }
    }

    #[test]
    fn everything_that_repeats_is_counted() {
        let node = pb::Artifact {
            name: Some("n".repeat(100)),
            custom_properties: [("key".to_owned(), pb::Value::default())].into(),
            ..Default::default()
        };
        let request = pb::PutArtifactsRequest {
            artifacts: vec![node; 7],
            ..Default::default()
        };
        let found = cost(PUT_ARTIFACTS, &request.encode_to_vec());
        assert_eq!(found.items, [7, 0, 0, 0]);
        let least = 7 * (size_of::<pb::Artifact>() + size_of::<pb::Value>() + 103);
        assert!(found.bytes > least, "{found:?}");

        let by_id = "/ml_metadata.MetadataStoreService/GetArtifactsByID";
        let ids = pb::GetArtifactsByIdRequest {
            artifact_ids: vec![300; 9],
            ..Default::default()
        };
        let apart = ids.encode_to_vec();
        let packed = [&[0x0a, 18][..], &[0xac, 0x02].repeat(9)].concat();
        for message in [apart, packed] {
            assert_eq!(cost(by_id, &message).items, [0, 0, 0, 9]);
        }
    }

    #[test]
    fn empty_messages_and_groups_hide_nothing() {
        let empty = [0x0a, 0x00].repeat(100_001);
        let found = cost(PUT_ARTIFACTS, &empty);
        let (limit, count) = found.exceeded().unwrap();
        assert_eq!((limit.name, count), ("nodes", 100_001));
        assert!(found.bytes > 100_000 * size_of::<pb::Artifact>());
        // A group of an unknown field, and a message that ends too early.
        let grouped = [&[0x9b, 0x06, 0x9c, 0x06][..], &empty, &[0x0a, 0x05]].concat();
        assert_eq!(cost(PUT_ARTIFACTS, &grouped), found);
    }

    #[test]
    fn what_cannot_be_decoded_ends_the_walk() {
        let deep = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| {
            let mut outer = vec![0x2a];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            [outer, inner].concat()
        });
        for message in [&[0xff; 32][..], &[0x0a, 0x7f, 0x10], &[0x0f], &deep] {
            assert!(cost(PUT_ARTIFACTS, message).exceeded().is_none());
        }
    }
}
