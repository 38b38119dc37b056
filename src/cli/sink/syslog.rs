//! A syslog server, over TLS (RFC 5425) or TCP (RFC 6587).
//!
//! Syslog has no acknowledgement. Each page of records therefore has a connection of its own: the
//! server has read all of it when it closes the connection after the end of ours.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{SEND_TIMEOUT, cef, failure};
use crate::certificates::{Authorities, public_authorities};
use crate::cli::Failure;
use crate::proto::pedigree::audit::v1::AuditRecord;

/// The ports of syslog over TLS and over TCP.
const TLS_PORT: u16 = 6514;
const TCP_PORT: u16 = 601;

/// A server.
pub(in crate::cli) struct SyslogSink {
    host: String,
    port: u16,
    /// With the name that the server's certificate has to have.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl SyslogSink {
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let refused = |problem: &str| Failure(format!("cannot use --syslog: {problem}"));
        let parsed = Url::parse(url).map_err(|error| refused(&error.to_string()))?;
        let host = parsed.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused("it has no host"))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let is_encrypted = match parsed.scheme() {
            "tls" => true,
            "tcp" => false,
            _ => return Err(refused("it is neither tls:// nor tcp://")),
        };
        let tls = if is_encrypted {
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|error| refused(&error.to_string()))?;
            Some((connector(ca)?, name))
        } else {
            None
        };
        let default_port = if is_encrypted { TLS_PORT } else { TCP_PORT };
        Ok(Self {
            host,
            port: parsed.port().unwrap_or(default_port),
            tls,
        })
    }

    pub(super) async fn send(&self, records: &[AuditRecord]) -> Result<(), Failure> {
        let mut text = String::new();
        for record in records {
            let message = cef::message(record);
            text.push_str(&message.len().to_string());
            text.push(' ');
            text.push_str(&message);
        }
        let sent = timeout(SEND_TIMEOUT, self.deliver(text.as_bytes())).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|error| {
            let (host, port) = (&self.host, self.port);
            Failure(format!("syslog server {host}:{port}: {error}"))
        })
    }

    async fn deliver(&self, bytes: &[u8]) -> io::Result<()> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            None => write(stream, bytes).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                write(stream, bytes).await
            }
        }
    }
}

/// Writes all, and waits until the server has closed the connection.
async fn write(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut answer = [0; 1024];
    loop {
        match stream.read(&mut answer).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Without the notice of TLS, but not before the end of what was sent.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, Failure> {
    let roots = match ca {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| failure(path, &error))?;
            Authorities::of(&pem).store()
        }
        None => public_authorities(),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
