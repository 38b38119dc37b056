//! gRPC-Web, byte for byte, as a browser sends it and reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;

use super::http2::Http2;
use super::{Http, http};
use crate::binary::Server;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    answers_are_data_and_trailer_frames,
    text_is_base64_of_the_same_frames,
    it_goes_over_http2_as_well,
    refusals_reach_the_page,
    pages_of_named_origins_may_call,
}

const SERVICE: &str = "/ml_metadata.MetadataStoreService";

/// Frames: a byte that tells data (0x00) from trailers (0x80), the length in four bytes, and so
/// many bytes.
pub fn frames(mut body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let (frame, rest) = rest.split_at(length.try_into().unwrap());
        frames.push((head[0], frame.to_vec()));
        body = rest;
    }
    assert_eq!(body, b"");
    frames
}

pub fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), &message].concat()
}

async fn call(server: &Server, method: &str, kind: &str, body: &[u8]) -> Http {
    let head = format!(
        "POST {SERVICE}/{method} HTTP/1.1\r\nContent-Type: {kind}\r\nAccept: {kind}\r\nX-Grpc-Web: 1"
    );
    http(server.port, &head, body).await
}

pub fn put_type(name: &str) -> pb::PutArtifactTypeRequest {
    pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some(name.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn trailers(frame: &(u8, Vec<u8>)) -> String {
    assert_eq!(frame.0, 0x80);
    String::from_utf8(frame.1.clone()).unwrap()
}

async fn answers_are_data_and_trailer_frames() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    for kind in ["application/grpc-web+proto", "application/grpc-web"] {
        let answer = call(&server, "PutArtifactType", kind, &framed(&put_type("Data"))).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("application/grpc-web")
        );
        let frames = frames(&answer.body);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].0, 0x00);
        let put = pb::PutArtifactTypeResponse::decode(frames[0].1.as_slice()).unwrap();
        assert!(put.type_id() > 0);
        assert_eq!(trailers(&frames[1]).trim_end(), "grpc-status:0");
    }
    server.stop();
}

/// Each frame may be padded on its own.
fn decoded(text: &str) -> Vec<u8> {
    let quads = text.as_bytes().chunks(4);
    quads
        .flat_map(|quad| STANDARD.decode(quad).unwrap())
        .collect()
}

async fn text_is_base64_of_the_same_frames() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let body = STANDARD.encode(framed(&put_type("Data")));
    let kind = "application/grpc-web-text+proto";
    let answer = call(&server, "PutArtifactType", kind, body.as_bytes()).await;
    assert_eq!(answer.status, 200);
    let frames = frames(&decoded(&answer.text()));
    assert_eq!(frames.len(), 2);
    pb::PutArtifactTypeResponse::decode(frames[0].1.as_slice()).unwrap();
    assert_eq!(trailers(&frames[1]).trim_end(), "grpc-status:0");
    server.stop();
}

/// What HTTP/1.1 brings, HTTP/2 brings too.
async fn same_over_http2(server: &Server, client: &Http2) {
    let request = framed(&put_type("Data"));
    let encoded = STANDARD.encode(&request).into_bytes();
    for (kind, body) in [
        ("application/grpc-web+proto", &request),
        ("application/grpc-web-text+proto", &encoded),
    ] {
        let path = format!("{SERVICE}/PutArtifactType");
        let headers = [
            ("content-type", kind),
            ("accept", kind),
            ("x-grpc-web", "1"),
        ];
        let answer = client.post(&path, &headers, body.clone()).await;
        let expected = call(server, "PutArtifactType", kind, body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            expected.header("content-type")
        );
        assert_eq!(answer.body, expected.body, "{kind}");
        // The status is in the last frame and nowhere else.
        assert_eq!(answer.header("grpc-status"), None);
        let bytes = if kind.contains("text") {
            decoded(&answer.text())
        } else {
            answer.body
        };
        let frames = frames(&bytes);
        assert_eq!(frames[0].0, 0x00);
        assert_eq!(trailers(&frames[1]).trim_end(), "grpc-status:0");
    }
}

async fn it_goes_over_http2_as_well() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let client = Http2::to(server.port).await;
    same_over_http2(&server, &client).await;
    server.stop();
}

async fn refusals_reach_the_page() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let request = pb::GetArtifactTypeRequest {
        type_name: Some("none".to_owned()),
        ..Default::default()
    };
    let kind = "application/grpc-web+proto";
    let answer = call(&server, "GetArtifactType", kind, &framed(&request)).await;
    assert_eq!(answer.status, 200);
    // Without data the status may be in the headers or in a frame of trailers.
    let status = match answer.header("grpc-status") {
        Some(status) => status.to_owned(),
        None => trailers(&frames(&answer.body)[0]),
    };
    assert!(status.contains('5'), "{answer:?}");
    server.stop();
}

async fn pages_of_named_origins_may_call() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let origins = ["--web-origins", "https://ui.example, https://other.example"];
    let server = Server::on(&database, &origins);
    let preflight = |origin: &str| {
        let head = format!(
            "OPTIONS {SERVICE}/PutArtifactType HTTP/1.1\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-grpc-web"
        );
        let port = server.port;
        async move { http(port, &head, b"").await }
    };
    let allowed = preflight("https://ui.example").await;
    assert_eq!(allowed.status, 200);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some("https://ui.example")
    );
    let headers = allowed.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("x-grpc-web"), "{headers}");
    let refused = preflight("https://evil.example").await;
    assert_eq!(refused.header("access-control-allow-origin"), None);

    let head = format!(
        "POST {SERVICE}/PutArtifactType HTTP/1.1\r\nOrigin: https://ui.example\r\n\
         Content-Type: application/grpc-web+proto"
    );
    let answer = http(server.port, &head, &framed(&put_type("Data"))).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://ui.example")
    );
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("grpc-status"), "{exposed}");
    server.stop();
}
