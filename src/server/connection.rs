//! Connections as they come in: TCP, TLS where it is asked for, closed when they have been idle for too long.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::tls::Tls;

/// How long a client may take for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The pause after the system had no more room for a connection.
const NO_ROOM: Duration = Duration::from_millis(50);

/// Accepts connections until the stream is dropped, which closes the listener. Handshakes do not hold up other connections.
/// One that has had no request for `idle` is closed.
pub(super) fn incoming(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    idle: Option<Duration>,
) -> impl Stream<Item = io::Result<Connection>> {
    let (sender, connections) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let Ok((stream, peer)) = accepted else {
                sleep(NO_ROOM).await;
                continue;
            };
            let (sender, tls) = (sender.clone(), tls.clone());
            tokio::spawn(async move {
                match open(stream, tls.as_deref()).await {
                    // Nobody receives any more when the server stops.
                    Ok(io) => drop(sender.send(Ok(Connection::new(io, peer, idle))).await),
                    Err(error) => tracing::debug!(%peer, %error, "a connection failed"),
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

async fn open(stream: TcpStream, tls: Option<&Tls>) -> io::Result<Box<dyn Io>> {
    stream.set_nodelay(true)?;
    Ok(match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??),
    })
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open connection.
pub(super) struct Connection {
    io: Box<dyn Io>,
    peer: Peer,
    idle: Option<Idle>,
}

/// Who is at the other end, and what it is doing. Requests carry it as an extension.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) activity: Arc<Activity>,
}

/// The requests under way on a connection. Bytes do not tell: the keepalive's questions are answered on an idle connection too.
#[derive(Debug)]
pub(super) struct Activity(Mutex<Requests>);

#[derive(Debug)]
struct Requests {
    under_way: usize,
    /// When the last of them ended, or the connection began.
    last: Instant,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(Requests {
            under_way: 0,
            last: Instant::now(),
        }))
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.change(|requests| requests.under_way += 1);
    }

    /// A request has ended.
    pub(super) fn end(&self) {
        self.change(|requests| {
            requests.under_way -= 1;
            requests.last = Instant::now();
        });
    }

    /// Since when there has been no request; none while there is one.
    fn idle_since(&self) -> Option<Instant> {
        self.change(|requests| (requests.under_way == 0).then_some(requests.last))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Requests) -> T) -> T {
        // Nothing in here panics half-way.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The end of a connection without requests.
struct Idle {
    limit: Duration,
    end: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(io: Box<dyn Io>, address: SocketAddr, idle: Option<Duration>) -> Self {
        Self {
            io,
            peer: Peer {
                address,
                activity: Arc::new(Activity::new()),
            },
            idle: idle.map(|limit| Idle {
                limit,
                end: Box::pin(sleep(limit)),
            }),
        }
    }

    /// Whether the connection has been idle for too long. Otherwise the task is woken when it may be.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let Some(idle) = &mut self.idle else {
            return false;
        };
        while idle.end.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let end = self.peer.activity.idle_since().unwrap_or(now) + idle.limit;
            if end <= now {
                return true;
            }
            idle.end.as_mut().reset(end);
        }
        false
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    /// An idle connection ends as if the peer had closed it.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        if self.is_over(context) {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
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
