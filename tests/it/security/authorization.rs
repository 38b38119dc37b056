//! Roles: the matrix of what each may call, which is reviewed as a file and tried on every
//! database.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use pedigree::policy::{METHODS, MethodActions, Role};
use pedigree::proto::pool;
use pedigree::security::{NamedTenant, SecuritySettings, TenantChoice};
use tempfile::TempDir;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

use super::{FILE, MadeToken, put, with_authorization, write_policy};
use crate::binary::{Server, pedigree, run};
use crate::serving::{get, http};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    every_role_may_call_what_the_matrix_says,
}
once! {
    what_would_be_refused_is_served_and_counted_in_mode_observe,
    the_prefix_of_a_web_interface_needs_the_same_rights,
}
blocking_once! {
    every_method_has_its_actions,
    the_matrix_is_that_of_the_roles,
    decisions_are_explained,
}

/// What every role may call, reviewed by hand.
const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/authorization.tsv");

/// Set to write the matrix instead of comparing it.
const UPDATE: &str = "PEDIGREE_UPDATE_DOCS";

/// Paths of reflection and of HTTP, which our descriptors do not have.
const OTHER_PATHS: [&str; 5] = [
    "/api/pedigree/v1/version",
    "/api/v1/lineage",
    "/api/v1/lineage/batch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

fn every_method_has_its_actions() {
    let mut paths = BTreeSet::from(OTHER_PATHS.map(str::to_owned));
    for service in pool().services() {
        let path = |method: &str| format!("/{}/{method}", service.full_name());
        paths.extend(service.methods().map(|method| path(method.name())));
    }
    let rows: BTreeSet<_> = METHODS.iter().map(|row| row.path.to_owned()).collect();
    assert_eq!(rows.len(), METHODS.len(), "a path has two rows");
    // Those of routes for one method of HTTP are tried in `tests/it/marquez/` and `mlflow/`.
    let rows = rows.into_iter();
    let rows = rows.filter(|path| !path.contains(' ') && !is_of_mlflow(path));
    assert_eq!(rows.collect::<BTreeSet<_>>(), paths);
    assert!(METHODS.iter().all(|row| !row.actions.is_empty()));
}

/// Whether a path is one of `MLflow`'s API. The matrix lists these.
fn is_of_mlflow(path: &str) -> bool {
    let begins = ["/api/2.0/mlflow", "/api/3.0/mlflow/", "/ajax-api/"];
    let plain = [
        "/health",
        "/version",
        "/get-artifact",
        "/model-versions/get-artifact",
    ];
    begins.iter().any(|begin| path.starts_with(begin)) || plain.contains(&path)
}

/// A grant of each role to a token with its name.
fn grants() -> String {
    let grant = |role: Role| {
        let name = role.name();
        format!("[[grant]]\nsubjects = [\"token:{name}\"]\nrole = \"{name}\"\n")
    };
    Role::ALL.map(grant).concat()
}

/// The tenants of the matrix: that of all grants, one without any, and one that is not there.
const TENANTS: [&str; 3] = ["own", "foreign", "missing"];

/// A file with the grants in a tenant, and another tenant.
fn tenant_lines(urls: [&str; 2]) -> String {
    let grants = grants().replace("role =", "tenant = \"own\"\nrole =");
    let [own, foreign] = urls;
    format!(
        "{grants}[tenant.own]\ndatabase_url = \"{own}\"\n\
         [tenant.foreign]\ndatabase_url = \"{foreign}\"\n"
    )
}

fn settings() -> SecuritySettings {
    let folder = TempDir::new().unwrap();
    let lines = tenant_lines(["sqlite:own.db", "sqlite:foreign.db"]);
    let file = write_policy(folder.path(), &[&lines]);
    SecuritySettings::read(&file).unwrap()
}

/// What the matrix says of a subject's calls of a method in a tenant.
fn cell(
    settings: &SecuritySettings,
    subject: &str,
    tenant: &str,
    row: &MethodActions,
) -> &'static str {
    let named = NamedTenant {
        header: Some(tenant),
        ..NamedTenant::default()
    };
    let TenantChoice::Chosen(tenant) = settings.tenant_of(subject, named) else {
        return "no";
    };
    let policy = &settings.policy;
    let decision = policy.decide(subject, &tenant, Some(row));
    let changes = policy.decide_changes(subject, &tenant, row);
    match (decision.is_allowed(), changes.is_allowed()) {
        (true, true) => "yes",
        (true, false) => "stored",
        (false, _) => "no",
    }
}

/// The subjects of the matrix: one for each role, after one without any.
fn names() -> Vec<&'static str> {
    [&["none"][..], &Role::ALL.map(Role::name)].concat()
}

fn the_matrix_is_that_of_the_roles() {
    let settings = settings();
    let mut matrix = format!("path\ttenant\t{}\n", names().join("\t"));
    for row in METHODS {
        for tenant in TENANTS {
            let _ = write!(matrix, "{}\t{tenant}", row.path);
            for name in names() {
                let cell = cell(&settings, &format!("token:{name}"), tenant, row);
                let _ = write!(matrix, "\t{cell}");
            }
            matrix.push('\n');
        }
    }
    if env::var_os(UPDATE).is_some() {
        fs::write(MATRIX, &matrix).unwrap();
    }
    let reviewed = fs::read_to_string(MATRIX).unwrap();
    assert!(reviewed == matrix, "out of date: run with {UPDATE}=1");
}

/// A file with these lines and a token for each subject of the matrix.
fn write_tokens(folder: &Path, lines: &str) -> Vec<MadeToken> {
    let names = names().into_iter();
    let tokens: Vec<_> = names.map(|name| MadeToken::new(folder, name)).collect();
    let entries = tokens.iter().map(|token| token.entry.as_str());
    let parts: Vec<&str> = [lines].into_iter().chain(entries).collect();
    write_policy(folder, &parts);
    tokens
}

/// The refusal of a call with an empty message, if it is for want of permission.
async fn denial(
    store: &Store,
    path: &'static str,
    bearer: &str,
    tenant: &'static str,
) -> Option<String> {
    let route = path.split_once(' ');
    if route.is_some() || path.starts_with("/api/") || is_of_mlflow(path) {
        let (method, path) = match route {
            // Braces stand for any name.
            Some((method, route)) => (method, route.replace(['{', '}', '*'], "")),
            None => ("POST", path.to_owned()),
        };
        // A stream after an unknown place ends at once.
        let path = path.replace("/activity/stream", "/activity/stream?after=none");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nAuthorization: {bearer}\r\nX-Pedigree-Tenant: {tenant}"
        );
        let answer = http(store.port(), &head, b"").await;
        return (answer.status == 403).then(|| answer.text());
    }
    let mut client = Grpc::new(store.channel.clone());
    client.ready().await.unwrap();
    let mut request = with_authorization((), &[bearer]);
    let metadata = request.metadata_mut();
    metadata.insert("x-pedigree-tenant", tenant.parse().unwrap());
    let codec = ProstCodec::<(), ()>::default();
    let path = PathAndQuery::from_static(path);
    let answer = client.server_streaming(request, path, codec).await;
    let refused = answer.err()?;
    (refused.code() == Code::PermissionDenied).then(|| refused.message().to_owned())
}

async fn every_role_may_call_what_the_matrix_says(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let databases = [TestDatabase::new(backend), TestDatabase::new(backend)];
    let lines = tenant_lines(databases.each_ref().map(|database| database.url.as_str()));
    let tokens = write_tokens(folder.path(), &lines);
    let file = folder.path().join(FILE);
    let store = Store::open_with(backend, |config| config.serving.security = Some(file)).await;
    let matrix = fs::read_to_string(MATRIX).unwrap();
    let mut tried = 0;
    for row in matrix.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let path = METHODS
            .iter()
            .find(|row| row.path == cells[0])
            .unwrap()
            .path;
        let tenant = TENANTS.into_iter().find(|name| *name == cells[1]).unwrap();
        for (token, cell) in tokens.iter().zip(&cells[2..]) {
            tried += 1;
            if *cell == "stored" {
                // It depends on the message.
                continue;
            }
            let denied = denial(&store, path, &token.bearer(), tenant).await;
            assert_eq!(denied.is_some(), *cell == "no", "{row}: {}", token.entry);
            if tenant != "own" {
                // The text is the same for a tenant that exists and for one that does not.
                let text = denied.unwrap();
                assert!(
                    text.contains("no permission in this tenant"),
                    "{row}: {text}"
                );
            }
        }
    }
    assert_eq!(tried, METHODS.len() * TENANTS.len() * names().len());
}

async fn the_prefix_of_a_web_interface_needs_the_same_rights() {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), &grants());
    let file = folder.path().join(FILE);
    let configure = |config: &mut pedigree::config::Config| config.serving.security = Some(file);
    let store = Store::open_with(Backend::SqliteMemory, configure).await;
    for path in [
        "/ajax-api/2.0/mlflow/runs/create",
        "/api/2.0/mlflow/runs/create",
    ] {
        for (name, token) in names().into_iter().zip(&tokens) {
            let denied = denial(&store, path, &token.bearer(), "default").await;
            let is_writer = ["writer", "steward", "admin"].contains(&name);
            assert_eq!(denied.is_none(), is_writer, "{path} {name}");
        }
    }
}

async fn what_would_be_refused_is_served_and_counted_in_mode_observe() {
    let folder = TempDir::new().unwrap();
    let lines = format!("mode = \"observe\"\n{}", grants());
    let tokens = write_tokens(folder.path(), &lines);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let file = folder.path().join(FILE);
    let arguments = ["--security", file.to_str().unwrap(), "--admin-port=0"];
    let server = Server::on(&database, &arguments);
    let client = server.client().await;
    for values in [&[][..], &["Bearer x"], &[&tokens[0].bearer()]] {
        put(client.clone(), "Data", values).await.unwrap();
    }
    let unknown = http(server.port, "GET /unknown HTTP/1.1", b"").await;
    assert_eq!(unknown.status, 404);
    let metrics = get(server.admin(), "/metrics").await.text();
    let method = "/ml_metadata.MetadataStoreService/PutArtifactType";
    for (method, reason, count) in [
        (method, "unauthenticated", 2),
        // Each request is counted once.
        (method, "not_granted", 1),
        ("unknown", "unauthenticated", 1),
    ] {
        let line = format!(
            "pedigree_authz_would_refuse_total{{method=\"{method}\",reason=\"{reason}\"}} {count}\n"
        );
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
    server.stop();
}

fn decisions_are_explained() {
    let folder = TempDir::new().unwrap();
    let denial =
        "[[deny]]\nsubjects = [\"*\"]\nactions = [\"watch\"]\nexcept = [\"token:admin\"]\n";
    write_policy(folder.path(), &[&grants(), denial]);
    for (subject, method, expected) in [
        (
            "token:reader",
            "GetArtifacts",
            "allowed by the grant in line 1",
        ),
        (
            "token:reader",
            "PutExecution",
            "refused: no grant has node.write",
        ),
        ("token:reader", "Record", "refused: no grant has node.write"),
        (
            "token:writer",
            "Watch",
            "refused: watch is denied in line 19",
        ),
        ("token:admin", "Watch", "allowed by the grant in line 16"),
        (
            "anonymous",
            "/api/pedigree/v1/version",
            "refused: no grant has type.read",
        ),
    ] {
        let arguments = ["policy", "explain", FILE, "--as", subject, method];
        let explained = run(pedigree(folder.path(), &arguments));
        assert_eq!(explained.stdout, format!("{expected}\n"), "{subject}");
    }
    let arguments = [
        "policy",
        "explain",
        FILE,
        "--as",
        "token:reader",
        "PutTypes",
    ];
    let explained = run(pedigree(folder.path(), &arguments));
    assert_eq!(
        explained.stdout,
        "with types that are stored already: allowed by the grant in line 1\n\
         with other types: refused: no grant has type.write\n"
    );
    let arguments = ["policy", "explain", FILE, "--as", "token:admin", "Put"];
    let explained = run(pedigree(folder.path(), &arguments));
    assert_eq!(explained.stderr, "pedigree: Put is not a method\n");
}
