//! The connections of the main port.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::transport::server::Connected;

use super::Tls;
use super::idle::{Activity, IdleTimeout, OpenRequest};
use crate::error::{Error, Result};

/// Time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after a connection could not be accepted, mostly for want of file descriptors or memory.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Accepts a connection. Tries again after errors that pass.
///
/// # Errors
///
/// Those after which the listener accepts no connection any more.
pub(in crate::server) async fn accept(
    listener: &TcpListener,
) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Err(error) if !is_permanent(&error) => sleep(ACCEPT_RETRY_INTERVAL).await,
            accepted => return accepted,
        }
    }
}

fn is_permanent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Accepts connections until their receiver is dropped. A handshake does not delay other
/// connections. A connection without requests ends after `idle_timeout`.
///
/// # Errors
///
/// `Internal` when the listener fails.
pub(in crate::server) async fn accept_all(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    idle_timeout: Option<Duration>,
    connections: Sender<io::Result<Connection>>,
) -> Result<()> {
    let mut handshakes = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            Some(_) = handshakes.join_next() => continue,
            () = connections.closed() => return Ok(()),
        };
        let (stream, peer) = accepted.map_err(|error| Error::Internal {
            context: "the listener failed".into(),
            source: Some(error.into()),
        })?;
        let (tls, connections) = (tls.clone(), connections.clone());
        handshakes.spawn(async move {
            match open(stream, tls.as_deref()).await {
                Ok(io) => {
                    let connection = Connection::new(io, peer, idle_timeout);
                    // The receiver is dropped when the server stops.
                    let _ = connections.send(Ok(connection)).await;
                }
                Err(error) => tracing::debug!(%peer, %error, "a connection failed"),
            }
        });
    }
}

async fn open(stream: TcpStream, tls: Option<&Tls>) -> io::Result<Box<dyn Io>> {
    stream.set_nodelay(true)?;
    Ok(match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await??),
    })
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection.
pub(in crate::server) struct Connection {
    io: Box<dyn Io>,
    peer: Peer,
    idle_timeout: Option<IdleTimeout>,
}

/// The other end of a connection. Each request has it as an extension.
#[derive(Clone, Debug)]
pub(in crate::server) struct Peer {
    /// `HOST:PORT`.
    pub(in crate::server) address: Arc<str>,
    activity: Arc<Activity>,
}

impl Peer {
    /// Marks the connection as used until the result is dropped.
    pub(in crate::server) fn open_request(&self) -> OpenRequest {
        self.activity.clone().open()
    }
}

impl Connection {
    fn new(io: Box<dyn Io>, address: SocketAddr, idle_timeout: Option<Duration>) -> Self {
        Self {
            io,
            peer: Peer {
                address: address.to_string().into(),
                activity: Arc::new(Activity::new()),
            },
            idle_timeout: idle_timeout.map(IdleTimeout::new),
        }
    }

    fn poll_idle_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.idle_timeout {
            Some(timeout) => timeout.poll(&self.peer.activity, context),
            None => Poll::Pending,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    /// The idle timeout ends a connection as if the peer had closed it.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        self.poll_idle_timeout(context).map(Ok)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
