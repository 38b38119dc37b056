//! Requests that are large or deep: they work, or are refused, and the server goes on.

use pb::value;
use prost_types::value::Kind;
use prost_types::{Struct, Value as StructValue};

use crate::python::sized;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    a_text_of_5_megabytes_comes_back,
    a_large_request_is_all_or_nothing,
    more_items_than_a_request_may_have_are_refused,
    a_text_that_a_column_cannot_hold_is_refused,
    a_very_long_filter_is_refused,
    a_deeply_nested_filter_is_refused,
    a_deeply_nested_struct_comes_back_or_is_refused,
}

async fn a_text_of_5_megabytes_comes_back(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let long = text("long \u{e9} ".repeat(5 << 17));
    let id = store
        .put(Artifact::new(type_id, "n").with_custom("s", long.clone()))
        .await;
    assert!(store.get::<Artifact>(id).await.custom_properties["s"] == long);
}

async fn a_large_request_is_all_or_nothing(store: Store) {
    let type_id = store
        .put_type::<Execution>("T", &[("i", PropertyType::Int)])
        .await;
    let count = sized(20_000, 100_000);
    let last = count - 1;
    let mut nodes: Vec<Execution> = (0..count)
        .map(|number| {
            Execution::default()
                .with_type(type_id)
                .with("i", int(i64::try_from(number).unwrap()))
        })
        .collect();
    let good = nodes[last].clone();
    nodes[last] = Execution::default()
        .with_type(type_id)
        .with("i", text("not a number"));
    let lead = "Cannot validate properties of ";
    store
        .refuses(Execution::put(nodes.clone()), Code::InvalidArgument, lead)
        .await;
    nodes[last] = good;
    let ids = store.ask(Execution::put(nodes)).await;
    assert_eq!(ids.len(), count);
    let filter = format!("properties.i.int_value = {last}");
    assert_eq!(store.find::<Execution>(&filter).await, ids[last..]);
}

/// Empty messages of two bytes each, and ids.
async fn more_items_than_a_request_may_have_are_refused(store: Store) {
    let empty = |field: u8, count: usize| [field << 3 | 2, 0].repeat(count);
    let texts = |count: usize| [0x12, 0].repeat(count);
    for (method, request, items) in [
        ("PutArtifacts", empty(1, 100_001), "100001 nodes"),
        ("PutExecutions", empty(1, 100_001), "100001 nodes"),
        ("PutContexts", empty(1, 100_001), "100001 nodes"),
        ("PutLineageSubgraph", empty(1, 100_001), "100001 nodes"),
        ("PutTypes", empty(1, 10_001), "10001 types"),
        ("PutEvents", empty(1, 1_000_001), "1000001 links"),
        (
            "GetArtifactsByID",
            [0x08, 1].repeat(1_000_001),
            "1000001 ids",
        ),
        ("GetArtifactsByURI", texts(1_000_001), "1000001 ids"),
    ] {
        let status = store.send_bytes(method, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{method}: {status:?}");
        let text = format!("the request has {items}");
        assert!(status.message().starts_with(&text), "{method}: {status:?}");
    }
}

async fn a_text_that_a_column_cannot_hold_is_refused(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let new = || Artifact::default().with_type(type_id);
    // As UTF-8 in 255 bytes, which is what MySQL counts by default.
    let longest = "\u{e9}".repeat(127) + "x";
    let held = new().with_name(&longest).with_external_id(&longest);
    let id = store.put(held.with_custom(&longest, int(1))).await;
    assert_eq!(store.get::<Artifact>(id).await.name(), longest);

    let too_long = "x".repeat(256);
    let uri = Artifact {
        uri: Some("u".repeat(1 << 16)),
        ..new()
    };
    let limited =
        store.backend() != Backend::SqliteFile && store.backend() != Backend::SqliteMemory;
    for (node, refused) in [
        (new().with_name(&too_long), limited),
        (new().with_external_id(&too_long), limited),
        (new().with_custom(&too_long, int(1)), limited),
        (uri, store.backend() == Backend::MySql),
    ] {
        let put = Artifact::put(vec![node]);
        if refused {
            let lead = "a column of this database cannot hold a text: ";
            store.refuses(put, Code::InvalidArgument, lead).await;
        } else {
            store.ask(put).await;
        }
    }
}

async fn a_very_long_filter_is_refused(store: Store) {
    let long = format!("name = '{}'", "x".repeat(1 << 20));
    let many = format!("id = 1 {}", "OR id = 1 ".repeat(100_000));
    for filter in [long, many] {
        let list = Artifact::list(Some(matching(&filter)));
        store
            .refuses(list, Code::InvalidArgument, "Invalid `filter_query`: ")
            .await;
    }
}

async fn a_deeply_nested_filter_is_refused(store: Store) {
    for (open, inside, close) in [
        ("(", "TRUE", ")"),
        ("NOT ", "TRUE", ""),
        ("-", "1", " = 1"),
        ("ABS(", "id", ")"),
    ] {
        let filter = format!("{}{inside}{}", open.repeat(5000), close.repeat(5000));
        let list = Context::list(Some(matching(&filter)));
        store
            .refuses(list, Code::InvalidArgument, "Invalid `filter_query`: ")
            .await;
    }
}

fn nested(depth: usize) -> Value {
    let mut fields = Struct::default();
    for _ in 1..depth {
        let value = StructValue {
            kind: Some(Kind::StructValue(fields)),
        };
        fields = Struct {
            fields: [("s".to_owned(), value)].into(),
        };
    }
    of(value::Value::StructValue(fields))
}

/// Whoever is told that the value is stored must be able to read it.
async fn a_deeply_nested_struct_comes_back_or_is_refused(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    for depth in [1, 10, 20, 24, 28, 30, 31, 32, 33, 34, 36, 40, 100, 1000] {
        let node = Artifact::default()
            .with_type(type_id)
            .with_custom("s", nested(depth));
        match store.send(Artifact::put(vec![node])).await {
            Ok(ids) => {
                let stored = store.get::<Artifact>(ids[0]).await;
                assert!(stored.custom_properties["s"] == nested(depth), "{depth}");
            }
            Err(status) => {
                assert_eq!(status.code(), Code::InvalidArgument, "{depth}: {status:?}");
                assert!(depth > 20, "{depth}: {status:?}");
            }
        }
    }
}
