//! Types that are put again: who may only read them may do that, as stock clients do at each start.

use std::fmt::Write;

use pedigree::proto::pedigree::audit::v1::Outcome;
use tempfile::TempDir;
use tonic::Status;

use super::audit::{open, wait_for_records, write_tokens};
use super::{FILE, MadeToken, with_authorization, write_policy};
use crate::binary::Server;
use crate::serving::get;
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    an_equal_type_is_put_again_by_who_may_only_read,
}
once! {
    a_changed_type_is_counted_in_mode_observe,
}

fn with_properties(name: &str, properties: &[&str]) -> pb::ArtifactType {
    let declared = |name: &&str| ((*name).to_owned(), PropertyType::Int.into());
    pb::ArtifactType {
        name: Some(name.to_owned()),
        properties: properties.iter().map(declared).collect(),
        ..pb::ArtifactType::default()
    }
}

/// Puts a type that may gain and omit properties.
async fn put(
    mut client: Client,
    bearer: &str,
    artifact_type: pb::ArtifactType,
) -> Result<i64, Status> {
    let request = pb::PutArtifactTypeRequest {
        artifact_type: Some(artifact_type),
        can_add_fields: Some(true),
        can_omit_fields: Some(true),
        ..pb::PutArtifactTypeRequest::default()
    };
    let request = with_authorization(request, &[bearer]);
    let answer = client.put_artifact_type(request).await?;
    Ok(answer.into_inner().type_id())
}

/// All types of artifacts and contexts.
async fn types(mut client: Client, bearer: &str) -> (Vec<pb::ArtifactType>, Vec<pb::ContextType>) {
    let artifacts = with_authorization(pb::GetArtifactTypesRequest::default(), &[bearer]);
    let artifacts = client.get_artifact_types(artifacts).await.unwrap();
    let contexts = with_authorization(pb::GetContextTypesRequest::default(), &[bearer]);
    let contexts = client.get_context_types(contexts).await.unwrap();
    (
        artifacts.into_inner().artifact_types,
        contexts.into_inner().context_types,
    )
}

async fn an_equal_type_is_put_again_by_who_may_only_read(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "reader", "auditor"]);
    let [writer, reader, auditor] = [0, 1, 2].map(|place: usize| tokens[place].bearer());
    let store = open(backend, folder.path()).await;
    let put = async |bearer: &str, name: &str, properties: &[&str]| {
        put(store.client(), bearer, with_properties(name, properties)).await
    };
    let denied = |put: Result<i64, Status>| {
        let status = put.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    };
    denied(put(&reader, "Data", &[]).await);
    let id = put(&writer, "Data", &["a", "b"]).await.unwrap();
    assert_eq!(put(&reader, "Data", &["a", "b"]).await.unwrap(), id);
    assert_eq!(put(&reader, "Data", &["a"]).await.unwrap(), id);
    let before = types(store.client(), &reader).await;
    denied(put(&reader, "Data", &["a", "b", "c"]).await);
    denied(put(&reader, "Other", &[]).await);
    denied(put(&reader, "", &[]).await);
    let both = |others: &[&str]| {
        let other = |name: &&str| pb::ContextType {
            name: Some((*name).to_owned()),
            ..pb::ContextType::default()
        };
        let request = pb::PutTypesRequest {
            artifact_types: vec![with_properties("Data", &["a", "b"])],
            context_types: others.iter().map(other).collect(),
            ..pb::PutTypesRequest::default()
        };
        with_authorization(request, &[&reader])
    };
    let mut client = store.client();
    let answer = client.put_types(both(&[])).await.unwrap().into_inner();
    assert_eq!(answer.artifact_type_ids, [id]);
    let refused = client.put_types(both(&["Data"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    // A request that cannot be read is that first.
    let versions = pb::PutArtifactTypeRequest {
        artifact_type: Some(with_properties("Data", &["a", "b"])),
        all_fields_match: Some(false),
        ..pb::PutArtifactTypeRequest::default()
    };
    let versions = with_authorization(versions, &[&reader]);
    let refused = client.put_artifact_type(versions).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    // The writer changes it, and the reader still puts what it knows.
    assert_eq!(types(store.client(), &reader).await, before);
    put(&writer, "Data", &["a", "b", "c"]).await.unwrap();
    assert_eq!(put(&reader, "Data", &["a", "b"]).await.unwrap(), id);

    // Each refusal is in the audit.
    loop {
        let refused = wait_for_records(&store, &auditor, Outcome::PermissionDenied, 1).await;
        let of_reader = refused.iter().filter(|it| it.subject == "token:reader");
        let mut count = 0;
        for record in of_reader {
            assert_eq!(record.reason, "refused: no grant has type.write");
            count += record.count;
        }
        if count == 5 {
            break;
        }
        assert!(count < 5, "{refused:?}");
    }
}

async fn a_changed_type_is_counted_in_mode_observe() {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "reader");
    let mut text = String::from("mode = \"observe\"\n");
    let _ = writeln!(
        text,
        "{}[[grant]]\nsubjects = [\"token:reader\"]\nrole = \"reader\"",
        token.entry
    );
    write_policy(folder.path(), &[&text]);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let file = folder.path().join(FILE);
    let arguments = ["--security", file.to_str().unwrap(), "--admin-port=0"];
    let server = Server::on(&database, &arguments);
    let client = server.client().await;
    for properties in [&[][..], &[], &["a"], &["a"], &[]] {
        let declared = with_properties("Data", properties);
        put(client.clone(), &token.bearer(), declared)
            .await
            .unwrap();
    }
    let metrics = get(server.admin(), "/metrics").await.text();
    let counted = "pedigree_authz_would_refuse_total{\
                   method=\"/ml_metadata.MetadataStoreService/PutArtifactType\",\
                   reason=\"not_granted\"} 2\n";
    assert!(metrics.contains(counted), "{metrics}");
    server.stop();
}
