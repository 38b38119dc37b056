//! Texts that would be SQL if they were ever anything but values.

use pb::event::path;
use pb::lineage_subgraph_query_options::EndingNodes;
use pb::{Event, PutExecutionRequest, PutLineageSubgraphRequest, event};
use pedigree::proto::{DESCRIPTORS, GetArtifactsByUriRequest};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Any,
};

use crate::support::prelude::*;

on_every_database! {
    hostile_texts_come_back_as_they_were,
    hostile_texts_are_harmless_in_every_field_of_every_method,
}

const HOSTILE: [&str; 18] = [
    "'; DROP TABLE Artifact; --",
    "\"; DELETE FROM Type; #",
    "` OR `1`=`1",
    "\\'; DROP TABLE Context; -- ",
    "') UNION SELECT id, name FROM Type; --",
    "x' OR 'x'='x",
    "\\",
    "'",
    "''\"\"``",
    "$1 ? ?1 :a @a %s {} {0} #1",
    "%' OR name LIKE '%",
    "/* ' */ */ --\n; DROP TABLE MLMDEnv",
    "\u{2019}; \u{2bc}; \u{ff07}; DROP TABLE Event",
    "x'41' E'\\x27' U&'\\0027'",
    "@@version; SELECT SLEEP(9); SELECT pg_sleep(9)",
    "NULL",
    "\u{1}\u{1b}[2J\u{7f}\u{202e}",
    "{\"a\": [\"'\", null]}",
];

/// How a text is written in a filter.
fn quoted(text: &str, quote: char) -> String {
    let mut literal = String::from(quote);
    for character in text.chars() {
        match character {
            '\n' => literal += "\\n",
            '\\' => literal += "\\\\",
            _ if character == quote => literal.extend(['\\', quote]),
            _ => literal.push(character),
        }
    }
    literal.push(quote);
    literal
}

async fn hostile_texts_come_back_as_they_were(store: Store) {
    let canary = store.put_two_of_each().await;
    for hostile in HOSTILE {
        let [artifact, execution, context] = [
            put_and_find::<Artifact>(&store, hostile).await,
            put_and_find::<Execution>(&store, hostile).await,
            put_and_find::<Context>(&store, hostile).await,
        ];
        put_and_find_edges(&store, hostile, artifact, execution, context).await;
    }
    assert_eq!(canary_of(&store).await, canary);
}

/// The nodes that were there first.
async fn canary_of(store: &Store) -> [Vec<i64>; 3] {
    [
        store.find::<Artifact>("type = 'A'").await,
        store.find::<Execution>("type = 'E'").await,
        store.find::<Context>("type = 'C'").await,
    ]
}

/// Has a type and a node made of this text, and looks for them in every way. Returns the node's id.
async fn put_and_find<N: TestNode>(store: &Store, hostile: &str) -> i64 {
    let type_id = store
        .put_type::<N>(hostile, &[(hostile, PropertyType::String)])
        .await;
    let new = N::new(type_id, hostile)
        .with_external_id(hostile)
        .with(hostile, text(hostile))
        .with_custom(hostile, text(hostile));
    let id = store.put(new.clone()).await;
    let stored = store.get::<N>(id).await;
    let other = store.put(N::new(type_id, "other")).await;

    let named = store.ask(N::by_name(hostile, hostile)).await;
    assert_eq!(named, Some(stored.clone()), "{hostile}");
    let external = store.ask(N::by_external_ids(&[hostile])).await;
    assert_eq!(ids(&external), [id], "{hostile}");
    let literal = quoted(hostile, '\'');
    let mut filters = vec![
        format!("name = {literal}"),
        format!("type = {literal} AND id != {other}"),
        format!("external_id IN ({literal}, 'none')"),
        format!("STARTS_WITH(name, {literal})"),
        format!("CONCAT(name, {literal}) = CONCAT(REPLACE({literal}, 'no', ''), {literal})"),
    ];
    // A name in backticks has no escapes, so one with a backtick cannot be asked for.
    if !hostile.contains('`') {
        filters.push(format!("properties.`{hostile}`.string_value = {literal}"));
        filters.push(format!("custom_properties.`{hostile}`.string_value != ''"));
    }
    for filter in filters {
        let list = N::by_type(hostile, Some(matching(&filter)));
        match store.send(list).await {
            Ok(page) => assert_eq!(page.ids(), [id], "{filter}"),
            Err(status) => panic!("{filter}: {status:?}"),
        }
    }
    // What is no filter, page token or path is refused, or matches nothing it should not.
    for options in [
        matching(hostile),
        matching(&format!("name = '{hostile}'")),
        matching(&format!("name LIKE {literal}")),
        pages_of(1).after(hostile),
    ] {
        let answer = store.send(N::list(Some(options))).await;
        let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        let expected = [Code::Ok, Code::InvalidArgument];
        assert!(expected.contains(&code), "{hostile}: {code:?}");
    }
    store.tick();
    let changed = stored.clone().with_custom(hostile, text("changed"));
    let path = format!("custom_properties.{hostile}");
    store.ask(N::put_masked(vec![changed], &[&path])).await;
    let changed = store.get::<N>(id).await;
    assert!(changed.update_time() > stored.update_time());
    assert_eq!(store.ask(N::by_name(hostile, hostile)).await, Some(changed));
    id
}

/// Has edges and composite writes made of this text.
async fn put_and_find_edges(
    store: &Store,
    hostile: &str,
    artifact: i64,
    execution: i64,
    context: i64,
) {
    let step = path::Step {
        value: Some(path::step::Value::Key(hostile.to_owned())),
    };
    let event = Event {
        path: Some(event::Path { steps: vec![step] }),
        ..event(artifact, execution, event::Type::Input)
    };
    store.ask(put_events(vec![event.clone()])).await;
    store
        .ask(put_members(&[(artifact, context)], &[(execution, context)]))
        .await;
    let request = pb::GetEventsByArtifactIDsRequest {
        artifact_ids: vec![artifact],
        ..Default::default()
    };
    assert_eq!(store.ask(request).await.events[0].path, event.path);

    let stored: Artifact = store.get(artifact).await;
    let by_uri = Artifact {
        uri: Some(hostile.to_owned()),
        ..Artifact::default().with_type(stored.type_id())
    };
    let by_uri = store.put(by_uri).await;
    let request = GetArtifactsByUriRequest {
        uris: vec![hostile.to_owned()],
        ..Default::default()
    };
    assert_eq!(ids(&store.ask(request).await.artifacts), [by_uri]);

    let literal = quoted(hostile, '"');
    let query = format!("contexts_c.name = {literal} AND contexts_c.type = {literal}");
    assert_eq!(store.find::<Artifact>(&query).await, [artifact]);
    let mut walk = from_artifacts(&format!("name = {literal}"));
    walk.ending_executions = Some(EndingNodes {
        filter_query: Some(format!("name = {literal}")),
        ..Default::default()
    });
    let found = store.ask(lineage(walk, &["artifacts", "executions"])).await;
    assert_eq!(ids(&found.artifacts), [artifact], "{hostile}");

    let again = Context::new(store.get::<Context>(context).await.type_id(), hostile);
    let executed = store.get::<Execution>(execution).await.type_id();
    let request = PutExecutionRequest {
        execution: Some(Execution::default().with_type(executed)),
        contexts: vec![again.clone()],
        options: Some(pb::put_execution_request::Options {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(store.ask(request).await.context_ids, [context]);
    let request = PutLineageSubgraphRequest {
        contexts: vec![again],
        options: Some(pb::put_lineage_subgraph_request::Options {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(store.ask(request).await.context_ids, [context]);
}

/// Sends every method requests whose texts are all hostile, and whose ids exist, so that they get
/// as far as they can.
async fn hostile_texts_are_harmless_in_every_field_of_every_method(store: Store) {
    let canary = store.put_two_of_each().await;
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let service = pool
        .get_service_by_name("ml_metadata.MetadataStoreService")
        .unwrap();
    for method in service.methods() {
        for hostile in HOSTILE {
            let mut request = DynamicMessage::new(method.input());
            fill(&mut request, hostile, 4);
            let answer = store
                .send_bytes(method.name(), request.encode_to_vec())
                .await;
            let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
            let expected = [
                Code::Ok,
                Code::InvalidArgument,
                Code::NotFound,
                Code::AlreadyExists,
                Code::FailedPrecondition,
                Code::OutOfRange,
            ];
            assert!(
                expected.contains(&code),
                "{}: {hostile}: {code:?}",
                method.name()
            );
        }
    }
    assert_eq!(canary_of(&store).await, canary);
    store.dump().await;
}

/// Sets every field, messages to this depth: texts to the hostile one, numbers to 1, which every
/// kind has as an id.
fn fill(message: &mut DynamicMessage, hostile: &str, depth: usize) {
    for field in message.descriptor().fields() {
        let Some(value) = value_of(&field, hostile, depth) else {
            continue;
        };
        let value = if field.is_map() {
            let of_key = [(MapKey::String(hostile.to_owned()), value)];
            Any::Map(of_key.into())
        } else if field.is_list() {
            Any::List(vec![value])
        } else {
            value
        };
        message.set_field(&field, value);
    }
}

fn value_of(field: &FieldDescriptor, hostile: &str, depth: usize) -> Option<Any> {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    Some(match kind {
        Kind::String => Any::String(hostile.to_owned()),
        Kind::Bytes => Any::Bytes(hostile.as_bytes().to_vec().into()),
        Kind::Int64 => Any::I64(1),
        Kind::Int32 => Any::I32(1),
        Kind::Double => Any::F64(1.0),
        Kind::Bool => Any::Bool(true),
        Kind::Enum(_) => Any::EnumNumber(1),
        Kind::Message(inner) if depth > 0 => {
            let mut inner = DynamicMessage::new(inner);
            fill(&mut inner, hostile, depth - 1);
            Any::Message(inner)
        }
        _ => return None,
    })
}
