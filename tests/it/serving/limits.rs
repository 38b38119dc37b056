//! What the server refuses, and what it tells of every request.

use sqlx::Connection;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::metadata::MetadataValue;

use crate::binary::Server;
use crate::sql::connect;
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

once! {
    requests_beyond_the_bound_are_refused,
    requests_have_ids,
}

/// Takes the only place of a writer, so that no write ends.
pub async fn hold_writes(database: &TestDatabase) -> sqlx::AnyConnection {
    let mut holder = connect(&database.url).await;
    let lock = sqlx::raw_sql("BEGIN IMMEDIATE");
    lock.execute(&mut holder).await.unwrap();
    holder
}

pub async fn let_go(mut holder: sqlx::AnyConnection) {
    let unlock = sqlx::raw_sql("ROLLBACK");
    unlock.execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
}

/// Puts a type, again and again while requests of the test take the places of the server.
pub async fn put_type_when_admitted(client: Client) -> Result<i64, Status> {
    loop {
        match Artifact::put_type("Data", &[]).ask(client.clone()).await {
            Err(status) if status.code() == Code::ResourceExhausted => {}
            answer => return answer,
        }
    }
}

async fn requests_beyond_the_bound_are_refused() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--max-requests", "2"]);
    let client = server.client().await;
    let put_type = || put_type_when_admitted(client.clone());
    let holder = hold_writes(&database).await;
    let held = JoinSet::from_iter([put_type(), put_type()]);
    let list = || Artifact::list(None).ask(client.clone());
    let refused = loop {
        // Those before it may not have begun.
        if let Err(status) = list().await {
            break status;
        }
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.message(), "too many requests at once; try again");
    let pushback = refused.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(pushback.unwrap(), "1000");
    let_go(holder).await;
    for put in held.join_all().await {
        put.unwrap();
    }
    put_type().await.unwrap();
    server.stop();
}

async fn requests_have_ids() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let arguments = ["--log-format", "json", "--log-level", "debug"];
    let server = Server::on(&database, &arguments);
    let mut client = server.client().await;
    let ask = |id: Option<&'static str>| {
        let mut request = tonic::Request::new(pb::GetArtifactTypesRequest::default());
        if let Some(id) = id {
            let metadata = request.metadata_mut();
            metadata.insert("x-request-id", MetadataValue::from_static(id));
        }
        request
    };
    let answer = client.get_artifact_types(ask(Some("run-7"))).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "run-7");
    let answer = client.get_artifact_types(ask(None)).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap().len(), 36);
    let refused = client
        .get_artifact_type(pb::GetArtifactTypeRequest::default())
        .await;
    let refused = refused.unwrap_err();
    assert!(refused.metadata().get("x-request-id").is_some());

    let log = server.process.log();
    let line = log
        .lines()
        .find(|line| line.contains("\"message\":\"answered\"") && line.contains("run-7"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(line["code"], "OK");
    assert_eq!(line["span"]["id"], "run-7");
    assert_eq!(
        line["span"]["method"],
        "/ml_metadata.MetadataStoreService/GetArtifactTypes"
    );
    server.stop();
}
