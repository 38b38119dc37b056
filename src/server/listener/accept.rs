//! The accept loop of a port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Tls;
use super::connection::{ConnectionServer, RequestService};
use super::slots::ConnectionSlots;
use crate::config::serving::Connections;

/// Pause after a connection could not be accepted, mostly for want of file descriptors or memory.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Serves the connections of a port until `stop` is cancelled, and returns when they have ended.
/// Dropping it closes them. A connection beyond the limits is closed at once.
///
/// # Errors
///
/// That after which the listener accepts no connection any more.
pub(in crate::server) async fn serve<S: RequestService>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: &Connections,
    service: S,
    stop: CancellationToken,
) -> io::Result<()> {
    let slots = ConnectionSlots::new(limits.max, limits.max_per_address);
    let connection_server = ConnectionServer::new(service, tls, limits, stop.clone());
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted?,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        match slots.take(peer.ip()) {
            Ok(slot) => {
                let serving = connection_server.clone().serve(stream, peer);
                connections.spawn(async move {
                    serving.await;
                    drop(slot);
                });
            }
            Err(limit) => {
                counter!("pedigree_connections_refused_total", "limit" => limit).increment(1);
                tracing::debug!(%peer, limit, "a connection was refused");
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Accepts a connection. Tries again after errors that pass.
async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
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
