//! Tenants: each has a database of its own, and callers of one cannot reach that of another.

mod databases;
mod sweep;
mod turns;
mod wheel;
mod workspaces;

use std::fmt::Write as _;
use std::fs;

use pb::{
    GetArtifactsByIdRequest, GetArtifactsRequest, GetLineageGraphRequest, PutArtifactTypeRequest,
    PutArtifactsRequest,
};
use pedigree::config::Config;
use pedigree::proto::ml_metadata::LineageGraphQueryOptions;
use pedigree::proto::ml_metadata::lineage_graph_query_options::QueryNodes;
use pedigree::proto::pedigree::audit::v1::ListRequest;
use pedigree::proto::pedigree::audit::v1::audit_service_client::AuditServiceClient;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{WatchRequest, WatchResponse};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{FILE, MadeToken, with_authorization, write_policy};
use crate::binary::{pedigree, run};
use crate::serving::{framed, http, put_type};
use crate::streams::{from_cursor, from_the_beginning};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    tenants_have_nothing_in_common,
    places_of_one_tenant_are_refused_in_another,
    a_tenant_is_named_by_header_host_or_credential,
    a_foreign_tenant_is_refused_as_a_missing_one_is,
}

const HEADER: &str = "x-pedigree-tenant";

const REFUSED: &str = "the caller has no permission in this tenant";

/// A server with tenants beside the default one.
struct Tenants {
    store: Store,
    folder: TempDir,
    /// What the security file says beside its tenants.
    lines: String,
    databases: Vec<(String, TestDatabase)>,
    /// A token of an administrator of all tenants.
    token: MadeToken,
}

impl Tenants {
    /// A server with these tenants, and lines of its security file.
    async fn open(backend: Backend, names: &[&str], lines: &str) -> Self {
        let database = |name: &&str| ((*name).to_owned(), TestDatabase::new(backend));
        Self::on(backend, names.iter().map(database), lines, |_| {}).await
    }

    /// As [`Self::open`], with tenants on these databases and another configuration.
    async fn on(
        backend: Backend,
        databases: impl IntoIterator<Item = (String, TestDatabase)>,
        lines: &str,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let token = MadeToken::new(folder.path(), "all");
        let grant = "[[grant]]\nsubjects = [\"token:all\"]\nrole = \"admin\"\ntenant = \"*\"\n";
        let lines = format!("{}{grant}{lines}", token.entry);
        let databases: Vec<_> = databases.into_iter().collect();
        write_tenants(&folder, &lines, &databases);
        let file = folder.path().join(FILE);
        let store = Store::open_with(backend, |config| {
            config.serving.security = Some(file);
            configure(config);
        })
        .await;
        Self {
            store,
            folder,
            lines,
            databases,
            token,
        }
    }

    /// Writes the security file again, with the tenants that there are now.
    fn write(&self) {
        write_tenants(&self.folder, &self.lines, &self.databases);
    }

    fn client(&self) -> Client {
        self.store.client()
    }

    /// A request of the administrator, for a tenant.
    fn to<T>(&self, tenant: &str, message: T) -> Request<T> {
        named(message, &self.token, Some(tenant))
    }

    /// Declares a type in a tenant, and returns its id.
    async fn put(&self, tenant: &str, name: &str) -> Result<i64, Status> {
        put(self.client(), self.to(tenant, put_type(name))).await
    }
}

/// The entry of a tenant `NAME`, whose host is `NAME.example`.
fn entry(name: &str, url: &str) -> String {
    format!("[tenant.{name}]\ndatabase_url = \"{url}\"\nhosts = [\"{name}.example\"]\n")
}

fn write_tenants(folder: &TempDir, lines: &str, databases: &[(String, TestDatabase)]) {
    let mut text = lines.to_owned();
    for (name, database) in databases {
        let _ = write!(text, "{}", entry(name, &database.url));
    }
    // No reader sees a half of it.
    let new = TempDir::new_in(folder.path()).unwrap();
    let written = write_policy(new.path(), &[&text]);
    fs::rename(written, folder.path().join(FILE)).unwrap();
}

/// A request with a token, for a tenant if one is given.
fn named<T>(message: T, token: &MadeToken, tenant: Option<&str>) -> Request<T> {
    let mut request = with_authorization(message, &[&token.bearer()]);
    if let Some(tenant) = tenant {
        let metadata = request.metadata_mut();
        metadata.insert(HEADER, tenant.parse().unwrap());
    }
    request
}

async fn put(mut client: Client, request: Request<PutArtifactTypeRequest>) -> Result<i64, Status> {
    Ok(client
        .put_artifact_type(request)
        .await?
        .into_inner()
        .type_id())
}

/// Stores so many artifacts of a type, and returns their ids.
async fn put_artifacts(tenants: &Tenants, tenant: &str, name: &str, count: usize) -> Vec<i64> {
    let type_id = tenants.put(tenant, name).await.unwrap();
    let artifact = Artifact {
        type_id: Some(type_id),
        uri: Some(format!("s3://{tenant}")),
        ..Artifact::default()
    };
    let request = PutArtifactsRequest {
        artifacts: vec![artifact; count],
        ..PutArtifactsRequest::default()
    };
    let request = tenants.to(tenant, request);
    let answer = tenants.client().put_artifacts(request).await.unwrap();
    answer.into_inner().artifact_ids
}

/// The first response of a watch in a tenant.
async fn watch(
    tenants: &Tenants,
    tenant: &str,
    request: WatchRequest,
) -> Result<WatchResponse, Status> {
    let mut client = LineageServiceClient::new(tenants.store.channel.clone());
    let answer = client.watch(tenants.to(tenant, request)).await?;
    let response = answer.into_inner().message().await?;
    Ok(response.unwrap())
}

async fn tenants_have_nothing_in_common(backend: Backend) {
    let tenants = Tenants::open(backend, &["one", "two"], "").await;
    let of_one = put_artifacts(&tenants, "one", "Data", 2).await;
    let of_two = put_artifacts(&tenants, "two", "Other", 3).await;
    assert_eq!(of_one, of_two[..2], "ids are apart");
    for (tenant, count, name) in [("one", 2, "Data"), ("two", 3, "Other"), ("default", 0, "")] {
        let request = tenants.to(tenant, GetArtifactsRequest::default());
        let found = tenants.client().get_artifacts(request).await.unwrap();
        let found = found.into_inner().artifacts;
        assert_eq!(found.len(), count, "{tenant}");
        let uri = format!("s3://{tenant}");
        assert!(
            found
                .iter()
                .all(|it| it.uri() == uri && it.r#type() == name)
        );
        let request = GetArtifactsByIdRequest {
            artifact_ids: of_two.clone(),
            ..GetArtifactsByIdRequest::default()
        };
        let mut client = tenants.client();
        let by_id = client.get_artifacts_by_id(tenants.to(tenant, request));
        assert_eq!(by_id.await.unwrap().into_inner().artifacts.len(), count);
        let request = tenants.to(tenant, pb::GetArtifactTypesRequest::default());
        let types = tenants.client().get_artifact_types(request).await.unwrap();
        let types = types.into_inner().artifact_types;
        let names: Vec<_> = types.iter().map(pb::ArtifactType::name).collect();
        assert_eq!(names, [name].repeat(count.min(1)), "{tenant}");
    }
    for (tenant, name) in [("one", "Data"), ("two", "Other")] {
        let changes = watch(&tenants, tenant, from_the_beginning()).await.unwrap();
        let text = format!("{changes:?}");
        assert!(
            text.contains(&format!("s3://{tenant}")) || text.contains(name),
            "{text}"
        );
        let other = if tenant == "one" { "two" } else { "one" };
        assert!(!text.contains(&format!("s3://{other}")), "{text}");
        // The audit of a tenant has its own writes.
        let mut audit = AuditServiceClient::new(tenants.store.channel.clone());
        let request = tenants.to(tenant, ListRequest::default());
        let records = audit.list(request).await.unwrap().into_inner().records;
        assert!(!records.is_empty(), "{tenant}");
    }
}

async fn places_of_one_tenant_are_refused_in_another(backend: Backend) {
    let tenants = Tenants::open(backend, &["one", "two"], "").await;
    let mut tokens = Vec::new();
    let mut cursors = Vec::new();
    let names = ["one", "two", "default"];
    for tenant in names {
        put_artifacts(&tenants, tenant, "Data", 3).await;
        let request = GetArtifactsRequest {
            options: Some(pages_of(1)),
            ..GetArtifactsRequest::default()
        };
        let mut client = tenants.client();
        let page = client.get_artifacts(tenants.to(tenant, request));
        tokens.push(
            page.await
                .unwrap()
                .into_inner()
                .next_page_token()
                .to_owned(),
        );
        let changes = watch(&tenants, tenant, from_the_beginning()).await.unwrap();
        cursors.push(changes.cursor);
    }
    // Upstream's format.
    assert!(!tokens[2].contains('~'), "{}", tokens[2]);
    for (place, tenant) in names.into_iter().enumerate() {
        for (other, (token, cursor)) in tokens.iter().zip(&cursors).enumerate() {
            let mut options = pages_of(1);
            options.next_page_token = Some(token.clone());
            let request = GetArtifactsRequest {
                options: Some(options.clone()),
                ..GetArtifactsRequest::default()
            };
            let page = tenants
                .client()
                .get_artifacts(tenants.to(tenant, request))
                .await;
            let request = GetLineageGraphRequest {
                options: Some(LineageGraphQueryOptions {
                    query_nodes: Some(QueryNodes::ArtifactsOptions(options)),
                    ..LineageGraphQueryOptions::default()
                }),
                ..GetLineageGraphRequest::default()
            };
            let request = tenants.to(tenant, request);
            let graph = tenants.client().get_lineage_graph(request).await;
            let watched = watch(&tenants, tenant, from_cursor(cursor)).await;
            if place == other {
                let ids: Vec<_> = page.unwrap().into_inner().artifacts;
                assert_eq!(ids.len(), 1);
                graph.unwrap();
                watched.unwrap();
                continue;
            }
            for refused in [page.map(drop), graph.map(drop)] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
                let text = "the page token is not one of this database";
                assert_eq!(refused.message(), text);
            }
            let refused = watched.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        }
    }
}

/// A client that asks for a host.
async fn at_host(store: &Store, host: &str) -> Client {
    let url = format!("http://127.0.0.1:{}", store.port());
    let endpoint = Channel::from_shared(url).unwrap();
    let origin = format!("http://{host}:8080").parse().unwrap();
    Client::new(endpoint.origin(origin).connect().await.unwrap())
}

async fn a_tenant_is_named_by_header_host_or_credential(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let [bound, only] = ["bound", "only"].map(|name| MadeToken::new(folder.path(), name));
    let lines = format!(
        "{}tenant = \"two\"\n{}\
         [[grant]]\nsubjects = [\"token:bound\"]\nrole = \"admin\"\ntenant = \"*\"\n\
         [[grant]]\nsubjects = [\"token:only\"]\nrole = \"writer\"\ntenant = \"one\"\n",
        bound.entry.trim_end().to_owned() + "\n",
        only.entry,
    );
    let tenants = Tenants::open(backend, &["one", "two"], &lines).await;
    for (tenant, name) in [("one", "One"), ("two", "Two"), ("default", "Default")] {
        tenants.put(tenant, name).await.unwrap();
    }
    let types = async |mut client: Client, token: &MadeToken, tenant: Option<&str>| {
        let request = pb::GetArtifactTypesRequest::default();
        let found = client
            .get_artifact_types(named(request, token, tenant))
            .await?;
        let types = found.into_inner().artifact_types;
        Ok::<_, Status>(
            types
                .iter()
                .map(|it| it.name().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    let all = &tenants.token;
    let [one, two] = [
        at_host(&tenants.store, "one.example"),
        at_host(&tenants.store, "TWO.example."),
    ];
    let (one, two) = (one.await, two.await);
    let plain = tenants.client();
    for (client, token, header, expected) in [
        (&plain, all, None, "Default"),
        (&plain, all, Some("one"), "One"),
        (&one, all, None, "One"),
        (&two, all, None, "Two"),
        (&two, all, Some("one"), "One"),
        (&plain, &bound, None, "Two"),
        (&plain, &bound, Some("two"), "Two"),
        (&plain, &only, None, "One"),
        (&one, &only, None, "One"),
    ] {
        let found = types(client.clone(), token, header).await.unwrap();
        assert_eq!(found, [expected], "{header:?}");
    }
    for (client, token, header) in [
        (&plain, &bound, Some("one")),
        (&plain, &bound, Some("default")),
        (&one, &bound, None),
        (&plain, &only, Some("two")),
        (&plain, &only, Some("default")),
        (&two, &only, None),
    ] {
        let refused = types(client.clone(), token, header).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{header:?}");
        assert_eq!(refused.message(), REFUSED);
    }
    fs::write(tenants.folder.path().join("token"), &only.text).unwrap();
    for (tenant, expected) in [("one", "NOT_FOUND"), ("two", REFUSED)] {
        let arguments = ["trace", "--artifact", "1", "--token-file", "token"];
        let arguments = [&arguments[..], &["--tenant", tenant]].concat();
        let mut trace = pedigree(tenants.folder.path(), &arguments);
        let server = format!("http://127.0.0.1:{}", tenants.store.port());
        trace.env("PEDIGREE_SERVER", server);
        let traced = run(trace);
        assert!(traced.stderr.contains(expected), "{traced:?}");
    }
}

async fn a_foreign_tenant_is_refused_as_a_missing_one_is(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let stranger = MadeToken::new(folder.path(), "stranger");
    let lines = format!(
        "{}[[grant]]\nsubjects = [\"token:stranger\"]\nrole = \"admin\"\n",
        stranger.entry
    );
    let tenants = Tenants::open(backend, &["one"], &lines).await;
    let port = tenants.store.port();
    let bearer = stranger.bearer();
    let mut answers = Vec::new();
    for tenant in ["one", "gone", "No Name"] {
        let mut texts = Vec::new();
        let put = put(
            tenants.client(),
            named(put_type("Data"), &stranger, Some(tenant)),
        );
        let mut audit = AuditServiceClient::new(tenants.store.channel.clone());
        let listed = audit.list(named(ListRequest::default(), &stranger, Some(tenant)));
        let mut client = LineageServiceClient::new(tenants.store.channel.clone());
        let watched = client.watch(named(WatchRequest::default(), &stranger, Some(tenant)));
        for refused in [
            put.await.unwrap_err(),
            listed.await.unwrap_err(),
            watched.await.map(drop).unwrap_err(),
        ] {
            texts.push(format!("{:?} {}", refused.code(), refused.message()));
        }
        for (path, kind, body) in [
            (
                "/ml_metadata.MetadataStoreService/PutArtifactType",
                "application/grpc-web+proto",
                framed(&put_type("Data")),
            ),
            ("/api/v1/lineage", "application/json", b"{}".to_vec()),
        ] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nContent-Type: {kind}\r\n\
                 Authorization: {bearer}\r\n{HEADER}: {tenant}"
            );
            let answer = http(port, &head, &body).await;
            let named = |name| answer.header(name).unwrap_or_default().to_owned();
            let status = [named("grpc-status"), named("grpc-message")].concat();
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            texts.push(format!("{} {status} {body}", answer.status));
        }
        answers.push(texts);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    for text in &answers[0] {
        assert!(
            text.replace("%20", " ")
                .contains("permission in this tenant"),
            "{text}"
        );
    }
    assert_eq!(answers[0][0], format!("PermissionDenied {REFUSED}"));
}
