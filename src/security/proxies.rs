//! The entries `[[proxy]]` of a security file.

use http::HeaderName;
use serde::Deserialize;

use super::format::SourceName;
use crate::identity::certificate::SUBJECT_ORIGINS;
use crate::identity::proxy::{HeaderFormat, ProxyRules};
use crate::policy::{TENANT_HEADER, WORKSPACE_HEADER};

/// Headers that mean something else.
const RESERVED_HEADERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "origin",
    "te",
    "traceparent",
    "transfer-encoding",
    TENANT_HEADER,
    WORKSPACE_HEADER,
    "x-request-id",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyEntry {
    name: SourceName,
    peers: Vec<String>,
    header: String,
    #[serde(default)]
    format: HeaderFormat,
    groups_header: Option<String>,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    strict: bool,
}

impl ProxyEntry {
    /// The proxy, beside those before it.
    ///
    /// # Errors
    ///
    /// If another proxy has its name, or a peer and the header of it, or if a peer or the header
    /// cannot be used.
    pub(super) fn check(self, before: &[ProxyRules]) -> Result<ProxyRules, &'static str> {
        let is_certificate = |peer: &String| {
            let mut origins = SUBJECT_ORIGINS.iter();
            let name = origins.find_map(|origin| peer.strip_prefix(origin));
            name.is_some_and(|name| !name.is_empty() && !name.contains('*'))
        };
        if self.peers.is_empty() || !self.peers.iter().all(is_certificate) {
            return Err("the peers of a proxy are whole subjects of client certificates");
        }
        let header = usable(&self.header)?;
        let groups_header = self.groups_header.as_deref().map(usable).transpose()?;
        if groups_header.as_ref() == Some(&header) {
            return Err("a header names the user or the groups");
        }
        if self.format == HeaderFormat::Xfcc && !self.prefix.is_empty() {
            return Err("prefix and the format xfcc exclude each other");
        }
        for other in before {
            if other.name == self.name.0 {
                return Err("another proxy has this name");
            }
            let is_user = groups_header.as_ref() == Some(&other.header);
            if is_user || other.groups_header.as_ref() == Some(&header) {
                return Err("another proxy names groups by the header of users, or the reverse");
            }
            let has_peer = self.peers.iter().any(|peer| other.peers.contains(peer));
            if other.header == header && has_peer {
                return Err("another proxy has this header and a peer of this one");
            }
        }
        Ok(ProxyRules {
            name: self.name.0,
            peers: self.peers,
            header,
            format: self.format,
            groups_header,
            prefix: self.prefix,
            is_strict: self.strict,
        })
    }
}

/// A header that has no other meaning.
fn usable(name: &str) -> Result<HeaderName, &'static str> {
    let header: HeaderName = name
        .parse()
        .map_err(|_| "the header of a proxy is no name of a header")?;
    let name = header.as_str();
    if RESERVED_HEADERS.contains(&name) || name.starts_with("grpc-") {
        return Err("the header of a proxy has another meaning");
    }
    Ok(header)
}
