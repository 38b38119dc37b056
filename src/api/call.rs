//! The call context: what every handler of every door receives.

use std::sync::Arc;

use http::Extensions;
use tokio::time::Instant;

use crate::error::Result;
use crate::graph::{Graph, Graphs};
use crate::model::{ANONYMOUS, Caller, Door};

/// One request: the graph that its caller may see, the caller, and the deadline.
#[derive(Clone, Debug)]
pub struct Call {
    pub graph: Graph,
    pub caller: Caller,
    /// When the client stops waiting, if ever.
    pub deadline: Option<Instant>,
}

/// What the layers around every handler found out about a request. They leave it in the
/// request's extensions.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub principal: Arc<str>,
    /// The address of the connection, `HOST:PORT`.
    pub peer: Option<Arc<str>>,
    pub request_id: Arc<str>,
    pub deadline: Option<Instant>,
}

impl Default for RequestContext {
    fn default() -> Self {
        Self {
            principal: ANONYMOUS.into(),
            peer: None,
            request_id: "".into(),
            deadline: None,
        }
    }
}

impl Call {
    /// The call of a request with these extensions.
    ///
    /// # Errors
    ///
    /// `Unavailable` until the database is ready.
    pub fn new(graphs: &Graphs, door: Door, extensions: &Extensions) -> Result<Self> {
        let graph = graphs.get()?.clone();
        let context = extensions.get::<RequestContext>().cloned();
        let context = context.unwrap_or_default();
        Ok(Self {
            graph,
            caller: Caller {
                principal: context.principal,
                peer: context.peer,
                door,
                request_id: context.request_id,
            },
            deadline: context.deadline,
        })
    }
}
