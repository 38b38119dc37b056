//! The wire contract: our descriptors say what those of the wheel say, field by field.

use std::collections::{BTreeMap, BTreeSet};

use pedigree::model::{Kind, SIMPLE_TYPES};
use pedigree::proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, DynamicMessage, EnumDescriptor, Kind as FieldKind, Value};

use crate::python::python;

blocking_once! {
    the_descriptors_say_what_those_of_the_wheel_say,
    the_simple_types_are_those_of_the_enum_options,
}

/// What follows from other fields, or says nothing about the wire.
const NOT_COMPARED: [&str; 2] = ["json_name", "source_code_info"];

/// The option of an enum value of a base type that names the simple type.
const TYPE_NAME_OPTION: &str = "ml_metadata.system_type_extension";

/// Every statement of the descriptors under the path that it is about, such as
/// `ArtifactType.field.name.number` → `2`.
type Facts = BTreeMap<String, String>;

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

/// The facts of the files of package `ml_metadata` in a `FileDescriptorSet`.
fn facts(descriptors: &[u8]) -> Facts {
    let set = pool()
        .get_message_by_name("google.protobuf.FileDescriptorSet")
        .unwrap();
    let set = DynamicMessage::decode(set, descriptors).unwrap();
    let mut facts = Facts::new();
    for file in set.get_field_by_name("file").unwrap().as_list().unwrap() {
        let file = file.as_message().unwrap();
        if text(file, "package") == "ml_metadata" {
            describe(&text(file, "name"), file, &mut facts);
        }
    }
    facts
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn describe(path: &str, message: &DynamicMessage, facts: &mut Facts) {
    for (field, value) in message.fields() {
        if !NOT_COMPARED.contains(&field.name()) {
            describe_value(
                &format!("{path}.{}", field.name()),
                &field.kind(),
                value,
                facts,
            );
        }
    }
    for (extension, value) in message.extensions() {
        let path = format!("{path}.({})", extension.full_name());
        describe_value(&path, &extension.kind(), value, facts);
    }
    for unknown in message.unknown_fields() {
        let path = format!("{path}.unknown {}", unknown.number());
        facts.insert(path, format!("{unknown:?}"));
    }
}

fn describe_value(path: &str, kind: &FieldKind, value: &Value, facts: &mut Facts) {
    match (value, kind) {
        (Value::Message(message), _) => describe(path, message, facts),
        (Value::List(values), _) => {
            for (index, value) in values.iter().enumerate() {
                let path = format!("{path}.{}", name_in_list(value, index));
                describe_value(&path, kind, value, facts);
            }
        }
        (Value::EnumNumber(number), FieldKind::Enum(names)) => {
            facts.insert(path.into(), name_of(names, *number));
        }
        _ => {
            facts.insert(path.into(), format!("{value:?}"));
        }
    }
}

fn name_of(names: &EnumDescriptor, number: i32) -> String {
    let value = names.get_value(number);
    value.map_or_else(|| number.to_string(), |value| value.name().to_owned())
}

/// What an element of a list is called: by its name or text, so that order does not count, or by
/// its place.
fn name_in_list(value: &Value, index: usize) -> String {
    let name = match value {
        Value::Message(message) => text(message, "name"),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    if name.is_empty() {
        index.to_string()
    } else {
        name
    }
}

fn the_descriptors_say_what_those_of_the_wheel_say() {
    let wheel = facts(&python("descriptors.py", &[]).stdout);
    let ours = facts(DESCRIPTORS);
    assert!(wheel.len() > 2000, "only {} facts", wheel.len());

    let paths: BTreeSet<&String> = wheel.keys().chain(ours.keys()).collect();
    let differences: Vec<String> = paths
        .into_iter()
        .filter(|path| wheel.get(*path) != ours.get(*path))
        .map(|path| {
            let said = |facts: &Facts| facts.get(path).map_or("nothing", String::as_str).to_owned();
            format!("{path}: the wheel {}, ours {}", said(&wheel), said(&ours))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn the_simple_types_are_those_of_the_enum_options() {
    let pool = pool();
    let extension = pool.get_extension_by_name(TYPE_NAME_OPTION).unwrap();
    for (kind, name) in [
        (
            Kind::Artifact,
            "ml_metadata.ArtifactType.SystemDefinedBaseType",
        ),
        (
            Kind::Execution,
            "ml_metadata.ExecutionType.SystemDefinedBaseType",
        ),
        (
            Kind::Context,
            "ml_metadata.ContextType.SystemDefinedBaseType",
        ),
    ] {
        let declared: Vec<(i32, String)> = pool
            .get_enum_by_name(name)
            .unwrap()
            .values()
            .filter(|value| value.number() != 0)
            .map(|value| {
                let options = value.options();
                let option = options.get_extension(&extension);
                (
                    value.number(),
                    text(option.as_message().unwrap(), "type_name"),
                )
            })
            .collect();
        let ours = SIMPLE_TYPES.iter().filter(|(of, _)| *of == kind);
        let ours: Vec<(i32, String)> = (1..)
            .zip(ours.map(|(_, name)| (*name).to_owned()))
            .collect();
        assert_eq!(ours, declared);
    }
}
