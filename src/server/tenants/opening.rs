//! How the database of a tenant is opened.

use std::num::NonZeroU32;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::api::call::TenantGraph;
use crate::config::Config;
use crate::error::{Error, Result, StartError};
use crate::graph::{Clock, Graph, Graphs, Retention};
use crate::policy::TenantName;
use crate::security::TenantRules;
use crate::server::lifecycle;
use crate::storage::Database;
use crate::storage::connect::{Address, Connect};
use crate::storage::migrate::Migration;

/// The length of a page mark in bytes of the digest.
const PAGE_MARK_BYTES: usize = 8;

/// What the databases of all tenants have in common.
#[derive(Clone)]
pub(super) struct OpeningSettings {
    /// The limits of the default database, and its address.
    pub(super) database: Connect,
    pub(super) migration: Migration,
    pub(super) history: Retention,
    pub(super) clock: Clock,
    /// The graph of the default tenant.
    pub(super) default: Graphs,
}

/// A tenant whose database is open.
pub(super) struct OpenTenant {
    pub(super) graph: TenantGraph,
    pub(super) database: Database,
    pub(super) store_id: String,
    /// The URL by which it was opened.
    url: SecretString,
}

impl OpenTenant {
    /// Whether it was opened by the URL of these rules. A file that cannot be read now says nothing
    /// else.
    pub(super) fn has_url_of(&self, rules: &TenantRules) -> bool {
        let url = rules.database.read();
        url.map_or(true, |url| url.expose_secret() == self.url.expose_secret())
    }
}

/// What to connect to for a tenant of this name: the limits of the default database, with another
/// address.
///
/// # Errors
///
/// `FailedPrecondition` if the address cannot be used.
fn connect(
    name: &TenantName,
    rules: &TenantRules,
    url: &SecretString,
    default: &Connect,
) -> Result<Connect> {
    let address: Result<Address, _> = url.expose_secret().parse();
    // The error may quote what is around a password.
    let unusable = |_| Error::FailedPrecondition("the URL of its database cannot be used".into());
    let connections = rules
        .connections
        .map_or_else(|| default.connections.div_ceil(2), NonZeroU32::get);
    Ok(Connect {
        address: address.map_err(unusable)?,
        connections: connections.min(default.connections),
        tenant: Some(name.as_str().into()),
        ..default.clone()
    })
}

/// What to connect to for a tenant of a security file.
///
/// # Errors
///
/// If its URL cannot be read or used.
pub fn tenant_database(
    config: &Config,
    name: &TenantName,
    rules: &TenantRules,
) -> Result<Connect, StartError> {
    let url = rules.database.read().map_err(StartError::Security)?;
    let to = connect(name, rules, &url, &config.database);
    to.map_err(|error| StartError::Security(format!("tenant {name}: {error}")))
}

/// Opens the database of a tenant, whose schema is created if there is none.
pub(super) async fn open(
    name: &TenantName,
    rules: &TenantRules,
    settings: &OpeningSettings,
) -> Result<OpenTenant> {
    let url = rules.database.read().map_err(|problem| {
        let tenant = name.as_str();
        tracing::warn!(tenant, problem, "the URL of a tenant is missing");
        Error::Unavailable("the URL of its database cannot be read".into())
    })?;
    let to = connect(name, rules, &url, &settings.database)?;
    let database = lifecycle::open_database(&to, &settings.migration, settings.history).await?;
    let graph = Graph::new(database.clone(), settings.history, settings.clock.clone());
    let store_id = match check_store(&graph, &settings.default).await {
        Ok(store_id) => store_id,
        Err(error) => {
            graph.close().await;
            return Err(error);
        }
    };
    Ok(OpenTenant {
        graph: TenantGraph {
            graph: Arc::new(graph),
            page_mark: page_mark(&store_id),
        },
        database,
        store_id,
        url,
    })
}

/// The id of a graph's database, which is not that of the default tenant.
async fn check_store(graph: &Graph, default: &Graphs) -> Result<String> {
    let store_id = graph.store_id().await?;
    if let Ok(default) = default.get()
        && default.store_id().await.is_ok_and(|id| id == store_id)
    {
        let text = "its database is that of the tenant default";
        return Err(Error::FailedPrecondition(text.into()));
    }
    Ok(store_id)
}

/// What the page tokens of a database end with.
fn page_mark(store_id: &str) -> Arc<str> {
    let digest = digest(&SHA256, store_id.as_bytes());
    hex::encode(&digest.as_ref()[..PAGE_MARK_BYTES]).into()
}
