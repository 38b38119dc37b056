//! The call context: what every handler of every door receives.

use std::sync::{Arc, LazyLock};

use http::Extensions;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::error::Result;
use crate::graph::{Graph, Graphs};
use crate::model::{ANONYMOUS, Caller, Door};

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The graph that the caller may see.
    pub graph: Arc<Graph>,
    pub caller: Caller,
    /// When the client stops waiting, if ever.
    pub deadline: Option<Instant>,
    /// For the tasks that work on the response.
    pub tasks: TaskTracker,
}

/// What the layers around every handler find out about a request. They leave it in the request's
/// extensions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The authenticated identity, or [`ANONYMOUS`].
    pub principal: Arc<str>,
    /// The address of the connection, `HOST:PORT`.
    pub peer: Option<Arc<str>>,
    pub request_id: Arc<str>,
    /// When the client stops waiting, if ever.
    pub deadline: Option<Instant>,
}

static NO_PRINCIPAL: LazyLock<Arc<str>> = LazyLock::new(|| ANONYMOUS.into());
static NO_REQUEST_ID: LazyLock<Arc<str>> = LazyLock::new(|| "".into());

impl Default for RequestContext {
    /// The context of a request without layers.
    fn default() -> Self {
        Self {
            principal: NO_PRINCIPAL.clone(),
            peer: None,
            request_id: NO_REQUEST_ID.clone(),
            deadline: None,
        }
    }
}

/// Makes the [`Call`] of each request. Clones share the graph and the tasks.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    pub graphs: Graphs,
    /// The tasks of all requests, which a server waits for before it closes the database.
    pub tasks: TaskTracker,
}

impl Calls {
    /// The call of a request with these extensions.
    ///
    /// # Errors
    ///
    /// `Unavailable` until the database is ready.
    pub fn call(&self, door: Door, extensions: &Extensions) -> Result<Call> {
        let graph = Arc::clone(self.graphs.get()?);
        let context = extensions.get::<RequestContext>().cloned();
        let context = context.unwrap_or_default();
        Ok(Call {
            graph,
            caller: Caller {
                principal: context.principal,
                peer: context.peer,
                door,
                request_id: context.request_id,
            },
            deadline: context.deadline,
            tasks: self.tasks.clone(),
        })
    }
}
