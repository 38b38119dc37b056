//! Names that differ in case, accents or trailing blanks: apart in a database that the server made,
//! refused and never lost in one whose collation takes them for equal.

use pedigree::proto::pedigree::lineage::v1::{self as wire, record_request, run_event};

use crate::streams::{Recording, code_of, message};
use crate::support::TestDatabase;
use crate::support::prelude::*;

on_every_database! {
    names_are_apart,
    a_name_of_a_property_changes_its_case,
}

with_servers! {
    names_are_apart_or_refused_in_an_existing_database,
}

/// Pairs that some collations take for equal: with trailing blanks, and of latin1 letters in UTF-8.
const PAIRS: [(&str, &str); 3] = [("Acc", "acc"), ("x", "x "), ("e\u{301}", "E\u{301}")];

/// A store, and whether its collation takes some names for equal.
struct Names {
    store: Store,
    is_loose: bool,
}

impl Names {
    /// Sends a request that a database with a loose collation refuses, and leaves nothing behind
    /// then. Returns whether it was taken.
    async fn are_taken<A: Ask>(&self, request: A) -> bool {
        if self.is_loose {
            let lead = "The database takes ";
            let store = &self.store;
            store.refuses(request, Code::InvalidArgument, lead).await;
            return false;
        }
        self.store.ask(request).await;
        true
    }
}

async fn names_are_apart(store: Store) {
    let is_loose = false;
    check(&Names { store, is_loose }).await;
}

async fn names_are_apart_or_refused_in_an_existing_database() {
    let store = Store::on(TestDatabase::of_loose_mysql(), |_| {}).await;
    let is_loose = true;
    check(&Names { store, is_loose }).await;
}

async fn check(names: &Names) {
    for_every_kind!(check_properties(names));
    for_every_kind!(check_nodes(names));
    check_declared_later(names).await;
    check_runs(names).await;
}

async fn check_properties<N: TestNode>(names: &Names) {
    let store = &names.store;
    for (place, (one, other)) in PAIRS.into_iter().enumerate() {
        let declared = [(one, PropertyType::Int), (other, PropertyType::Int)];
        let both = N::put_type(&format!("both {place}"), &declared);
        names.are_taken(both).await;
        let type_id = store
            .put_type::<N>(&format!("T {place}"), &declared[..1])
            .await;
        let new = N::new(type_id, "new");
        let both = new.with_custom(one, int(1)).with_custom(other, int(2));
        names.are_taken(N::put(vec![both])).await;

        let node = N::new(type_id, "n")
            .with(one, int(1))
            .with_custom(one, int(1));
        let id = store.put(node.clone()).await;
        let both = node.clone().with_id(id).with_custom(other, int(2));
        let expected = if names.are_taken(N::put(vec![both.clone()])).await {
            both
        } else {
            node.with_id(id)
        };
        // A property and a custom property of these names are apart on every database.
        let filter = format!("properties.`{one}`.int_value = 1 AND id = {id}");
        assert_eq!(store.find::<N>(&filter).await, [id]);
        let filter = format!("custom_properties.`{other}`.int_value = 2 AND id = {id}");
        let found = store.find::<N>(&filter).await;
        assert_eq!(found.is_empty(), names.is_loose);
        store
            .put(expected.clone().with_custom("more", int(3)))
            .await;
        let filter = format!("custom_properties.`{one}`.int_value = 1 AND id = {id}");
        assert_eq!(store.find::<N>(&filter).await, [id], "{one} is gone");
    }
}

async fn check_declared_later(names: &Names) {
    let with = |name: &str, properties: &[(&str, PropertyType)]| pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some(name.to_owned()),
            properties: declared(properties),
            ..Default::default()
        }),
        can_add_fields: Some(true),
        ..Default::default()
    };
    for (place, (one, other)) in PAIRS.into_iter().enumerate() {
        let name = format!("Later {place}");
        names
            .store
            .ask(with(&name, &[(one, PropertyType::Int)]))
            .await;
        let both = [(one, PropertyType::Int), (other, PropertyType::Int)];
        names.are_taken(with(&name, &both)).await;
    }
}

async fn check_nodes<N: TestNode>(names: &Names) {
    let store = &names.store;
    let type_id = store.put_type::<N>("Node", &[]).await;
    for (place, (one, other)) in PAIRS.into_iter().enumerate() {
        let first = N::new(type_id, one).with_external_id(one);
        store.put(first.clone()).await;
        names.are_taken(N::put(vec![N::new(type_id, other)])).await;
        let other = N::new(type_id, &format!("another {place}")).with_external_id(other);
        names.are_taken(N::put(vec![other])).await;
        // The same name is something else.
        let lead = "Given node already exists";
        let again = N::put(vec![first]);
        store.refuses(again, Code::AlreadyExists, lead).await;
        let twice = [one, one].map(|name| N::new(type_id, &format!("{name}{name}")));
        let twice = N::put(twice.to_vec());
        store.refuses(twice, Code::AlreadyExists, lead).await;
    }
    let taken = store.put(N::new(type_id, "b").with_external_id("b")).await;
    let id = store.put(N::new(type_id, "c")).await;
    let update = N::new(type_id, "c").with_id(id);
    names
        .are_taken(N::put(vec![update.with_external_id("B")]))
        .await;
    assert_ne!(taken, id);
}

async fn a_name_of_a_property_changes_its_case(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let node = Artifact::new(type_id, "n");
    let id = store.put(node.clone().with_custom("Acc", int(1))).await;
    let node = node.with_id(id).with_custom("acc", int(2));
    store.put(node.clone()).await;
    let stored: Artifact = store.get(id).await;
    assert_eq!(stored.custom_properties, node.custom_properties);
}

/// Events about runs are refused for good, and are never events about another run.
async fn check_runs(names: &Names) {
    let mut recording = Recording::start(names.store.channel.clone()).await;
    let run = |name: &str, properties: &[&str]| {
        let custom = properties.iter().map(|name| ((*name).to_owned(), int(1)));
        record_request::Change::Run(wire::RunEvent {
            event_type: run_event::Type::Start.into(),
            type_policy: wire::TypePolicy::Create.into(),
            r#type: "Train".to_owned(),
            name: name.to_owned(),
            custom_properties: custom.collect(),
            ..Default::default()
        })
    };
    let events = [
        run("run", &["lr"]),
        run("Run", &[]),
        run("another", &["lr", "LR"]),
        run("run", &["lr"]),
    ];
    let refused = if names.is_loose {
        Code::InvalidArgument
    } else {
        Code::Ok
    };
    let expected = [Code::Ok, refused, refused, Code::Ok];
    for (number, (event, expected)) in events.into_iter().zip(expected).enumerate() {
        let said = recording
            .say(vec![message(&number.to_string(), event)])
            .await;
        assert_eq!(code_of(&said[0]), expected, "{said:?}");
    }
}
