//! How clients reach the server: ports beside the main one, TLS, limits of requests and connections, pages of browsers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::HeaderValue;

use super::settings::{Seconds, Settings};
use super::tls::{Certificates, Pem};

/// The usual of [`Serving::patience`], and the most: PostgreSQL ends a transaction in which nothing happens for a minute.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_PATIENCE: Duration = Duration::from_secs(50);

/// How clients reach the server, checked.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where probes and metrics are served over HTTP.
    pub admin: Option<SocketAddr>,
    /// The certificates of the main port, which without them speaks plain text.
    pub tls: Option<Certificates>,
    /// The largest request, in bytes.
    pub max_request: usize,
    /// The largest answer, in bytes.
    pub max_response: usize,
    /// The most requests at once.
    pub max_requests: usize,
    /// How much memory long lists on the way to their clients take together, in bytes.
    pub list_memory: usize,
    /// How long a client may leave an answer unread that holds a connection to the database.
    pub patience: Duration,
    pub connections: Connections,
    /// The origins whose pages browsers let call; `*` stands for all.
    pub web_origins: Vec<HeaderValue>,
}

/// Limits of each connection.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// The largest headers of a request, in bytes.
    pub max_metadata: u32,
    /// How long a connection may live; requests under way then are finished.
    pub age: Option<Duration>,
    /// How long it may be without a request.
    pub idle: Option<Duration>,
    /// After what time without a word the peer is asked whether it is there.
    pub keepalive: Duration,
    /// How long it may take to answer that.
    pub keepalive_timeout: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max_metadata: 16 << 10,
            age: None,
            idle: None,
            keepalive: Duration::from_mins(1),
            keepalive_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            admin: None,
            tls: None,
            max_request: 128 << 20,
            max_response: usize::MAX,
            max_requests: 1024,
            list_memory: 64 << 20,
            patience: PATIENCE,
            connections: Connections::default(),
            web_origins: Vec::new(),
        }
    }
}

impl Settings {
    /// How clients reach the server, with the certificates that upstream's file holds. What makes no sense goes to `wrong`.
    pub(super) fn serving(
        &self,
        from_file: Option<Certificates>,
        wrong: &mut Vec<String>,
    ) -> Serving {
        let usual = Serving::default();
        let certificates = self.certificates(wrong);
        if certificates.is_some() && from_file.is_some() {
            wrong.push("tls-cert and ssl_config both give a certificate".to_owned());
        }
        if self
            .stream_patience
            .is_some_and(|time| time.0 > MOST_PATIENCE)
        {
            wrong.push("stream-patience must be at most 50".to_owned());
        }
        let admin_host = self.admin_host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Serving {
            admin: self
                .admin_port
                .map(|port| SocketAddr::new(admin_host, port)),
            tls: certificates.or(from_file),
            max_request: self.max_request_bytes.unwrap_or(usual.max_request),
            max_response: self.max_response_bytes.unwrap_or(usual.max_response),
            max_requests: self.max_requests.unwrap_or(usual.max_requests),
            list_memory: self.list_memory.unwrap_or(usual.list_memory),
            patience: self.stream_patience.map_or(usual.patience, |time| time.0),
            connections: self.connections(wrong),
            web_origins: self.origins(wrong),
        }
    }

    fn connections(&self, wrong: &mut Vec<String>) -> Connections {
        let usual = Connections::default();
        for (name, is_zero) in [
            ("max-metadata-bytes", self.max_metadata_bytes == Some(0)),
            ("connection-age", is_zero(self.connection_age)),
            ("connection-idle", is_zero(self.connection_idle)),
            ("keepalive", is_zero(self.keepalive)),
            ("keepalive-timeout", is_zero(self.keepalive_timeout)),
        ] {
            if is_zero {
                wrong.push(format!("{name} must be more than 0"));
            }
        }
        Connections {
            max_metadata: self.max_metadata_bytes.unwrap_or(usual.max_metadata),
            age: self.connection_age.map(|age| age.0),
            idle: self.connection_idle.map(|idle| idle.0),
            keepalive: self.keepalive.map_or(usual.keepalive, |time| time.0),
            keepalive_timeout: self
                .keepalive_timeout
                .map_or(usual.keepalive_timeout, |time| time.0),
        }
    }

    fn certificates(&self, wrong: &mut Vec<String>) -> Option<Certificates> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Certificates {
                certificate: Pem::File(certificate.clone()),
                key: Pem::File(key.clone()),
                client_ca: self.tls_client_ca.clone().map(Pem::File),
            }),
            (None, None) if self.tls_client_ca.is_none() => None,
            _ => {
                wrong.push("tls-cert and tls-key go together, and tls-client-ca with them".into());
                None
            }
        }
    }

    fn origins(&self, wrong: &mut Vec<String>) -> Vec<HeaderValue> {
        let given = self.web_origins.as_deref().unwrap_or_default();
        let origins = given.split(',').map(str::trim);
        let origins = origins.filter(|origin| !origin.is_empty());
        let mut parsed = Vec::new();
        for origin in origins {
            match origin.parse() {
                Ok(origin) => parsed.push(origin),
                Err(_) => wrong.push(format!("web-origins: `{origin}` is no origin")),
            }
        }
        parsed
    }
}

fn is_zero(time: Option<Seconds>) -> bool {
    time.is_some_and(|time| time.0.is_zero())
}
