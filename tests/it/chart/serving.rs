//! What the chart renders is run here, in each mode, and serves: twice on the same database, as a
//! release that is upgraded does.

use std::process::Command;

use serde_json::{Value, json};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::pod::{Cluster, config_map, container, pod, secret};
use crate::binary::{Process, Server, run};
use crate::serving::{Authority, get};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

/// A grant to clients with a certificate.
const GRANT: &str = "[[grant]]\nsubjects = [\"cert:*\"]\nrole = \"writer\"\n";

once! {
    with_nothing_said,
    on_sqlite_with_tls_on_both_sides,
    on_postgres,
    on_mysql,
    in_kubeflow_on_its_mysql,
    in_kubeflow_on_its_postgresql,
}

/// Has everything that a release runs run, and looks at what it should do.
async fn serves_again_and_again(cluster: &Cluster, tls: Option<ClientTlsConfig>) {
    let mut written = Vec::new();
    for round in 1..=2 {
        if let Some(job) = cluster.one("Job") {
            let ended = run(cluster.command(job));
            assert!(ended.status.success(), "{ended:?}");
        }
        let deployment = cluster.one("Deployment").unwrap();
        let servers: Vec<Server> = (0..replicas(cluster))
            .map(|_| Server::wait(Process::start(cluster.command(deployment))))
            .collect();
        let container = container(pod(deployment));
        for (server, number) in servers.iter().zip(1..) {
            let channel = connect(server, tls.clone()).await;
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                answers(server, channel.clone(), &container[probe]).await;
            }
            let client = Client::new(channel);
            let name = format!("{round}.{number}");
            let type_id = Artifact::put_type("Data", &[]);
            let type_id = type_id.ask(client.clone()).await.unwrap();
            let put = Artifact::put(vec![Artifact::new(type_id, &name)]);
            put.ask(client.clone()).await.unwrap();
            written.push(name);
            let found = Artifact::list(None).ask(client).await.unwrap().nodes;
            let found: Vec<_> = found.into_iter().filter_map(|node| node.name).collect();
            assert_eq!(found, written);
            passes(cluster, server);
        }
        servers.into_iter().for_each(Server::stop);
    }
}

/// How many servers there are, at least.
fn replicas(cluster: &Cluster) -> u64 {
    let fixed = cluster.one("Deployment").unwrap()["spec"]["replicas"].as_u64();
    let scaled = cluster.one("HorizontalPodAutoscaler");
    fixed
        .or_else(|| scaled?["spec"]["minReplicas"].as_u64())
        .unwrap()
}

async fn connect(server: &Server, tls: Option<ClientTlsConfig>) -> Channel {
    let Some(tls) = tls else {
        return server.connect().await;
    };
    let url = format!("https://localhost:{}", server.port);
    let channel = Channel::from_shared(url).unwrap().tls_config(tls).unwrap();
    channel.connect().await.unwrap()
}

/// Asks as a kubelet does.
async fn answers(server: &Server, channel: Channel, probe: &Value) {
    if let Some(http) = probe.get("httpGet") {
        assert_eq!(http["port"], "admin");
        let path = http["path"].as_str().unwrap();
        assert_eq!(get(server.admin(), path).await.status, 200, "{probe}");
    } else {
        assert_eq!(probe["grpc"], json!({"port": 8080}));
        let mut health = HealthClient::new(channel);
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
}

/// Runs the pod of `helm test`, to which the Services are this server.
fn passes(cluster: &Cluster, server: &Server) {
    let container = container(pod(cluster.one("Pod").unwrap()));
    let words: Vec<&str> = container["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for (name, place) in cluster.environment(container) {
        let (service, port) = place.split_once('/').unwrap();
        let port = match cluster.target(service, port.parse().unwrap()).as_str() {
            "admin" => server.admin(),
            "grpc-api" => server.port,
            other => panic!("no port {other}"),
        };
        command.env(name, format!("127.0.0.1/{port}"));
    }
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{ended:?}");
    assert!(said.contains("readyz: 200"), "{said}");
}

/// Arguments of helm.
fn set(values: &[String]) -> Vec<String> {
    let values = values.iter();
    values
        .flat_map(|value| ["--set-string".to_owned(), value.clone()])
        .collect()
}

async fn with_nothing_said() {
    let cluster = Cluster::new("defaults", &[], Vec::new());
    serves_again_and_again(&cluster, None).await;
}

async fn on_sqlite_with_tls_on_both_sides() {
    let [servers, clients] = [Authority::new(), Authority::new()];
    let (certificate, key) = servers.sign();
    let before = vec![
        secret(
            "pedigree-tls",
            &[("tls.crt", &certificate), ("tls.key", &key)],
        ),
        secret("clients", &[("ca.crt", &clients.pem)]),
        // Without tokens: certificates are the only credentials.
        secret("pedigree-security", &[("security.toml", GRANT)]),
    ];
    let cluster = Cluster::new("sqlite", &[], before);
    let (certificate, key) = clients.sign();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&servers.pem))
        .identity(Identity::from_pem(certificate, key));
    serves_again_and_again(&cluster, Some(tls)).await;
}

async fn on_postgres() {
    let database = TestDatabase::missing(Backend::Postgres);
    let access = database.access();
    let authority = Authority::new();
    let (certificate, key) = authority.sign();
    let pair = [("tls.crt", &*certificate), ("tls.key", &*key)];
    let login = [
        ("username", &*access.user),
        ("password", &*access.password),
        ("unused", ""),
    ];
    let before = vec![
        secret("pedigree-database", &login),
        secret(
            "pedigree-database-tls",
            &[("ca.crt", &*authority.pem), pair[0], pair[1]],
        ),
        // As cert-manager makes it.
        secret("rel-pedigree-tls", &pair),
        config_map("more", &[("file", "more")]),
    ];
    let settings = set(&[
        format!("database.host={}", access.host),
        format!("database.name={}", access.database),
        // This database has no certificate.
        "database.tls.mode=prefer".to_owned(),
    ]);
    let port = format!("database.port={}", access.port);
    let settings = [settings, vec!["--set".to_owned(), port]].concat();
    let cluster = Cluster::new("postgres", &settings, before);
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem));
    serves_again_and_again(&cluster, Some(tls)).await;
}

async fn on_mysql() {
    let database = TestDatabase::missing(Backend::MySql);
    let access = database.access();
    let settings = set(&[
        format!(
            "database.url=mysql://{}:{}/{}",
            access.host, access.port, access.database
        ),
        format!("database.user={}", access.user),
        format!("database.password={}", access.password),
    ]);
    let cluster = Cluster::new("mysql", &settings, Vec::new());
    serves_again_and_again(&cluster, None).await;
}

async fn in_kubeflow_on_its_mysql() {
    let database = TestDatabase::missing(Backend::MySql);
    let access = database.access();
    let port = access.port.to_string();
    let before = vec![
        secret(
            "mysql-secret",
            &[("username", &access.user), ("password", &access.password)],
        ),
        config_map(
            "pipeline-install-config",
            &[
                ("mlmdDb", &access.database),
                ("mysqlHost", &access.host),
                ("mysqlPort", &port),
            ],
        ),
    ];
    let cluster = Cluster::new("kubeflow", &[], before);
    serves_again_and_again(&cluster, None).await;
}

async fn in_kubeflow_on_its_postgresql() {
    let database = TestDatabase::missing(Backend::Postgres);
    let access = database.access();
    let port = access.port.to_string();
    let before = vec![
        secret(
            "metadata-postgres-db-secrets",
            &[
                ("POSTGRES_USER", &access.user),
                ("POSTGRES_PASSWORD", &access.password),
            ],
        ),
        config_map(
            "metadata-postgres-db-parameters",
            &[
                ("POSTGRES_DBNAME", &access.database),
                ("POSTGRES_PORT", &port),
            ],
        ),
    ];
    let settings = set(&[format!("kubeflow.postgres.host={}", access.host)]);
    let cluster = Cluster::new("kubeflow-postgres", &settings, before);
    serves_again_and_again(&cluster, None).await;
}
