//! Workspaces of `MLflow`, which are tenants.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Tenants;
use crate::mlflow::client::{last_line, run_script};
use crate::mlflow::{PREFIX, code};
use crate::security::MadeToken;
use crate::serving::{Http, http};
use crate::support::{Backend, Store};

on_every_database! {
    a_workspace_is_a_tenant,
    the_released_client_has_workspaces,
    without_tenants_there_is_one_workspace,
}

/// Sends a request to a path, with lines in its head.
async fn ask(store: &Store, request: &str, lines: &str, body: &[u8]) -> Http {
    let head = format!("{request} HTTP/1.1\r\nContent-Type: application/json{lines}");
    http(store.port(), &head, body).await
}

fn header(workspace: &str) -> String {
    format!("\r\nX-MLflow-Workspace: {workspace}")
}

fn parsed(answer: &Http) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

async fn a_workspace_is_a_tenant(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let only = MadeToken::new(folder.path(), "only");
    let grant = "[[grant]]\nsubjects = [\"token:only\"]\nrole = \"writer\"\ntenant = \"one\"\n";
    let lines = format!("{}{grant}", only.entry);
    let tenants = Tenants::open(backend, &["one", "two"], &lines).await;
    let (store, all) = (&tenants.store, tenants.token.bearer());
    let all = format!("\r\nAuthorization: {all}");
    let only = format!("\r\nAuthorization: {}", only.bearer());
    for name in ["one", "two", "default"] {
        let create = format!("POST {PREFIX}/experiments/create");
        let body = json!({"name": format!("of {name}")}).to_string();
        let lines = [&all, &*header(name)].concat();
        parsed(&ask(store, &create, &lines, body.as_bytes()).await);
    }
    let search = format!("GET {PREFIX}/experiments/search?max_results=1");
    for (token, more, expected) in [
        (&all, header("one"), "one"),
        (&all, header("two"), "two"),
        (&all, header("default"), "default"),
        (&all, header(""), "default"),
        (&all, String::new(), "default"),
        (&only, String::new(), "one"),
        (&only, header("one"), "one"),
        (&all, "\r\nx-pedigree-tenant: two".to_owned(), "two"),
    ] {
        let lines = [token, &*more].concat();
        let told = parsed(&ask(store, &search, &lines, b"").await);
        let first = &told["experiments"][0];
        assert_eq!(first["name"], format!("of {expected}"), "{more}");
        assert_eq!(first["workspace"], expected, "{more}");
    }
    let both = [&*header("one"), "\r\nx-pedigree-tenant: one"].concat();
    let mut refusals = Vec::new();
    for (token, more) in [
        (&only, header("two")),
        (&only, header("default")),
        (&only, header("gone")),
        (&all, header("gone")),
        (&all, header("No Name")),
        (&all, [header("one"), header("two")].concat()),
        (&all, both),
    ] {
        let answer = ask(store, &search, &[token, &*more].concat(), b"").await;
        assert_eq!(answer.status, 403, "{more}: {}", answer.text());
        refusals.push(answer.text());
    }
    assert!(refusals.iter().all(|it| *it == refusals[0]), "{refusals:?}");
    // Files are those of the tenant.
    let path = "/api/2.0/mlflow-artifacts/artifacts/a/b";
    let lines = [&all, &*header("one")].concat();
    let put = ask(store, &format!("PUT {path}"), &lines, b"1").await;
    assert_eq!(put.status, 200, "{}", put.text());
    for (name, status) in [("one", 200), ("two", 404), ("default", 404)] {
        let lines = [&all, &*header(name)].concat();
        let found = ask(store, &format!("GET {path}"), &lines, b"").await;
        assert_eq!(found.status, status, "{name}");
    }
    // Clients ask whether there are workspaces before they know which there are.
    let info = "GET /api/3.0/mlflow/server-info";
    let told = parsed(&ask(store, info, &[&all, &*header("gone")].concat(), b"").await);
    assert_eq!(told["workspaces_enabled"], true);
    // It says nothing to other doors.
    let lines = [&all, &*header("gone")].concat();
    let other = ask(store, "GET /api/v1/namespaces", &lines, b"").await;
    assert_eq!(other.status, 200, "{}", other.text());
}

async fn the_released_client_has_workspaces(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let user = MadeToken::new(folder.path(), "user");
    let grant = |tenant| {
        let name = "\"token:user\"";
        format!("[[grant]]\nsubjects = [{name}]\nrole = \"writer\"\ntenant = \"{tenant}\"\n")
    };
    let lines = [&*user.entry, &grant("one"), &grant("default")].concat();
    let tenants = Tenants::open(backend, &["one", "two"], &lines).await;
    let port = tenants.store.port();
    let run = move || {
        let script = "tests/clients/mlflow/workspaces.py";
        run_script(port, script, folder.path(), Some(&user.text))
    };
    let printed = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(last_line(&printed), "done");
}

async fn without_tenants_there_is_one_workspace(backend: Backend) {
    let store = Store::open(backend).await;
    let get = format!("GET {PREFIX}/experiments/get?experiment_id=0");
    for name in ["", "default"] {
        let told = parsed(&ask(&store, &get, &header(name), b"").await);
        assert_eq!(told["experiment"]["workspace"], "default");
    }
    let file = "GET /api/2.0/mlflow-artifacts/artifacts/a".to_owned();
    for request in [get, file] {
        for lines in [header("one"), [header("default"), header("one")].concat()] {
            let refused = ask(&store, &request, &lines, b"").await;
            let told = (refused.status, code(&refused));
            assert_eq!(told, (400, "FEATURE_DISABLED".to_owned()), "{request}");
        }
    }
    let info = ask(&store, "GET /api/3.0/mlflow/server-info", "", b"").await;
    assert_eq!(parsed(&info)["workspaces_enabled"], false);
}
