//! How clients reach the server: listeners, TLS, limits, origins of web pages.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

use super::options::Options;
use super::resources;
use super::tls::{Certificates, Pem};
use super::values::{Bytes, HostNames};
use crate::blobs::BlobPlace;

/// How clients reach the server.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where probes and metrics are served over HTTP.
    pub admin: Option<SocketAddr>,
    /// The certificates of the main port; without them it speaks plain text.
    pub tls: Option<Certificates>,
    /// The security file; without it everybody may call.
    pub security: Option<PathBuf>,
    /// The maximum size of a request message, in bytes.
    pub max_request: usize,
    /// The maximum size of a response message, in bytes.
    pub max_response: usize,
    /// The memory budget for requests in flight, in bytes.
    pub request_memory: usize,
    /// How long a request may send nothing before its end.
    pub body_timeout: Duration,
    /// The maximum number of requests in flight.
    pub max_requests: usize,
    /// The maximum number of streams in flight.
    pub max_streams: usize,
    /// How long a request waits for the database to be opened.
    pub startup_wait: Duration,
    /// The memory budget for unpaged list responses in flight, in bytes.
    pub list_buffer: usize,
    /// How long a client may leave a response unread that holds a database connection.
    pub slow_reader_timeout: Duration,
    pub connections: Connections,
    /// The number of connections that was asked for. `ulimit -n` lowers the maximum.
    pub requested_connections: usize,
    /// The hosts by which the main port is reached.
    pub hosts: Hosts,
    /// The hosts by which the admin port is reached.
    pub admin_hosts: Hosts,
    /// The origins whose pages may call; `*` allows all.
    pub web_origins: Vec<HeaderValue>,
    /// Whether secrets in facets of `OpenLineage` are stored.
    pub keeps_facet_secrets: bool,
    /// Where uploaded files are.
    pub artifact_store: BlobPlace,
    /// The maximum size of an uploaded file, in bytes.
    pub max_artifact: u64,
    /// The web pages; `None` for none.
    pub ui: Option<WebPages>,
}

/// How web pages are served.
#[derive(Clone, Debug)]
pub struct WebPages {
    /// What the paths of their links begin with: empty, or `/PATH`.
    pub prefix: String,
    /// The maximum time that a page may take.
    pub deadline: Duration,
}

/// The hosts by which a port may be reached. A browser sends another one after DNS rebinding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Names and addresses in lower case, as in URLs; `None` allows all.
    names: Option<Vec<String>>,
    /// Whether every address is allowed, as probes use the one of the machine. DNS has no part in
    /// these.
    with_addresses: bool,
}

impl Hosts {
    /// The given hosts; without them all, or on a loopback address those of the machine itself.
    fn new(given: Option<&HostNames>, listen: IpAddr) -> Self {
        let names = match given {
            Some(given) if given.0.iter().any(|host| host == "*") => None,
            Some(given) => Some(given.0.clone()),
            None if listen.is_loopback() => {
                let hosts = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
                Some([&hosts[..], &[url_host(listen)]].concat())
            }
            None => None,
        };
        Self {
            names,
            with_addresses: !listen.is_loopback(),
        }
    }

    /// Whether requests for a host are served, which is without its port and as in URLs.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_address = || {
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            bare.unwrap_or(host).parse::<IpAddr>().is_ok()
        };
        names.iter().any(|name| name.eq_ignore_ascii_case(host))
            || self.with_addresses && is_address()
    }
}

fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
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
    /// How long a response that is no stream of messages may wait for its reader.
    pub max_unread: Duration,
    /// The time without traffic after which a ping is sent.
    pub keepalive: Duration,
    /// The time to answer the ping.
    pub keepalive_timeout: Duration,
}

impl Serving {
    /// The serving part of the options. `from_compat` are the certificates of ML Metadata's file.
    pub(super) fn new(options: &Options, from_compat: Option<Certificates>) -> Self {
        let bytes = |size: Option<Bytes>| size.map_or(usize::MAX, |size| size.0);
        let request_memory = options.request_memory.map(|size| size.0.0);
        // A connection takes a file descriptor. The database and the admin port need some too.
        let open_files = resources::open_files().unwrap_or(usize::MAX);
        let requested_connections = options.max_connections.0;
        let max_connections = requested_connections.min(open_files - open_files / 4);
        let per_address = options.max_connections_per_address.map(|limit| limit.0);
        let admin = |port| SocketAddr::new(options.admin_host, port);
        Self {
            admin: options.admin_port.map(admin),
            tls: certificates(options).or(from_compat),
            security: options.security.clone(),
            max_request: options.max_request_bytes.0,
            max_response: bytes(options.max_response_bytes),
            request_memory: request_memory.unwrap_or_else(|| resources::memory_bytes() / 2),
            body_timeout: options.request_body_timeout.0,
            max_requests: options.max_requests,
            max_streams: options.max_streams,
            startup_wait: options.startup_wait,
            list_buffer: options.list_buffer_bytes.0,
            slow_reader_timeout: options.slow_reader_timeout.0,
            requested_connections,
            connections: Connections {
                max_metadata: options
                    .max_metadata_bytes
                    .0
                    .0
                    .try_into()
                    .unwrap_or(u32::MAX),
                max: max_connections,
                max_per_address: per_address.unwrap_or(max_connections.div_ceil(2)),
                max_age: options.max_connection_age.map(|age| age.0),
                max_idle: options.max_connection_idle.0,
                max_unread: options.request_body_timeout.0 + options.slow_reader_timeout.0,
                keepalive: options.keepalive.0,
                keepalive_timeout: options.keepalive_timeout.0,
            },
            hosts: Hosts::new(options.hosts.as_ref(), options.grpc_host),
            admin_hosts: Hosts::new(options.hosts.as_ref(), options.admin_host),
            web_origins: options.web_origins.0.clone(),
            keeps_facet_secrets: options.keep_facet_secrets,
            artifact_store: options.artifact_store.clone(),
            max_artifact: options.max_artifact_bytes.0.try_into().unwrap_or(u64::MAX),
            ui: options.ui.0.then(|| WebPages {
                prefix: options.web_prefix.0.clone(),
                deadline: options.ui_deadline.0,
            }),
        }
    }
}

fn certificates(options: &Options) -> Option<Certificates> {
    Some(Certificates {
        certificate: Pem::File(options.tls_cert.clone()?),
        key: Pem::File(options.tls_key.clone()?),
        client_ca: options.tls_client_ca.clone().map(Pem::File),
        client_crl: options.tls_client_crl.clone().map(Pem::File),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::OptionValue;

    fn hosts(given: Option<&str>, listen: &str) -> Hosts {
        let given = given.map(|text| HostNames::parse(text).unwrap());
        Hosts::new(given.as_ref(), listen.parse().unwrap())
    }

    #[test]
    fn a_loopback_address_is_reached_by_its_names_only() {
        let local = hosts(None, "127.0.0.2");
        for host in ["localhost", "LOCALHOST.", "127.0.0.1", "127.0.0.2", "[::1]"] {
            assert!(local.allow(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", ""] {
            assert!(!local.allow(host), "{host}");
        }
        let named = hosts(Some("ui.example, ::1"), "::1");
        assert!(named.allow("UI.example") && named.allow("[::1]"));
        assert!(!named.allow("localhost"));
        assert!(hosts(Some("a.example,*"), "::1").allow("evil.example"));
    }

    #[test]
    fn other_addresses_are_open_unless_hosts_are_given() {
        assert!(hosts(None, "0.0.0.0").allow("any.example"));
        let named = hosts(Some("ui.example"), "0.0.0.0");
        for host in ["ui.example", "10.0.0.7", "[fd00::7]"] {
            assert!(named.allow(host), "{host}");
        }
        assert!(!named.allow("evil.example"));
        for wrong in ["a.example:80", "http://a.example", "a b"] {
            assert!(HostNames::parse(wrong).is_err(), "{wrong}");
        }
    }
}
