//! The configuration as a user may see it.

use std::fmt;
use std::time::Duration;

use toml::Value;

use super::tls::Pem;
use super::{Config, LogFormat};

impl fmt::Display for Config {
    /// Lines `key = value`, with the keys of the configuration file. What has no limit, or is not set, has no line. The address
    /// is without its login and its options, and no certificate or key is repeated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (database, migration, serving) = (&self.database, &self.migration, &self.serving);
        let (admin, tls) = (serving.admin.as_ref(), serving.tls.as_ref());
        let connections = &serving.connections;
        let origins = serving.web_origins.iter();
        let origins: Vec<&str> = origins.filter_map(|it| it.to_str().ok()).collect();
        let format = match self.log.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let client_ca = tls.and_then(|tls| tls.client_ca.as_ref());
        for (key, value) in [
            ("grpc_host", Some(text(&self.listen.ip()))),
            ("grpc_port", number(self.listen.port())),
            ("database_url", Some(text(&database.address))),
            ("database_connections", number(database.connections)),
            ("database_wait", Some(seconds(database.wait))),
            ("database_idle", Some(seconds(database.idle))),
            ("database_age", Some(seconds(database.age))),
            ("database_create", Some(database.create.into())),
            ("mysql_utf8mb4", Some(database.mysql_utf8mb4.into())),
            ("upgrade_schema", Some(migration.upgrade.into())),
            (
                "downgrade_schema_to",
                migration.downgrade_to.and_then(number),
            ),
            ("history", Some(seconds(self.history.changes))),
            ("record_memory", Some(seconds(self.history.messages))),
            ("record_batch", number(self.batches.most)),
            ("record_batch_age", Some(seconds(self.batches.age))),
            ("max_request_bytes", number(serving.max_request)),
            ("max_response_bytes", number(serving.max_response)),
            ("max_requests", number(serving.max_requests)),
            ("list_memory", number(serving.list_memory)),
            ("stream_patience", Some(seconds(serving.patience))),
            ("max_metadata_bytes", number(connections.max_metadata)),
            ("connection_age", connections.age.map(seconds)),
            ("connection_idle", connections.idle.map(seconds)),
            ("keepalive", Some(seconds(connections.keepalive))),
            (
                "keepalive_timeout",
                Some(seconds(connections.keepalive_timeout)),
            ),
            ("admin_host", admin.map(|it| text(&it.ip()))),
            ("admin_port", admin.and_then(|it| number(it.port()))),
            ("tls_cert", tls.map(|tls| pem(&tls.certificate))),
            ("tls_key", tls.map(|tls| pem(&tls.key))),
            ("tls_client_ca", client_ca.map(pem)),
            ("web_origins", Some(text(&origins.join(",")))),
            (
                "otlp_endpoint",
                self.otlp_endpoint.as_deref().and_then(origin),
            ),
            ("shutdown_grace", Some(seconds(self.grace))),
            ("log_format", Some(text(format))),
            ("log_level", Some(text(&self.log.level))),
        ] {
            if let Some(value) = value {
                writeln!(f, "{key} = {value}")?;
            }
        }
        Ok(())
    }
}

fn text(value: &(impl ToString + ?Sized)) -> Value {
    Value::String(value.to_string())
}

/// What TOML cannot count to is no limit.
fn number(value: impl TryInto<i64>) -> Option<Value> {
    value.try_into().ok().map(Value::Integer)
}

fn seconds(time: Duration) -> Value {
    Value::Float(time.as_secs_f64())
}

fn pem(pem: &Pem) -> Value {
    match pem {
        Pem::File(path) => text(&path.display()),
        Pem::Text(_) => text("(hidden)"),
    }
}

/// Where an endpoint is, without what may let one in.
fn origin(endpoint: &str) -> Option<Value> {
    let url = url::Url::parse(endpoint).ok()?;
    Some(text(&url.origin().ascii_serialization()))
}
