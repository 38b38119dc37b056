//! How clients reach the server: listeners, TLS, limits, origins of web pages.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderValue;

use super::options::Options;
use super::tls::{Certificates, Pem};
use super::values::Bytes;

/// How clients reach the server.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where probes and metrics are served over HTTP.
    pub admin: Option<SocketAddr>,
    /// The certificates of the main port; without them it speaks plain text.
    pub tls: Option<Certificates>,
    /// The maximum size of a request message, in bytes.
    pub max_request: usize,
    /// The maximum size of a response message, in bytes.
    pub max_response: usize,
    /// The maximum number of requests in flight.
    pub max_requests: usize,
    /// The memory budget for unpaged list responses in flight, in bytes.
    pub list_buffer: usize,
    /// How long a client may leave a response unread that holds a database connection.
    pub slow_reader_timeout: Duration,
    pub connections: Connections,
    /// The origins whose pages may call; `*` allows all.
    pub web_origins: Vec<HeaderValue>,
}

/// Limits of client connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// The maximum size of a request's headers, in bytes.
    pub max_metadata: u32,
    /// The maximum number of connections.
    pub max: usize,
    /// The maximum number of connections from one address.
    pub max_per_address: usize,
    /// The maximum age; requests in flight at that time are completed.
    pub max_age: Option<Duration>,
    /// The maximum time without a request.
    pub max_idle: Duration,
    /// The time without traffic after which a ping is sent.
    pub keepalive: Duration,
    /// The time to answer the ping.
    pub keepalive_timeout: Duration,
}

impl Serving {
    /// The serving part of the options. `from_compat` are the certificates of ML Metadata's file.
    pub(super) fn new(options: &Options, from_compat: Option<Certificates>) -> Self {
        let bytes = |size: Option<Bytes>| size.map_or(usize::MAX, |size| size.0);
        let per_address = options.max_connections_per_address.map(|limit| limit.0);
        let admin = |port| SocketAddr::new(options.admin_host, port);
        Self {
            admin: options.admin_port.map(admin),
            tls: certificates(options).or(from_compat),
            max_request: options.max_request_bytes.0,
            max_response: bytes(options.max_response_bytes),
            max_requests: options.max_requests,
            list_buffer: options.list_buffer_bytes.0,
            slow_reader_timeout: options.slow_reader_timeout.0,
            connections: Connections {
                max_metadata: options
                    .max_metadata_bytes
                    .0
                    .0
                    .try_into()
                    .unwrap_or(u32::MAX),
                max: options.max_connections.0,
                max_per_address: per_address.unwrap_or(options.max_connections.0.div_ceil(2)),
                max_age: options.max_connection_age.map(|age| age.0),
                max_idle: options.max_connection_idle.0,
                keepalive: options.keepalive.0,
                keepalive_timeout: options.keepalive_timeout.0,
            },
            web_origins: options.web_origins.0.clone(),
        }
    }
}

fn certificates(options: &Options) -> Option<Certificates> {
    Some(Certificates {
        certificate: Pem::File(options.tls_cert.clone()?),
        key: Pem::File(options.tls_key.clone()?),
        client_ca: options.tls_client_ca.clone().map(Pem::File),
    })
}
