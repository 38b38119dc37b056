//! One connection: TLS, HTTP/1.1 or HTTP/2, and the reasons to end it.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use metrics::counter;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::Tls;
use super::activity::{Activity, OpenRequest};
use crate::config::serving::Connections;
use crate::identity::{CredentialError, Principal, certificate};
use crate::server::memory::ConnectionMemory;

/// Flow-control window of a stream in bytes. The default of 64 KiB would interrupt large requests.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Flow-control window of a connection in bytes. The HTTP/2 library ends a connection whose small
/// frames wait unread, and allows for more of them in a larger window: a client that sends many
/// small messages at once keeps its connection.
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;

/// Number of open requests of an HTTP/2 connection. Clients queue further ones.
const MAX_STREAMS_PER_CONNECTION: u32 = 1024;

/// Number of cancelled calls of a connection that wait to be noticed. Beyond it, the whole
/// connection is closed. The default of 20 is less than clients cancel in a burst.
const MAX_PENDING_RESETS: usize = 1024;

/// Time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for the first request of a connection.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for the headers of an HTTP/1.1 request, from the end of the request before.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that a peer without requests has to acknowledge the end of the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The other end of a connection. Each request has it as an extension.
#[derive(Clone, Debug)]
pub(in crate::server) struct Peer {
    /// `HOST:PORT`.
    pub(in crate::server) address: Arc<str>,
    /// Whether it is another machine and the connection is in plain text.
    is_exposed: bool,
    /// The principal of the client's certificate.
    certificate: Option<Arc<Result<Principal, CredentialError>>>,
    activity: Arc<Activity>,
    memory: ConnectionMemory,
    streams: Arc<AtomicUsize>,
}

/// An open stream of a connection. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::server) struct OpenStream(Arc<AtomicUsize>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Peer {
    /// A connection in plain text.
    fn plain(address: SocketAddr) -> Self {
        Self {
            address: address.to_string().into(),
            is_exposed: !address.ip().to_canonical().is_loopback(),
            certificate: None,
            activity: Arc::new(Activity::new()),
            memory: ConnectionMemory::default(),
            streams: Arc::default(),
        }
    }

    /// An encrypted connection, on which the client has shown these certificates.
    fn encrypted(address: SocketAddr, certificates: Option<&[CertificateDer<'_>]>) -> Self {
        let certificate = certificates.and_then(<[_]>::first);
        let principal = certificate.map(|der| Arc::new(certificate::principal(der)));
        Self {
            is_exposed: false,
            certificate: principal,
            ..Self::plain(address)
        }
    }

    /// Whether others may read what the client sends.
    pub(in crate::server) const fn is_exposed(&self) -> bool {
        self.is_exposed
    }

    /// The principal of the client's certificate, if it has shown one.
    pub(in crate::server) fn certificate(&self) -> Option<&Result<Principal, CredentialError>> {
        self.certificate.as_deref()
    }

    /// Marks the connection as used until the result is dropped.
    pub(in crate::server) fn open_request(&self) -> OpenRequest {
        self.activity.clone().open()
    }

    /// The memory of the connection's requests.
    pub(in crate::server) fn memory(&self) -> ConnectionMemory {
        self.memory.clone()
    }

    /// Opens a stream, unless the connection has `max` of them.
    pub(in crate::server) fn open_stream(&self, max: usize) -> Option<OpenStream> {
        let more = |open: usize| (open < max).then_some(open + 1);
        let opened = self
            .streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        opened.ok().map(|_| OpenStream(self.streams.clone()))
    }
}

/// What serves the requests of a connection.
pub(in crate::server) trait RequestService:
    Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> RequestService for S where
    S: Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves the connections of a listener. Clones share everything.
#[derive(Clone)]
pub(super) struct ConnectionServer<S> {
    service: S,
    tls: Option<Arc<Tls>>,
    http: Builder<TokioExecutor>,
    max_age: Option<Duration>,
    max_idle: Duration,
    max_unread: Duration,
    stop: CancellationToken,
}

impl<S: RequestService> ConnectionServer<S> {
    pub(super) fn new(
        service: S,
        tls: Option<Arc<Tls>>,
        limits: &Connections,
        stop: CancellationToken,
    ) -> Self {
        Self {
            service,
            tls,
            http: http(limits),
            max_age: limits.max_age,
            max_idle: limits.max_idle,
            max_unread: limits.max_unread,
            stop,
        }
    }

    /// Serves a connection to its end. Once the listener stops, it ends with the last of its
    /// requests.
    pub(super) async fn serve(self, stream: TcpStream, address: SocketAddr) {
        let served = match self.tls.clone() {
            // Without Nagle's algorithm, which would delay small frames.
            _ if stream.set_nodelay(true).is_err() => return,
            None => self.serve_http(stream, Peer::plain(address)).await,
            Some(tls) => {
                let handshake = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
                match self.stop.run_until_cancelled(handshake).await {
                    None => Ok(()),
                    Some(Ok(Ok(stream))) => {
                        let certificates = stream.get_ref().1.peer_certificates();
                        let peer = Peer::encrypted(address, certificates);
                        self.serve_http(stream, peer).await
                    }
                    Some(Ok(Err(error))) => Err(error.into()),
                    Some(Err(late)) => Err(late.into()),
                }
            }
        };
        if let Err(error) = served {
            counter!("pedigree_connections_failed_total").increment(1);
            tracing::debug!(peer = %address, error, "a connection failed");
        }
    }

    async fn serve_http(
        &self,
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: Peer,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let activity = peer.activity.clone();
        let service = self.service.clone();
        let service = service.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request
        });
        let connection = self
            .http
            .serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        let serving = async {
            tokio::select! {
                served = connection.as_mut() => return served,
                () = activity.idle(FIRST_REQUEST_TIMEOUT, self.max_idle) => {}
                () = self.is_old() => {}
                () = self.stop.cancelled() => {}
            }
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection => served,
                () = activity.idle(CLOSE_TIMEOUT, CLOSE_TIMEOUT) => Ok(()),
            }
        };
        tokio::select! {
            served = serving => served,
            () = activity.unread(self.max_unread) => Err("a response was not read".into()),
        }
    }

    async fn is_old(&self) {
        match self.max_age {
            Some(age) => sleep(age).await,
            None => pending().await,
        }
    }
}

/// HTTP/1.1 and HTTP/2 with these limits of each connection.
fn http(limits: &Connections) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT);
    http.http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_header_list_size(limits.max_metadata)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout);
    http
}
