//! The layers around every request: one file and one job each, for every protocol.
//!
//! `router.rs` has them in their order. What depends on the protocol is in `classify.rs`.

pub(super) mod access;
pub(super) mod activity;
pub(super) mod arrival;
pub(super) mod authenticate;
pub(super) mod authorize;
mod body;
pub(super) mod budget;
pub(super) mod classify;
pub(super) mod content_type;
pub(super) mod context;
pub(super) mod cors;
pub(super) mod cross_site;
pub(super) mod deadline;
pub(super) mod expiry;
pub(super) mod limit;
mod messages;
pub(super) mod observe;
pub(super) mod panic;
pub(super) mod request_id;
pub(super) mod tenant;
mod upload;
