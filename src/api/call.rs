//! The call context: what every handler of every door receives.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::graph::{Graph, Graphs, MissingTypeRight, no_right};
use crate::model::{ANONYMOUS, Access, Caller, Door};
use crate::policy::TenantName;

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The graph of the tenant that the request is for.
    pub graph: Arc<Graph>,
    /// The name of that tenant.
    pub tenant: TenantName,
    /// What page tokens of the graph end with, where it is not that of the default tenant.
    pub page_mark: Option<Arc<str>>,
    pub caller: Caller,
    /// When the client stops waiting, if ever.
    pub deadline: Option<Instant>,
    /// The right to change types, if the caller lacks it.
    pub missing_right: Option<Arc<MissingRight>>,
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
    pub access: Access,
    /// When the client stops waiting, if ever.
    pub deadline: Option<Instant>,
    /// The right to change types, if the caller lacks it.
    pub missing_right: Option<Arc<MissingRight>>,
    /// The tenant that the request is for; `None` for the default one.
    pub tenant: Option<TenantName>,
    /// Whether there are tenants beside the default one.
    pub has_tenants: bool,
    /// The graph of that tenant.
    pub tenant_graph: Option<TenantGraph>,
}

/// The graph of a tenant beside the default one.
#[derive(Clone, Debug)]
pub struct TenantGraph {
    pub graph: Arc<Graph>,
    /// What its page tokens end with. No other graph has the same.
    pub page_mark: Arc<str>,
}

/// The right to change types, which the caller of a request lacks. The request needs it only if it
/// changes some: its handler finds out.
pub struct MissingRight {
    is_enforced: bool,
    note: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MissingRight")
            .field(&self.is_enforced)
            .finish()
    }
}

impl MissingRight {
    /// A right whose lack refuses changes, or is only to be counted. Each need of it is noted.
    #[must_use]
    pub fn new(is_enforced: bool, note: impl Fn() + Send + Sync + 'static) -> Self {
        let note = Box::new(note);
        Self { is_enforced, note }
    }

    /// Notes that the request needs it.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` where it is enforced.
    pub fn need(&self) -> Result<()> {
        (self.note)();
        if self.is_enforced {
            Err(no_right())
        } else {
            Ok(())
        }
    }
}

/// The messages of a request whose caller lacks the right to change types.
#[derive(Debug)]
pub struct MissingTypeRights<'a> {
    right: Option<&'a MissingRight>,
    of_messages: Vec<Arc<MissingTypeRight>>,
}

impl MissingTypeRights<'_> {
    /// The right that one message lacks, if the caller lacks it.
    pub fn of_message(&mut self) -> Option<Arc<MissingTypeRight>> {
        let right = Arc::new(MissingTypeRight::new(self.right?.is_enforced));
        self.of_messages.push(right.clone());
        Some(right)
    }

    /// Notes the messages that needed it. What became of them has been decided.
    pub fn note(self) {
        for right in self.of_messages {
            if let Some(of_request) = self.right
                && right.was_needed()
            {
                (of_request.note)();
            }
        }
    }
}

impl Call {
    /// For the messages of the request.
    #[must_use]
    pub fn missing_type_rights(&self) -> MissingTypeRights<'_> {
        MissingTypeRights {
            right: self.missing_right.as_deref(),
            of_messages: Vec::new(),
        }
    }
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
            access: Access::default(),
            deadline: None,
            missing_right: None,
            tenant: None,
            has_tenants: false,
            tenant_graph: None,
        }
    }
}

impl RequestContext {
    /// The caller, who came through a door.
    #[must_use]
    pub fn caller(self, door: Door) -> Caller {
        Caller {
            principal: self.principal,
            peer: self.peer,
            door,
            request_id: self.request_id,
            access: self.access,
        }
    }
}

/// Makes the [`Call`] of each request. Clones share the graph and the tasks.
#[derive(Clone, Debug)]
pub struct Calls {
    pub graphs: Graphs,
    /// The tasks of all requests, which a server waits for before it closes the database.
    pub tasks: TaskTracker,
    /// How long a request waits for the graph at the start.
    startup_wait: Duration,
    /// Whether a refusal for want of the graph has been logged.
    has_refused: Arc<AtomicBool>,
}

impl Calls {
    /// Without a graph yet. A request waits for it for up to `startup_wait`.
    #[must_use]
    pub fn new(startup_wait: Duration) -> Self {
        Self {
            graphs: Graphs::default(),
            tasks: TaskTracker::new(),
            startup_wait,
            has_refused: Arc::default(),
        }
    }

    /// The call of a request with these extensions, on the graph of its tenant. Waits for the
    /// default one to be opened; a layer has opened the others.
    ///
    /// # Errors
    ///
    /// `NotReady` when it is not open in time.
    pub async fn call(&self, door: Door, extensions: &Extensions) -> Result<Call> {
        let context = extensions.get::<RequestContext>().cloned();
        let mut context = context.unwrap_or_default();
        let (graph, page_mark) = if let Some(of_tenant) = context.tenant_graph.take() {
            (of_tenant.graph, Some(of_tenant.page_mark))
        } else {
            let graph = self.graphs.wait(self.startup_wait).await;
            let graph = graph.inspect_err(|_| self.log_refusal())?;
            (graph.clone(), None)
        };
        let graph = if *context.principal == *ANONYMOUS {
            graph
        } else {
            Arc::new(graph.for_caller(&context.principal))
        };
        Ok(Call {
            graph,
            tenant: context.tenant.take().unwrap_or_default(),
            page_mark,
            deadline: context.deadline,
            missing_right: context.missing_right.clone(),
            caller: context.caller(door),
            tasks: self.tasks.clone(),
        })
    }

    /// Logs the first of them.
    fn log_refusal(&self) {
        if !self.has_refused.swap(true, Ordering::Relaxed) {
            let error = Error::NotReady.chain();
            tracing::error!(
                error,
                "request failed; the next ones are refused without a line"
            );
        }
    }
}
