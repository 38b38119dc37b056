//! Groups: of a claim, and of service accounts of Kubernetes. `proxies` has those of a proxy.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::jwt::{SigningKey, TestIssuer, call, code};
use super::{FILE, write_policy};
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    a_claim_names_the_groups_of_a_subject,
    service_accounts_have_the_groups_of_kubernetes,
}

async fn open(entry: &str, rules: &str) -> (Store, TempDir) {
    let folder = TempDir::new().unwrap();
    write_policy(folder.path(), &[entry, rules]);
    let file = folder.path().join(FILE);
    let configure = |config: &mut pedigree::config::Config| config.serving.security = Some(file);
    (
        Store::open_with(Backend::SqliteMemory, configure).await,
        folder,
    )
}

async fn a_claim_names_the_groups_of_a_subject() {
    let key = SigningKey::ed();
    let issuer = TestIssuer::start(&[key.jwk("a")]).await;
    let rules = "[[grant]]\nsubjects = [\"group:ml\", \"group:system:*\"]\nrole = \"writer\"\n\
                 [[deny]]\nsubjects = [\"group:guests\"]\nactions = [\"type.read\"]\n\
                 except = [\"group:hosts\"]\n";
    let (store, _folder) = open(&issuer.entry("groups_claim = \"groups\"\n"), rules).await;
    let token = |groups: Value| {
        let token = issuer.token(&key, "a", "ada");
        token.claim("groups", groups).sign(&key)
    };
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    for (groups, expected) in [
        (json!(["other", "ml"]), ok),
        (json!("ml"), ok),
        (json!(["ml", "guests", "hosts"]), ok),
        (json!(["ml", "guests"]), denied),
        (json!(["mlx", "group:ml", "ML"]), denied),
        (json!([]), denied),
        // Only the cluster says who is a service account.
        (json!(["system:serviceaccounts:ml"]), denied),
        (json!(7), Code::Unauthenticated),
        (json!({"ml": true}), Code::Unauthenticated),
        (json!(["ml", 7]), Code::Unauthenticated),
        (json!(["ml", "a\nb"]), Code::Unauthenticated),
    ] {
        assert_eq!(
            code(&store, &token(groups.clone())).await,
            expected,
            "{groups}"
        );
    }
    let without = issuer.token(&key, "a", "ada").sign(&key);
    assert_eq!(code(&store, &without).await, denied);
}

async fn service_accounts_have_the_groups_of_kubernetes() {
    let key = SigningKey::ed();
    let issuer = TestIssuer::start(&[key.jwk("a")]).await;
    let rules = "[[grant]]\nsubjects = [\"group:system:serviceaccounts:ml\"]\nrole = \"writer\"\n\
                 [[grant]]\nsubjects = [\"group:system:serviceaccounts\"]\nrole = \"reader\"\n";
    let (store, _folder) = open(&issuer.entry("kubernetes = true\n"), rules).await;
    let token = |account: &str| {
        let subject = format!("system:serviceaccount:{account}");
        issuer.token(&key, "a", &subject).sign(&key)
    };
    let outsider = token("mlx:trainer");
    assert_eq!(code(&store, &outsider).await, Code::PermissionDenied);
    call(&store, &token("ml:trainer")).await.unwrap();
    // What is stored already, a reader may put.
    call(&store, &outsider).await.unwrap();
}
