//! JWTs: issuers, their keys, and tokens that are refused.

mod bad;
mod issuer;
mod keys;

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use tonic::Status;

pub use self::issuer::{SigningKey, TestIssuer, Unsigned, now};
use super::tokens::principals;
use super::{put, write_file};
use crate::serving::{Authority, framed, http, put_type};
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    a_write_has_the_subject_of_its_token,
}
once! {
    every_protocol_takes_tokens_of_every_algorithm,
    a_claim_of_choice_is_the_subject,
    a_service_account_of_kubernetes_has_its_own_subject,
}

/// A server that knows the issuers in these entries.
pub async fn open(backend: Backend, entries: &[&str]) -> (Store, TempDir) {
    let folder = TempDir::new().unwrap();
    let file = write_file(folder.path(), entries);
    let configure = |config: &mut pedigree::config::Config| config.serving.security = Some(file);
    (Store::open_with(backend, configure).await, folder)
}

/// What becomes of a call with a token.
pub async fn call(store: &Store, token: &str) -> Result<(), Status> {
    let bearer = format!("Bearer {token}");
    put(store.client(), "Data", &[&bearer]).await.map(drop)
}

/// The code of the answer to a call with a token.
pub async fn code(store: &Store, token: &str) -> Code {
    call(store, token)
        .await
        .map_or_else(|status| status.code(), |()| Code::Ok)
}

async fn a_write_has_the_subject_of_its_token(backend: Backend) {
    let key = SigningKey::ed();
    let issuer = TestIssuer::start(&[key.jwk("a")]).await;
    let (store, _folder) = open(backend, &[&issuer.entry("")]).await;
    call(&store, &issuer.token(&key, "a", "ada").sign(&key))
        .await
        .unwrap();
    assert_eq!(principals(&store).await, ["jwt:test:ada"]);
}

async fn every_protocol_takes_tokens_of_every_algorithm() {
    let keys = [SigningKey::rsa(), SigningKey::ec(), SigningKey::ed()];
    let ids = ["0", "1", "2"];
    let jwks: Vec<_> = keys.iter().zip(ids).map(|(key, id)| key.jwk(id)).collect();
    let issuer = TestIssuer::start(&jwks).await;
    let (store, _folder) = open(Backend::SqliteMemory, &[&issuer.entry("")]).await;
    let mut tokens: Vec<_> = keys
        .iter()
        .zip(ids)
        .map(|(key, id)| issuer.token(key, id, "ada").sign(key))
        .collect();
    let pss = issuer
        .token(&keys[0], "0", "ada")
        .header("alg", json!("PS256"));
    tokens.push(pss.sign(&keys[0]));
    // Without an id, where only one key has the algorithm.
    let unnamed = issuer
        .token(&keys[1], "1", "ada")
        .header("kid", json!(null));
    tokens.push(unnamed.sign(&keys[1]));
    // Within the leeway.
    let late = issuer
        .token(&keys[2], "2", "ada")
        .claim("exp", json!(now() - 30));
    tokens.push(late.claim("nbf", json!(now() + 30)).sign(&keys[2]));
    let both = issuer.token(&keys[2], "2", "ada");
    tokens.push(
        both.claim("aud", json!(["other", "pedigree"]))
            .sign(&keys[2]),
    );
    for token in &tokens {
        call(&store, token).await.unwrap();
        let header = format!("\r\nAuthorization: bearer {token}");
        let head = format!("GET /api/pedigree/v1/version HTTP/1.1{header}");
        assert_eq!(http(store.port(), &head, b"").await.status, 200);
        let head = format!(
            "POST /ml_metadata.MetadataStoreService/PutArtifactType HTTP/1.1\r\n\
             Content-Type: application/grpc-web+proto{header}"
        );
        let answer = http(store.port(), &head, &framed(&put_type("Data"))).await;
        assert!(answer.body.ends_with(b"grpc-status:0\r\n"), "{answer:?}");
    }
    assert_eq!(issuer.asked(issuer::KEYS), 1);
}

async fn a_claim_of_choice_is_the_subject() {
    let key = SigningKey::ed();
    let issuer = TestIssuer::start(&[key.jwk("a")]).await;
    let entry = issuer.entry("subject_claim = \"email\"\ntoken_type = \"at+jwt\"\n");
    let (store, _folder) = open(Backend::SqliteFile, &[&entry]).await;
    let token = issuer
        .token(&key, "a", "7")
        .claim("email", json!("ada@example.org"));
    let typed = |name: &str| token.clone().header("typ", json!(name)).sign(&key);
    call(&store, &typed("at+jwt")).await.unwrap();
    call(&store, &typed("application/AT+JWT")).await.unwrap();
    let principal = "jwt:test:ada@example.org";
    assert_eq!(principals(&store).await, [principal]);
    for wrong in [
        typed("JWT"),
        token.clone().header("typ", json!(null)).sign(&key),
        issuer
            .token(&key, "a", "7")
            .header("typ", json!("at+jwt"))
            .sign(&key),
    ] {
        assert_eq!(code(&store, &wrong).await, Code::Unauthenticated);
    }
}

/// The API server of a cluster has an authority of its own and may ask for a token too.
async fn a_service_account_of_kubernetes_has_its_own_subject() {
    let authority = Authority::new();
    let key = SigningKey::rsa();
    let issuer = TestIssuer::start_tls(&authority, &[key.jwk("a")]).await;
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("ca.pem"), &authority.pem).unwrap();
    fs::write(path("token"), "hunter2\n").unwrap();
    let entry = issuer.entry(&format!(
        "kubernetes = true\nca_file = \"{}\"\ntoken_file = \"{}\"\n",
        path("ca.pem"),
        path("token")
    ));
    let (store, _folder) = open(Backend::SqliteFile, &[&entry]).await;
    let token = |subject: &str| issuer.token(&key, "a", subject).sign(&key);
    call(&store, &token("system:serviceaccount:ml:trainer"))
        .await
        .unwrap();
    assert_eq!(principals(&store).await, ["k8s:ml:trainer"]);
    let requests = issuer.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    let sent = "authorization: bearer hunter2";
    assert!(
        requests
            .iter()
            .all(|head| head.to_lowercase().contains(sent)),
        "{requests:?}"
    );
    for other in [
        "ada",
        "system:node:a",
        "system:serviceaccount:ml",
        "system:serviceaccount:ml:",
        "system:serviceaccount:ml:trainer:x",
    ] {
        assert_eq!(code(&store, &token(other)).await, Code::Unauthenticated);
    }
}
