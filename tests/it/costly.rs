//! Filters that could take long: over several neighbours, and over long texts.

use std::time::Duration;

use tokio::time::timeout;
use tonic::Request;

use crate::support::prelude::*;
use crate::support::{Backend, Random};

on_every_database! {
    neighbours_do_not_multiply,
    neighbours_apart_are_neighbours_together,
    texts_that_take_long_leave_others_alone,
}

/// Far more than a filter takes, and far less than its product would.
const PATIENCE: Duration = Duration::from_secs(20);

/// Puts artifacts that are in these contexts each, and returns the ids of both.
async fn put_members(store: &Store, artifacts: usize, contexts: usize) -> (Vec<i64>, Vec<i64>) {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let names = |count: usize| {
        (0..count)
            .map(|place| format!("n{place}"))
            .collect::<Vec<_>>()
    };
    let (of_artifacts, of_contexts) = (names(artifacts), names(contexts));
    let of_artifacts: Vec<&str> = of_artifacts.iter().map(String::as_str).collect();
    let of_contexts: Vec<&str> = of_contexts.iter().map(String::as_str).collect();
    let artifacts = store
        .put_named::<Artifact>(artifact_type, &of_artifacts)
        .await;
    let contexts = store.put_named::<Context>(context_type, &of_contexts).await;
    let pairs = artifacts
        .iter()
        .flat_map(|artifact| contexts.iter().map(|context| (*artifact, *context)));
    store
        .ask(crate::support::prelude::put_members(
            &pairs.collect::<Vec<_>>(),
            &[],
        ))
        .await;
    (artifacts, contexts)
}

async fn neighbours_do_not_multiply(store: Store) {
    let (artifacts, _) = put_members(&store, 100, 40).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let names: Vec<String> = (0..40).map(|place| format!("e{place}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let executions = store.put_named::<Execution>(execution_type, &names).await;
    let events = executions
        .iter()
        .map(|id| event(artifacts[0], *id, pb::event::Type::Output));
    store.ask(put_events(events.collect())).await;

    let each = |of: &str, count: usize, between: &str, condition: &str| {
        let conditions: Vec<String> = (0..count)
            .map(|place| format!("{of}_{place}.{condition}"))
            .collect();
        conditions.join(between)
    };
    let all = &artifacts[..];
    let cases: [(String, &[i64]); 12] = [
        (each("contexts", 2, " OR ", "name = 'x'"), &[]),
        (each("contexts", 3, " OR ", "name = 'n7'"), all),
        (each("contexts", 8, " OR ", "name = 'x'"), &[]),
        (each("contexts", 8, " OR ", "name != 'x'"), all),
        (each("contexts", 4, " AND ", "name != 'x'"), all),
        (each("contexts", 6, " AND ", "name != 'n1'"), all),
        (each("contexts", 24, " AND ", "name = 'n1'"), all),
        (each("events", 4, " AND ", "execution_id = -1"), &[]),
        (each("events", 40, " AND ", "execution_id > 0"), &all[..1]),
        (
            format!("NOT ({})", each("contexts", 5, " AND ", "name = 'n1'")),
            all,
        ),
        (
            format!(
                "id = {} AND ({})",
                all[3],
                each("contexts", 5, " OR ", "id > 0")
            ),
            &all[3..4],
        ),
        (
            "contexts_a.id = contexts_b.id AND contexts_c.id > 0".to_owned(),
            all,
        ),
    ];
    for (filter, expected) in cases {
        let found = timeout(PATIENCE, store.find::<Artifact>(&filter)).await;
        assert_eq!(found.as_deref().ok(), Some(expected), "{filter}");
    }
    let filter = "contexts_a.id + contexts_b.id + contexts_c.id = -1";
    let list = Artifact::list(Some(matching(filter)));
    let refusal = store.refuses(list, Code::InvalidArgument, "").await;
    assert!(
        refusal.message().contains("send several requests"),
        "{refusal:?}"
    );
}

/// A condition on the node and on two neighbours of it, three of whose values are unset.
fn condition(random: &mut Random, depth: usize) -> String {
    let atoms = [
        "contexts_a.id = 1",
        "contexts_b.id > 2",
        "contexts_a.name = 'n1'",
        "contexts_b.name != 'n0'",
        "contexts_a.create_time_since_epoch >= create_time_since_epoch",
        "contexts_b.type = 'C'",
        "contexts_a.id < contexts_b.id",
        "external_id = 'x'",
        "id > 2",
        "type = 'A'",
    ];
    match random.below(if depth == 0 { 1 } else { 6 }) {
        0 => random.pick(&atoms).to_owned(),
        1 => format!("NOT ({})", condition(random, depth - 1)),
        number => {
            let operator = if number < 4 { "AND" } else { "OR" };
            let (left, right) = (condition(random, depth - 1), condition(random, depth - 1));
            format!("({left} {operator} {right})")
        }
    }
}

async fn neighbours_apart_are_neighbours_together(store: Store) {
    let (artifacts, contexts) = put_members(&store, 3, 2).await;
    let type_id = store.get::<Artifact>(artifacts[0]).await.type_id();
    let alone = store
        .put_named::<Artifact>(type_id, &["alone", "in one"])
        .await;
    store
        .ask(crate::support::prelude::put_members(
            &[(alone[1], contexts[1])],
            &[],
        ))
        .await;
    let known = store
        .put(Artifact::new(type_id, "known").with_external_id("x"))
        .await;
    store
        .ask(crate::support::prelude::put_members(
            &[(known, contexts[0])],
            &[],
        ))
        .await;
    let mut random = Random::new(7);
    for _ in 0..150 {
        let condition = condition(&mut random, 4);
        // Mentions both in one comparison, which keeps them in one join.
        let together = "contexts_a.id + contexts_b.id > 0";
        let apart = format!("{condition} AND contexts_a.id > 0 AND contexts_b.id > 0");
        let joined = format!("{condition} AND {together}");
        let (apart_ids, joined_ids) = (
            store.find::<Artifact>(&apart).await,
            store.find::<Artifact>(&joined).await,
        );
        assert_eq!(apart_ids, joined_ids, "{apart}");
    }
}

async fn texts_that_take_long_leave_others_alone(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    // Database servers look at no clock within a function, and the case would wait for them.
    let length = match store.backend() {
        Backend::SqliteFile => 4_000_000,
        _ => 50_000,
    };
    let long = Artifact::new(type_id, "long").with_custom("t", text("a".repeat(length)));
    let id = store.put(long).await;
    let property = "custom_properties.t.string_value";
    let (like, part) = ("a".repeat(24_000), "a".repeat(30_000));
    let filters = [
        format!("{property} LIKE '%{like}b'"),
        format!("{property} LIKE '%{like}b%c%'"),
        format!("STRPOS({property}, '{part}b') > 0"),
        format!("REPLACE({property}, '{part}b', '') = 'x'"),
    ];
    let asked = filters.map(|filter| {
        let mut client = store.client();
        let mut request = Request::new(pb::GetArtifactsRequest {
            options: Some(matching(&filter)),
            ..Default::default()
        });
        request.set_timeout(Duration::from_secs(5));
        tokio::spawn(async move { client.get_artifacts(request).await })
    });
    for _ in 0..20 {
        let other = timeout(PATIENCE, store.send(Artifact::by_ids(&[id + 1])));
        assert_eq!(other.await.unwrap().unwrap(), []);
    }
    for asked in asked {
        let done = timeout(PATIENCE, asked).await.unwrap().unwrap();
        let code = done.map_or_else(|status| status.code(), |_| Code::Ok);
        let ends = [Code::Ok, Code::DeadlineExceeded, Code::Cancelled];
        assert!(ends.contains(&code), "{code:?}");
    }
}
