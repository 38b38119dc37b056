//! `VersionsOf`: the versions that an artifact is, now and as of earlier times.

use std::time::Duration;

use pedigree::proto::pedigree::registry::v1::{
    VersionOfArtifact, VersionsOfRequest, VersionsOfResponse,
};

use super::{artifact, registry, set_alias, version};
use crate::sql::run_sql;
use crate::support::prelude::*;

on_every_database! {
    an_artifact_has_the_versions_of_then,
    states_that_the_history_lacks_are_named,
}

const SECOND: Duration = Duration::from_secs(1);

async fn versions_of(store: &Store, artifact_id: i64, as_of: Option<i64>) -> VersionsOfResponse {
    let request = VersionsOfRequest { artifact_id, as_of };
    let found = registry(store).versions_of(request).await;
    found.unwrap().into_inner()
}

/// Each version with its model, and its aliases with the versions that their moves led to.
fn told(found: &VersionsOfResponse) -> Vec<String> {
    let versions = found.versions.iter().map(|it| {
        let (version, model) = (it.version.as_ref().unwrap(), it.model.as_ref().unwrap());
        let aliases = it.aliases.iter().map(|it| {
            let moves = it.moves.iter().map(|it| it.to_version.as_str());
            let moves: Vec<&str> = moves.collect();
            let named = text_of(model, &format!("alias.{}", it.alias));
            format!(" {} names {named} by {}", it.alias, moves.join(" "))
        });
        let aliases: String = aliases.collect();
        format!("{} of {}{aliases}", version.name(), model.name())
    });
    versions.collect()
}

fn text_of<'c>(context: &'c Context, name: &str) -> &'c str {
    match &context.custom_properties[name].value {
        Some(pb::value::Value::StringValue(text)) => text,
        other => panic!("{name}: {other:?}"),
    }
}

fn name_of(found: &VersionOfArtifact) -> String {
    found.version.as_ref().unwrap().name().to_owned()
}

async fn an_artifact_has_the_versions_of_then(store: Store) {
    let forest = artifact(&store, "forest").await;
    let unregistered = store.now();
    store.wait(SECOND);
    let first = version(&store, "Reg", forest).await;
    set_alias(&store, "1", None).await.unwrap();
    let then = store.now();
    store.wait(SECOND);
    let retrained = artifact(&store, "retrained").await;
    version(&store, "Reg", retrained).await;
    set_alias(&store, "2", None).await.unwrap();
    version(&store, "Other", forest).await;
    let attached = [(retrained, first.id)];
    store.ask(put_members(&attached, &[])).await;

    let today = versions_of(&store, forest, None).await;
    let names: Vec<String> = today.versions.iter().map(name_of).collect();
    let expected = [
        format!("{} of Reg production names 2 by 2 1", names[0]),
        format!("{} of Other", names[1]),
    ];
    assert_eq!(told(&today), expected);
    for time in [store.now(), i64::MAX] {
        assert_eq!(versions_of(&store, forest, Some(time)).await, today);
    }
    let earlier = versions_of(&store, forest, Some(then)).await;
    let expected = [format!("{} of Reg production names 1 by 1", names[0])];
    assert_eq!(told(&earlier), expected);
    assert!(earlier.present_context_ids.is_empty(), "{earlier:?}");
    // The artifact that was attached later was not there, though the version was.
    assert_eq!(versions_of(&store, retrained, None).await.versions.len(), 2);
    for (artifact, time) in [
        (retrained, then),
        (forest, unregistered),
        (forest, 0),
        (forest, -1),
        (forest, i64::MIN),
        (99, i64::MAX),
    ] {
        let found = versions_of(&store, artifact, Some(time)).await;
        let nothing = VersionsOfResponse::default();
        assert_eq!(found, nothing, "{artifact} at {time}");
    }
}

async fn states_that_the_history_lacks_are_named(store: Store) {
    let forest = artifact(&store, "forest").await;
    version(&store, "Reg", forest).await;
    set_alias(&store, "1", None).await.unwrap();
    let then = store.now();
    store.wait(SECOND);
    let retrained = artifact(&store, "retrained").await;
    version(&store, "Reg", retrained).await;
    set_alias(&store, "2", None).await.unwrap();
    // The answer shows that all changes have positions.
    let found = versions_of(&store, forest, Some(then)).await;
    assert!(found.present_context_ids.is_empty(), "{found:?}");
    run_sql(store.url(), "DELETE FROM PedigreeChange").await;
    let found = versions_of(&store, forest, Some(then)).await;
    let model = found.versions[0].model.as_ref().unwrap();
    assert_eq!(found.present_context_ids, [model.id()], "{found:?}");
    // The state is today's; the moves are those of then.
    assert_eq!(text_of(model, "alias.production"), "2");
    assert_eq!(found.versions[0].aliases[0].moves.len(), 1, "{found:?}");
}
