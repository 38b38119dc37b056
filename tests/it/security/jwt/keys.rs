//! The keys of an issuer: where they are, that they change, and that their server may be away.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::issuer::{DISCOVERY, KEYS};
use super::{SigningKey, TestIssuer, code, open};
use crate::security::{MadeToken, write_file};
use crate::serving::Authority;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    a_new_key_is_fetched_and_unknown_ones_cause_few_fetches,
    known_keys_are_used_on_while_the_issuer_is_away,
    keys_come_from_a_url_or_a_file_too,
    answers_of_others_are_no_keys,
    a_changed_file_keeps_the_keys,
}

async fn a_new_key_is_fetched_and_unknown_ones_cause_few_fetches() {
    let [old, new] = [SigningKey::ec(), SigningKey::ec()];
    let issuer = TestIssuer::start(&[old.jwk("old")]).await;
    let (store, _folder) = open(Backend::SqliteMemory, &[&issuer.entry("")]).await;
    assert_eq!(
        code(&store, &issuer.token(&old, "old", "ada").sign(&old)).await,
        Code::Ok
    );
    issuer.publish_keys(&[new.jwk("new")]);
    assert_eq!(
        code(&store, &issuer.token(&new, "new", "ada").sign(&new)).await,
        Code::Ok
    );
    // The issuer has taken the old one back.
    let taken_back = issuer.token(&old, "old", "bob").sign(&old);
    assert_eq!(code(&store, &taken_back).await, Code::Unauthenticated);
    for number in 0..1000 {
        let unknown = issuer.token(&new, &number.to_string(), "ada").sign(&new);
        assert_eq!(code(&store, &unknown).await, Code::Unauthenticated);
    }
    let fetches = issuer.asked(KEYS);
    assert!((2..=6).contains(&fetches), "{fetches}");
}

async fn known_keys_are_used_on_while_the_issuer_is_away() {
    let key = SigningKey::ed();
    let mut issuer = TestIssuer::start(&[key.jwk("a")]).await;
    issuer.stop().await;
    let (store, _folder) = open(Backend::SqliteMemory, &[&issuer.entry("")]).await;
    let token = |subject: &str| issuer.token(&key, "a", subject).sign(&key);
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(token);
    // The token may be right: clients try again.
    assert_eq!(code(&store, &ada).await, Code::Unavailable);
    issuer.restart().await;
    assert_eq!(code(&store, &ada).await, Code::Ok);
    issuer.stop().await;
    assert_eq!(code(&store, &bob).await, Code::Ok);
    let unknown = issuer.token(&key, "b", "ada").sign(&key);
    assert_eq!(code(&store, &unknown).await, Code::Unauthenticated);
    assert_eq!(code(&store, &eve).await, Code::Ok);
}

async fn keys_come_from_a_url_or_a_file_too() {
    let key = SigningKey::rsa();
    let issuer = TestIssuer::start(&[key.jwk("a")]).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, json!({"keys": [key.jwk("a")]}).to_string()).unwrap();
    let token = issuer.token(&key, "a", "ada").sign(&key);
    for (more, fetches) in [
        (format!("jwks_file = \"{}\"", file.display()), 0),
        (format!("jwks_url = \"{}{KEYS}\"", issuer.url), 1),
    ] {
        let (store, _folder) = open(Backend::SqliteMemory, &[&issuer.entry(&more)]).await;
        assert_eq!(code(&store, &token).await, Code::Ok);
        assert_eq!(issuer.asked(KEYS), fetches);
    }
    assert_eq!(issuer.asked(DISCOVERY), 0);
}

async fn answers_of_others_are_no_keys() {
    let key = SigningKey::ed();
    let other = TestIssuer::start(&[key.jwk("a")]).await;
    let authority = Authority::new();
    let strange = TestIssuer::start_tls(&authority, &[key.jwk("a")]).await;
    let issuer = TestIssuer::start(&[]).await;
    let token = |issuer: &TestIssuer| issuer.token(&key, "a", "ada").sign(&key);
    let keys = format!("{}{KEYS}", other.url);
    let configuration = |issuer: &str, keys: &str| json!({"issuer": issuer, "jwks_uri": keys});
    let huge = format!(
        "{{\"keys\":[{}],\"x\":\"{}\"}}",
        key.jwk("a"),
        "a".repeat(2 << 20)
    );
    for (path, status, text) in [
        (DISCOVERY, 302, format!("{}{DISCOVERY}", other.url)),
        (DISCOVERY, 200, configuration(&other.url, &keys).to_string()),
        (
            DISCOVERY,
            200,
            configuration(&issuer.url, "http://192.0.2.1/keys").to_string(),
        ),
        (
            DISCOVERY,
            200,
            configuration(&issuer.url, "file:///etc/passwd").to_string(),
        ),
        (
            DISCOVERY,
            500,
            configuration(&issuer.url, &keys).to_string(),
        ),
        (KEYS, 302, keys.clone()),
        (KEYS, 200, huge),
        (KEYS, 200, "<html>".into()),
        (
            KEYS,
            200,
            json!({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}).to_string(),
        ),
        (
            KEYS,
            200,
            json!({"keys": vec![key.jwk("a"); 101]}).to_string(),
        ),
    ] {
        let good = configuration(&issuer.url, &format!("{}{KEYS}", issuer.url));
        issuer.publish(DISCOVERY, 200, &good.to_string());
        issuer.publish_keys(&[]);
        issuer.publish(path, status, &text);
        let (store, _folder) = open(Backend::SqliteMemory, &[&issuer.entry("")]).await;
        let context = &text[..text.len().min(100)];
        assert_eq!(
            code(&store, &token(&issuer)).await,
            Code::Unavailable,
            "{path} {context}"
        );
    }
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    // A certificate of an authority that is not trusted.
    let (store, _folder) = open(Backend::SqliteMemory, &[&strange.entry("")]).await;
    assert_eq!(code(&store, &token(&strange)).await, Code::Unavailable);
    assert!(strange.requests().is_empty());
}

async fn a_changed_file_keeps_the_keys() {
    let key = SigningKey::ed();
    let mut issuer = TestIssuer::start(&[key.jwk("a")]).await;
    let (store, folder) = open(Backend::SqliteMemory, &[&issuer.entry("")]).await;
    let token = issuer.token(&key, "a", "ada").sign(&key);
    assert_eq!(code(&store, &token).await, Code::Ok);
    issuer.stop().await;
    let made = MadeToken::new(folder.path(), "ci");
    write_file(folder.path(), &[&made.entry, &issuer.entry("")]);
    // In force when the new token is.
    while code(&store, &made.text).await != Code::Ok {
        tokio::task::yield_now().await;
    }
    assert_eq!(code(&store, &token).await, Code::Ok);
}
