//! The main listener: TCP, TLS where it is configured, and the end of idle connections.

mod idle;
mod tcp;
mod tls;

pub(super) use tcp::{Peer, accept, accept_all};
pub(super) use tls::Tls;
