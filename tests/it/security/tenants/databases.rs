//! The databases of tenants: opened once and when they are needed, away alone, closed when they are
//! idle, changed with the security file.

use std::time::Duration;

use pedigree::config::Config;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::telemetry::Metrics;
use tempfile::TempDir;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Tenants, entry, named, put};
use crate::binary::{pedigree, pedigree_on, run};
use crate::migrate::{said, version};
use crate::python::sized;
use crate::security::{FILE, write_policy};
use crate::serving::{TcpProxy, put_type};
use crate::sql::connect;
use crate::streams::from_the_beginning;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    many_callers_open_a_tenant_once,
    tenants_come_go_and_move_with_the_file,
    an_idle_tenant_is_closed_and_opened_again,
    busy_tenants_share_few_connections,
    tenants_are_migrated_by_the_command,
    a_tenant_with_an_old_schema_is_refused_alone,
}
on_every_server! {
    a_tenant_whose_database_is_away_disturbs_no_other,
}
with_servers! {
    hundreds_of_tenants_are_served,
}

/// How long a case waits for what has to happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until something is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{what}");
}

/// A name that no other case has: metrics are those of the process.
pub fn new_name() -> String {
    format!("t-{}", Uuid::new_v4().simple())
}

/// The value of a metric of a tenant; 0 where there is none.
pub fn value(metric: &str, tenant: &str) -> u64 {
    let text = Metrics::of_process().unwrap().render();
    let label = format!("tenant=\"{tenant}\"");
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with(metric) && line.contains(&label));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

fn openings(tenant: &str) -> u64 {
    value("pedigree_tenant_openings_total", tenant)
}

fn is_open(tenant: &str) -> bool {
    value("pedigree_tenant_open{", tenant) == 1
}

async fn code(tenants: &Tenants, tenant: &str, name: &str) -> Code {
    let put = tenants.put(tenant, name).await;
    put.map_or_else(|status| status.code(), |_| Code::Ok)
}

async fn many_callers_open_a_tenant_once(backend: Backend) {
    let name = new_name();
    let missing = TestDatabase::missing(backend);
    let tenants = Tenants::on(backend, [(name.clone(), missing)], "", |_| {}).await;
    assert_eq!(openings(&name), 0, "nobody needs it");
    let mut callers = JoinSet::new();
    for _ in 0..32 {
        let request = named(put_type("Data"), &tenants.token, Some(&name));
        callers.spawn(put(tenants.client(), request));
    }
    let mut ids: Vec<_> = callers
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(openings(&name), 1);
}

async fn tenants_come_go_and_move_with_the_file(backend: Backend) {
    let mut tenants = Tenants::open(backend, &["one"], "").await;
    assert_eq!(code(&tenants, "one", "Data").await, Code::Ok);
    assert_eq!(code(&tenants, "two", "Data").await, Code::PermissionDenied);
    let two = TestDatabase::new(backend);
    tenants.databases.push(("two".into(), two));
    tenants.write();
    eventually("a new tenant is served", async || {
        code(&tenants, "two", "Data").await == Code::Ok
    })
    .await;

    let watch = async |tenant: &str| {
        let mut client = LineageServiceClient::new(tenants.store.channel.clone());
        let request = tenants.to(tenant, from_the_beginning());
        client.watch(request).await.unwrap().into_inner()
    };
    let mut of_one = watch("one").await;
    let mut of_two = watch("two").await;
    // One is gone, two has another database.
    let gone = tenants.databases.remove(0);
    let new = TestDatabase::new(backend);
    let moved = std::mem::replace(&mut tenants.databases[0].1, new);
    tenants.write();
    for (stream, expected) in [
        (&mut of_one, Code::PermissionDenied),
        (&mut of_two, Code::Unavailable),
    ] {
        let ended = async {
            loop {
                match stream.message().await {
                    Ok(message) => assert!(message.is_some()),
                    Err(status) => break status.code(),
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        assert_eq!(ended.unwrap(), expected);
    }
    assert_eq!(code(&tenants, "one", "Data").await, Code::PermissionDenied);
    let request = tenants.to("two", pb::GetArtifactTypesRequest::default());
    let types = tenants.client().get_artifact_types(request).await.unwrap();
    assert!(types.into_inner().artifact_types.is_empty());
    drop((gone, moved));
}

async fn an_idle_tenant_is_closed_and_opened_again(backend: Backend) {
    let [idle, watched] = [new_name(), new_name()];
    let databases = [&idle, &watched].map(|name| (name.clone(), TestDatabase::new(backend)));
    let tenants = Tenants::on(backend, databases, "", |config| {
        config.database.idle = Duration::from_secs(1);
    })
    .await;
    let mut client = LineageServiceClient::new(tenants.store.channel.clone());
    let request = tenants.to(&watched, from_the_beginning());
    let mut stream = client.watch(request).await.unwrap().into_inner();
    assert_eq!(code(&tenants, &idle, "Data").await, Code::Ok);
    assert!(is_open(&idle));
    eventually("it is closed", async || !is_open(&idle)).await;
    // A stream is no idleness.
    assert!(is_open(&watched));
    assert_eq!(code(&tenants, &watched, "Data").await, Code::Ok);
    stream.message().await.unwrap().unwrap();
    assert_eq!(openings(&watched), 1);
    assert_eq!(code(&tenants, &idle, "Data").await, Code::Ok);
    assert_eq!(openings(&idle), 2);
}

async fn a_tenant_whose_database_is_away_disturbs_no_other(backend: Backend) {
    let mut away = TestDatabase::new(backend);
    let mut proxy = TcpProxy::to(away.port()).await;
    away.go_through(proxy.port);
    let there = TestDatabase::new(backend);
    let databases = [("away".to_owned(), away), ("there".to_owned(), there)];
    let tenants = Tenants::on(backend, databases, "", |_| {}).await;
    for round in ["First", "Second"] {
        eventually("it is not available", async || {
            assert_eq!(code(&tenants, "there", round).await, Code::Ok);
            assert_eq!(code(&tenants, "default", round).await, Code::Ok);
            code(&tenants, "away", round).await == Code::Unavailable
        })
        .await;
        proxy.open().await;
        eventually("it has come back", async || {
            code(&tenants, "away", round).await == Code::Ok
        })
        .await;
        proxy.close().await;
    }
}

/// Many databases are created at once, which takes long on a busy machine: calls wait for it.
fn wait_long(config: &mut Config) {
    config.database.wait = PATIENCE * 2;
    config.serving.startup_wait = PATIENCE * 2;
}

/// Twelve tenants work at the same time with fewer connections than there are tenants.
async fn busy_tenants_share_few_connections(backend: Backend) {
    let names: Vec<String> = (0..12).map(|number| format!("team-{number}")).collect();
    let databases = names
        .iter()
        .map(|name| (name.clone(), TestDatabase::new(backend)));
    let tenants = Tenants::on(backend, databases, "", |config| {
        config.database.connections = 8;
        wait_long(config);
    })
    .await;
    let mut callers = JoinSet::new();
    for name in &names {
        for caller in 0..3 {
            let (client, name) = (tenants.client(), name.clone());
            let requests: Vec<_> = (0..10)
                .map(|number| tenants.to(&name, put_type(&format!("{name}-{caller}-{number}"))))
                .collect();
            callers.spawn(async move {
                for request in requests {
                    put(client.clone(), request).await.unwrap();
                }
            });
        }
    }
    let done = tokio::time::timeout(PATIENCE * 5, callers.join_all()).await;
    assert!(done.is_ok(), "somebody waits for ever");
    for name in &names {
        let request = tenants.to(name, pb::GetArtifactTypesRequest::default());
        let types = tenants.client().get_artifact_types(request).await.unwrap();
        let types = types.into_inner().artifact_types;
        assert_eq!(types.len(), 30);
        assert!(
            types
                .iter()
                .all(|it| it.name().starts_with(&format!("{name}-")))
        );
    }
}

/// The command migrates the databases of all tenants, and says which ones it could not.
async fn tenants_are_migrated_by_the_command(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let databases = ["one", "two", "three"].map(|name| (name, TestDatabase::missing(backend)));
    let default = TestDatabase::missing(backend);
    let mut parts: Vec<String> = databases
        .iter()
        .map(|(name, database)| entry(name, &database.url))
        .collect();
    "[tenant.three]\ndatabase_url_file = \"/none\"\n".clone_into(&mut parts[2]);
    // The command runs where the keys of issuers may be missing.
    let issuer = "[[issuer]]\nname = \"a\"\nurl = \"https://id.example\"\naudiences = [\"p\"]\n\
                  jwks_file = \"/none\"\n";
    parts.push(issuer.to_owned());
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let file = write_policy(folder.path(), &parts);
    let file = file.to_str().unwrap();
    let migrate = |arguments: &[&str]| {
        let arguments = [&["migrate", "--security", file], arguments].concat();
        run(pedigree_on(&default, &arguments))
    };
    let done = migrate(&["--tenant", "one"]);
    assert!(done.status.success(), "{done:?}");
    assert!(done.stdout.starts_with("tenant: one\n"), "{done:?}");
    assert!(
        done.stdout.contains("done: the schema has version"),
        "{done:?}"
    );
    let done = migrate(&["--all-tenants"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let steps: Vec<_> = ["default", "one", "three", "two"]
        .map(|name| done.stdout.find(&format!("tenant: {name}\n")))
        .into_iter()
        .collect();
    assert!(
        steps.iter().all(Option::is_some) && steps.is_sorted(),
        "{done:?}"
    );
    assert!(done.stdout.contains("nothing to do"), "{done:?}");
    assert!(done.stderr.contains("cannot read /none"), "{done:?}");
    assert!(
        done.stderr
            .contains("1 of 4 databases could not be migrated"),
        "{done:?}"
    );
    let missing = migrate(&["--tenant", "four"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
}

/// Until the command has upgraded its schema.
async fn a_tenant_with_an_old_schema_is_refused_alone(backend: Backend) {
    let old = TestDatabase::new(backend);
    said(&old, &["--downgrade-to", "9"]);
    let databases = [
        ("old".to_owned(), old),
        ("new".to_owned(), TestDatabase::new(backend)),
    ];
    let tenants = Tenants::on(backend, databases, "", |_| {}).await;
    for round in ["First", "Second"] {
        let refused = tenants.put("old", round).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert!(refused.message().contains("schema"), "{refused:?}");
        for served in ["new", "default"] {
            assert_eq!(code(&tenants, served, round).await, Code::Ok);
        }
    }
    let old = &tenants.databases[0].1;
    assert_eq!(version(old).await, "9", "nobody has asked for more");
    let file = tenants.folder.path().join(FILE);
    let (url, file) = (tenants.store.url(), file.to_str().unwrap());
    let options = ["--database-url", url, "--security", file];
    let upgrade = [&["migrate", "--tenant", "old"], &options[..]].concat();
    let done = run(pedigree(tenants.folder.path(), &upgrade));
    assert!(done.status.success(), "{done:?}");
    let expected = "done: the schema had version 9 and has version 10";
    assert!(done.stdout.contains(expected), "{done:?}");
    eventually("it is served", async || {
        code(&tenants, "old", "Third").await == Code::Ok
    })
    .await;
}

/// The greatest number of connections to any of these databases, until the sender is dropped.
async fn most_connections(names: Vec<String>, mut until: oneshot::Receiver<()>) -> usize {
    const CONNECTED: &str = "SELECT CAST(datname AS TEXT) FROM pg_stat_activity \
         WHERE datname IS NOT NULL AND backend_type = 'client backend'";
    let mut connection = connect(&Backend::Postgres.server()).await;
    let mut most = 0;
    while until.try_recv() == Err(TryRecvError::Empty) {
        let connected: Vec<String> = sqlx::query_scalar(CONNECTED)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let own = connected.iter().filter(|name| names.contains(name));
        most = most.max(own.count());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    most
}

/// Many tenants on one server, never with more connections than they may have. One loses its
/// database.
async fn hundreds_of_tenants_are_served() {
    const CONNECTIONS: u32 = 20;
    let count = sized(24, 200);
    let databases = (0..count).map(|number| {
        let database = TestDatabase::new(Backend::Postgres);
        (format!("many-{number}"), database)
    });
    let mut tenants = Tenants::on(Backend::Postgres, databases, "", |config| {
        config.database.connections = CONNECTIONS;
        wait_long(config);
    })
    .await;
    let databases = tenants.databases.iter().map(|(_, database)| database);
    let names = databases.map(|database| database.access().database);
    let default = tenants.store.url().rsplit('/').next().unwrap().to_owned();
    let (served, until) = oneshot::channel();
    let counting = JoinSet::from_iter([most_connections(names.chain([default]).collect(), until)]);
    for round in ["First", "Second"] {
        let mut callers = JoinSet::new();
        for (name, _) in &tenants.databases {
            let request = tenants.to(name, put_type(round));
            callers.spawn(put(tenants.client(), request));
        }
        let done = tokio::time::timeout(PATIENCE * 5, callers.join_all()).await;
        assert!(done.is_ok(), "somebody waits for ever");
        let done = done.unwrap();
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }
    let (gone, database) = tenants.databases.pop().unwrap();
    drop(database);
    assert_ne!(code(&tenants, &gone, "Third").await, Code::Ok);
    for (name, _) in &tenants.databases {
        assert_eq!(code(&tenants, name, "Third").await, Code::Ok, "{name}");
    }
    drop(served);
    let most = counting.join_all().await[0];
    let range = 2..=CONNECTIONS as usize;
    assert!(range.contains(&most), "{most} connections");
}
