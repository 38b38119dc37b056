//! Calls whose clients say how long they wait.

use percent_encoding::percent_decode_str;

use super::http2::Http2;
use super::web::{framed, put_type};
use super::{Http, get};
use crate::binary::Server;
use crate::sql::TableLock;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database!(a_late_call_is_given_up);

const METHOD: &str = "/ml_metadata.MetadataStoreService/PutArtifactType";

async fn put_with_timeout(server: &Server, timeout: &str) -> Http {
    let headers = [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", timeout),
    ];
    let client = Http2::to(server.port).await;
    client
        .post(METHOD, &headers, framed(&put_type("Data")))
        .await
}

/// Another session has the table of types, so that no call that puts one ends.
async fn a_late_call_is_given_up(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &["--admin-port", "0"]);
    let lock = TableLock::of(backend, &database.url, "Type").await;

    // One as short as clients give, and one that has passed already.
    for timeout in ["50m", "0n"] {
        let answer = put_with_timeout(&server, timeout).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("grpc-status"), Some("4"), "{answer:?}");
        let text = percent_decode_str(answer.header("grpc-message").unwrap());
        assert_eq!(
            text.decode_utf8().unwrap(),
            "the deadline of the call has passed"
        );
        assert!(answer.header("x-request-id").is_some());
    }
    let metrics = get(server.admin(), "/metrics").await.text();
    let counted = format!(
        "pedigree_rpc_requests_total{{method=\"{METHOD}\",code=\"DEADLINE_EXCEEDED\"}} 2\n"
    );
    assert!(metrics.contains(&counted), "{metrics}");

    lock.release().await;
    // Nothing of them goes on: the next call comes first.
    let client = server.client().await;
    let get = pb::GetArtifactTypeRequest {
        type_name: Some("Data".to_owned()),
        ..Default::default()
    };
    assert_eq!(
        get.ask(client.clone()).await.unwrap_err().code(),
        Code::NotFound
    );
    let enough = put_with_timeout(&server, "60S").await;
    assert_eq!(enough.header("grpc-status"), Some("0"), "{enough:?}");
    server.stop();
}
