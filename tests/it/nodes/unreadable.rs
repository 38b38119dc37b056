//! Values that cannot be read: refused where they are written, harmless where they are stored.

use pb::value;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{
    self as wire, TraceRequest, change, record_request, run_event,
};
use prost_types::value::Kind;
use prost_types::{Any, Struct, Value as StructValue};
use tokio_stream::StreamExt;

use crate::sql::run_sql;
use crate::streams::{Recording, Watcher, code_of, from_the_beginning, message};
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    values_that_cannot_be_read_are_refused_where_they_are_written,
    stored_values_that_cannot_be_read_fail_nothing,
    stored_values_that_cannot_be_read_can_be_replaced,
    a_struct_comes_back_at_every_depth_that_is_taken,
}

fn proto(type_url: &str, value: &[u8]) -> Value {
    of(value::Value::ProtoValue(Any {
        type_url: type_url.to_owned(),
        value: value.to_vec(),
    }))
}

fn unreadable() -> [Value; 8] {
    [
        proto("", b""),
        proto("", b"abc"),
        text("mlmd-struct::!!!"),
        text("mlmd-struct::/w=="),
        double(f64::NAN),
        double(f64::INFINITY),
        double(f64::NEG_INFINITY),
        Value::default(),
    ]
}

async fn values_that_cannot_be_read_are_refused_where_they_are_written(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let declared = [
            ("s", PropertyType::String),
            ("p", PropertyType::Proto),
            ("d", PropertyType::Double),
        ];
        let type_id = store.put_type::<N>("T", &declared).await;
        let stored = store.put(N::new(type_id, "stored")).await;
        for value in unreadable() {
            let name = match value.value {
                Some(value::Value::ProtoValue(_)) => "p",
                Some(value::Value::DoubleValue(_)) => "d",
                _ => "s",
            };
            for new in [
                N::new(type_id, "new"),
                N::new(type_id, "stored").with_id(stored),
            ] {
                for node in [
                    new.clone().with(name, value.clone()),
                    new.with_custom(name, value.clone()),
                ] {
                    let put = N::put(vec![node]);
                    store.refuses(put, Code::InvalidArgument, "").await;
                }
            }
        }
    }
    for_every_kind!(check(&store));

    let type_id = store.put_type::<Artifact>("U", &[]).await;
    let run_type = store.put_type::<Execution>("U", &[]).await;
    let mut recording = Recording::start(store.channel.clone()).await;
    for (place, value) in unreadable().into_iter().enumerate() {
        let artifact = Artifact::new(type_id, "new").with_custom("v", value.clone());
        let put = pb::PutExecutionRequest {
            execution: Some(Execution::new(run_type, "run")),
            artifact_event_pairs: vec![pair(Some(artifact.clone()), None)],
            ..Default::default()
        };
        store.refuses(put, Code::InvalidArgument, "").await;
        let put = pb::PutLineageSubgraphRequest {
            artifacts: vec![artifact.clone()],
            ..Default::default()
        };
        store.refuses(put, Code::InvalidArgument, "").await;
        let before = store.dump().await;
        let put = record_request::Change::PutArtifacts(pb::PutArtifactsRequest {
            artifacts: vec![artifact],
            ..Default::default()
        });
        let said = recording.say(vec![message(&place.to_string(), put)]).await;
        assert_eq!(code_of(&said[0]), Code::InvalidArgument, "{value:?}");
        assert_eq!(store.dump().await, before);
        if !matches!(value.value, Some(value::Value::DoubleValue(_))) {
            let run = record_request::Change::Run(wire::RunEvent {
                event_type: run_event::Type::Start.into(),
                r#type: "U".to_owned(),
                name: "run".to_owned(),
                custom_properties: [("v".to_owned(), value.clone())].into(),
                ..Default::default()
            });
            let said = recording
                .say(vec![message(&format!("run {place}"), run)])
                .await;
            assert_eq!(code_of(&said[0]), Code::InvalidArgument, "{value:?}");
            assert_eq!(store.dump().await, before);
        }
    }
}

/// Rows of artifact 1 as another program could have left them, and what is read of them.
async fn put_unreadable(store: &Store) -> Artifact {
    let declared = [("declared", PropertyType::Struct)];
    let type_id = store.put_type::<Artifact>("T", &declared).await;
    store.put_named::<Artifact>(type_id, &["odd", "fine"]).await;
    let insert = "INSERT INTO ArtifactProperty (artifact_id, is_custom_property, name";
    let [bytes, nameless] = match store.backend() {
        Backend::Postgres => ["decode('ff', 'hex')", "decode('1203616263', 'hex')"],
        // Base64 of the same, and what is no base64.
        _ => ["'?'", "'EgNhYmM='"],
    };
    let mut sql = format!(
        "{insert}, string_value) VALUES (1, TRUE, 'text', 'mlmd-struct::!!!'); \
         {insert}, string_value) VALUES (1, FALSE, 'declared', 'mlmd-struct::!!!'); \
         {insert}, proto_value) VALUES (1, TRUE, 'nameless', {nameless}); \
         {insert}, proto_value) VALUES (1, TRUE, 'bytes', {bytes}); \
         {insert}) VALUES (1, TRUE, 'nothing'); "
    );
    let stored: &[u8] = match store.backend() {
        Backend::Postgres => b"\xff",
        _ => b"?",
    };
    let mut expected = Artifact::new(type_id, "odd")
        .with("declared", text("mlmd-struct::!!!"))
        .with_custom("text", text("mlmd-struct::!!!"))
        .with_custom("nameless", proto("", b"abc"))
        .with_custom("bytes", proto("", stored))
        .with_custom("nothing", Value::default());
    let latin1 = match store.backend() {
        // PostgreSQL refuses such text itself.
        Backend::Postgres => None,
        Backend::MySql => Some("'\u{ff}A'"),
        _ => Some("CAST(x'ff41' AS TEXT)"),
    };
    if let Some(latin1) = latin1 {
        let row = format!("{insert}, string_value) VALUES (1, TRUE, 'latin1', {latin1}); ");
        sql.push_str(&row);
        expected = expected.with_custom("latin1", text("\u{fffd}A"));
    }
    if store.backend() == Backend::SqliteFile {
        let row = format!("{insert}, int_value) VALUES (1, TRUE, 'mistyped', 'many'); ");
        sql.push_str(&row);
        expected = expected.with_custom("mistyped", text("many"));
        sql.push_str(
            "UPDATE Artifact SET state = 'odd', create_time_since_epoch = 'long ago' \
             WHERE id = 1; ",
        );
    }
    run_sql(store.url(), sql).await;
    expected
}

fn same_values(seen: &Artifact, expected: &Artifact) {
    assert_eq!(seen.properties, expected.properties);
    assert_eq!(seen.custom_properties, expected.custom_properties);
}

async fn stored_values_that_cannot_be_read_fail_nothing(store: Store) {
    let expected = put_unreadable(&store).await;
    let all = store.ask(Artifact::list(None)).await.nodes;
    assert_eq!(ids(&all), [1, 2]);
    same_values(&all[0], &expected);
    same_values(&store.get(1).await, &expected);
    let page = store.ask(Artifact::list(Some(pages_of(1)))).await.nodes;
    same_values(&page[0], &expected);
    assert_eq!(store.find::<Artifact>("name = 'odd'").await, [1]);
    let filter = "custom_properties.nothing.int_value IS NULL";
    assert_eq!(store.find::<Artifact>(filter).await, [1]);

    let mut client = LineageServiceClient::new(store.channel.clone());
    let trace = TraceRequest {
        artifacts: "id = 1".to_owned(),
        ..Default::default()
    };
    let mut responses = client.trace(trace).await.unwrap().into_inner();
    let mut traced = Vec::new();
    while let Some(response) = responses.next().await {
        traced.extend(response.unwrap().artifacts);
    }
    same_values(&traced[0], &expected);

    // Put back as it was read, with one property more.
    let all = store.get::<Artifact>(1).await;
    store.put(all.clone().with_custom("more", int(1))).await;
    let expected = expected.with_custom("more", int(1));
    same_values(&store.get(1).await, &expected);
    let put = pb::PutLineageSubgraphRequest {
        artifacts: vec![all.with_custom("more", int(2))],
        ..Default::default()
    };
    store.ask(put).await;
    let expected = expected.with_custom("more", int(2));
    same_values(&store.get(1).await, &expected);
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let changes = watcher.until_quiet().await;
    let last = changes.into_iter().next_back().unwrap().subject;
    let Some(change::Subject::Artifact(seen)) = last else {
        panic!("{last:?}");
    };
    same_values(&seen, &expected);
}

async fn stored_values_that_cannot_be_read_can_be_replaced(store: Store) {
    let odd = put_unreadable(&store).await;
    let masked = Artifact::new(odd.type_id(), "odd")
        .with_id(1)
        .with_custom("nothing", int(1));
    let put = Artifact::put_masked(vec![masked], &["custom_properties.nothing"]);
    store.ask(put).await;
    same_values(&store.get(1).await, &odd.with_custom("nothing", int(1)));
    // Another one of the same kind is as bad as one on a new node.
    let type_id = store.get::<Artifact>(1).await.type_id();
    let other = Artifact::new(type_id, "odd").with_id(1);
    let bad = other.clone().with_custom("text", text("mlmd-struct::?"));
    let put = Artifact::put(vec![bad]);
    store.refuses(put, Code::InvalidArgument, "").await;
    let mut whole = other.with("declared", of(value::Value::StructValue(Struct::default())));
    for name in ["text", "nameless", "bytes", "nothing", "latin1", "mistyped"] {
        whole = whole.with_custom(name, boolean(true));
    }
    store.put(whole.clone()).await;
    same_values(&store.get(1).await, &whole);
    let none = Artifact::new(type_id, "odd").with_id(1);
    store.put(none.clone()).await;
    same_values(&store.get(1).await, &none);
}

async fn a_struct_comes_back_at_every_depth_that_is_taken(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let mut inner = Struct::default();
    let mut deepest = 0;
    for levels in 1..32 {
        let kind = Some(Kind::StructValue(inner));
        let fields = [("k".to_owned(), StructValue { kind })].into();
        inner = Struct { fields };
        let value = of(value::Value::StructValue(inner.clone()));
        let node = Artifact::new(type_id, &levels.to_string()).with_custom("s", value);
        match store.send(Artifact::put(vec![node])).await {
            Ok(_) => deepest = levels,
            // The decoder of requests has a limit of its own.
            Err(status) => assert!(
                matches!(status.code(), Code::InvalidArgument | Code::Internal),
                "{status:?}"
            ),
        }
    }
    assert!(deepest >= 25, "{deepest}");
    let all = store.ask(Artifact::list(None)).await.nodes;
    assert_eq!(all.len(), deepest);
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    assert_eq!(watcher.take(deepest + 1).await.len(), deepest + 1);
}
