//! What an update touches, and when its time moves.

use pb::{artifact, put_artifacts_request};

use crate::support::prelude::*;

on_every_database! {
    one_request_puts_a_node_twice_in_order,
    a_mask_limits_what_an_update_touches,
    a_mask_limits_which_properties_are_checked,
    a_mask_is_no_matter_for_new_nodes,
    the_update_time_moves_when_something_changes,
    an_update_may_demand_that_nothing_changed,
}

async fn one_request_puts_a_node_twice_in_order(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let id = store.put(N::new(type_id, "n")).await;
        let with = |number| {
            N::new(type_id, "n")
                .with_id(id)
                .with_custom("k", int(number))
        };
        let new = N::new(type_id, "new");
        let put = store.ask(N::put(vec![with(1), new, with(2)])).await;
        assert_eq!((put.len(), put[0], put[2]), (3, id, id));
        assert_eq!(
            store.find::<N>("custom_properties.k.int_value = 2").await,
            [id]
        );
        // The second takes what the first gave up.
        let given_up = N::new(type_id, "n").with_id(id).with_external_id("y");
        store.put(given_up).await;
        let first = N::new(type_id, "n").with_id(id);
        let second = N::new(type_id, "new").with_id(put[1]).with_external_id("y");
        store.ask(N::put(vec![first, second])).await;
        assert_eq!(ids(&store.ask(N::by_external_ids(&["y"])).await), [put[1]]);
    }
    for_every_kind!(check(&store));
}

/// An artifact with something in every field.
fn full(type_id: i64) -> Artifact {
    let full = Artifact {
        uri: Some("u".to_owned()),
        state: Some(artifact::State::Live.into()),
        ..Artifact::new(type_id, "n")
    };
    let full = full
        .with_external_id("x")
        .with("a", int(1))
        .with("b", int(1));
    full.with_custom("a", int(1)).with_custom("b.c", int(1))
}

/// The paths of a mask, and what it makes of the stored artifact.
type Masked = (&'static [&'static str], fn(Artifact) -> Artifact);

async fn a_mask_limits_what_an_update_touches(store: Store) {
    let declared = [
        ("a", PropertyType::Int),
        ("b", PropertyType::Int),
        ("i.int_value", PropertyType::Int),
    ];
    let type_id = store.put_type::<Artifact>("T", &declared).await;
    let id = store.put(full(type_id)).await;
    let given = Artifact {
        uri: Some("new".to_owned()),
        ..Artifact::new(type_id, "new")
            .with_id(id)
            .with("a", int(2))
            .with_custom("z", int(2))
    };
    let touched: [Masked; 13] = [
        (&["uri"], |node| Artifact {
            uri: Some("new".to_owned()),
            ..node
        }),
        (&["state"], |node| Artifact {
            state: None,
            ..node
        }),
        (&["external_id"], |node| Artifact {
            external_id: None,
            ..node
        }),
        (&["uri", "state"], |node| Artifact {
            uri: Some("new".to_owned()),
            state: None,
            ..node
        }),
        (
            &["name", "id", "type", "type_id", "create_time_since_epoch"],
            |node| node,
        ),
        (
            &[
                "nonexist",
                "",
                "last_known_state",
                "uri.x",
                "properties.i.int_value",
            ],
            |node| node,
        ),
        (&["properties.a"], |node| node.with("a", int(2))),
        (&["properties.b"], |mut node| {
            node.properties.remove("b");
            node
        }),
        (&["properties"], |mut node| {
            node.properties.remove("b");
            node.with("a", int(2))
        }),
        (&["properties", "properties.b"], |mut node| {
            node.properties.remove("b");
            node.with("a", int(2))
        }),
        (&["custom_properties.z"], |node| {
            node.with_custom("z", int(2))
        }),
        (&["custom_properties.b.c"], |mut node| {
            node.custom_properties.remove("b.c");
            node
        }),
        (&["custom_properties"], |mut node| {
            node.custom_properties.clear();
            node.with_custom("z", int(2))
        }),
    ];
    for (paths, expected) in touched {
        store.put(full(type_id).with_id(id)).await;
        let before: Artifact = store.get(id).await;
        store.tick();
        store
            .ask(Artifact::put_masked(vec![given.clone()], paths))
            .await;
        let after: Artifact = store.get(id).await;
        // The whole request differs from what is stored, whatever the mask.
        assert!(after.update_time() > before.update_time(), "{paths:?}");
        let expected = Artifact {
            last_update_time_since_epoch: after.last_update_time_since_epoch,
            ..expected(before)
        };
        assert_eq!(after, expected, "{paths:?}");
    }
    let cleared = Artifact::put_masked(vec![Artifact::default().with_id(id)], &["uri"]);
    store.ask(cleared).await;
    assert_eq!(store.get::<Artifact>(id).await.uri(), "");
}

async fn a_mask_limits_which_properties_are_checked(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[("a", PropertyType::Int)]).await;
        let id = store.put(N::new(type_id, "n")).await;
        let odd = N::new(type_id, "n")
            .with_id(id)
            .with("a", int(1))
            .with("odd", int(1));
        for paths in [&["properties"][..], &["properties.odd"], &[]] {
            let put = N::put_masked(vec![odd.clone()], paths);
            let text = "Found unknown property: odd";
            store.refuses(put, Code::InvalidArgument, text).await;
        }
        for paths in [
            &["external_id"][..],
            &["properties.a"],
            &["custom_properties"],
        ] {
            store.ask(N::put_masked(vec![odd.clone()], paths)).await;
        }
        let other = N::put_masked(vec![odd.with_type(77)], &["external_id"]);
        store
            .refuses(
                other,
                Code::InvalidArgument,
                "Given type_id 77 is different",
            )
            .await;
    }
    for_every_kind!(check(&store));
    let type_id = store
        .put_type::<Context>("T", &[("a", PropertyType::Int)])
        .await;
    let id = store.put(Context::new(type_id, "c")).await;
    let nameless = Context::default().with_id(id);
    store
        .ask(Context::put_masked(
            vec![nameless.clone()],
            &["external_id"],
        ))
        .await;
    let text = "Context name should not be empty";
    let put = Context::put_masked(vec![nameless.clone()], &["name"]);
    store.refuses(put, Code::InvalidArgument, text).await;
    store
        .ask(Context::put_masked(
            vec![nameless.with_name("new")],
            &["name"],
        ))
        .await;
    assert_eq!(store.get::<Context>(id).await.name(), "new");
}

async fn a_mask_is_no_matter_for_new_nodes(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let there = store
            .put(N::new(type_id, "there").with_custom("k", int(1)))
            .await;
        let nodes = vec![
            N::new(type_id, "new").with_custom("k", int(2)),
            N::new(type_id, "there")
                .with_id(there)
                .with_custom("k", int(2)),
        ];
        let put = store.ask(N::put_masked(nodes, &["external_id"])).await;
        assert_eq!(
            store.find::<N>("custom_properties.k.int_value = 2").await,
            [put[0]]
        );
        assert_eq!(
            store.find::<N>("custom_properties.k.int_value = 1").await,
            [there]
        );
    }
    for_every_kind!(check(&store));
}

async fn the_update_time_moves_when_something_changes(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let declared = [("i", PropertyType::Int), ("d", PropertyType::Double)];
        let type_id = store.put_type::<N>("T", &declared).await;
        let id = store.put(N::new(type_id, "n").with("i", int(1))).await;
        for (change, moves) in [
            ((|node| node) as fn(N) -> N, false),
            (|node| node.with("i", int(2)), true),
            (|node| node.with("d", double(0.5)), true),
            (|node| node.with("d", double(0.5)), false),
            (|node| node.with_custom("c", int(1)), true),
            (|node| node.with_custom("c", double(1.0)), true),
            (|node| node.with_external_id("x"), true),
            (|node| node.with_external_id("x"), false),
        ] {
            let before: N = store.get(id).await;
            store.tick();
            store.put(change(before.clone())).await;
            let after: N = store.get(id).await;
            assert_eq!(
                after.update_time() > before.update_time(),
                moves,
                "{before:?} {after:?}"
            );
        }
    }
    for_every_kind!(check(&store));
}

async fn an_update_may_demand_that_nothing_changed(store: Store) {
    let put = |artifacts| pb::PutArtifactsRequest {
        artifacts,
        options: Some(put_artifacts_request::Options {
            abort_if_latest_updated_time_changed: Some(true),
        }),
        ..Default::default()
    };
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let id = store
        .ask(put(vec![Artifact::new(type_id, "n")]))
        .await
        .artifact_ids[0];
    let stored: Artifact = store.get(id).await;
    let lead = "`abort_if_latest_updated_time_changed` is set, and the stored artifact with id = ";
    for time in [None, Some(stored.update_time() - 1), Some(0)] {
        let old = Artifact {
            last_update_time_since_epoch: time,
            ..stored.clone().with_custom("k", int(1))
        };
        // One of several is enough to refuse all.
        let request = put(vec![stored.clone().with_custom("k", int(2)), old]);
        store.refuses(request, Code::FailedPrecondition, lead).await;
    }
    let missing = put(vec![Artifact::default().with_id(77)]);
    store
        .refuses(
            missing,
            Code::InvalidArgument,
            "Cannot find the given id 77",
        )
        .await;
    // The new time is later even within one millisecond.
    store
        .ask(put(vec![stored.clone().with_custom("k", int(1))]))
        .await;
    assert!(store.get::<Artifact>(id).await.update_time() > stored.update_time());
}
