//! Both ports: the accept loop, TLS where it is configured, HTTP, and the end of connections.

mod accept;
mod activity;
mod connection;
mod slots;
mod tls;

pub(super) use accept::serve;
pub(super) use activity::OpenRequest;
pub(super) use connection::{OpenStream, Peer};
pub(super) use tls::{ClientAuth, Tls};
