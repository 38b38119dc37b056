//! Ends what is under way when the credentials or the permission of its caller end.
//!
//! A task looks at all open calls every second: credentials expire, and the security file changes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::access::AccessControl;
use super::classify::{Protocol, RequestShape};
use crate::api::call::RequestContext;
use crate::error::{Error, Result};
use crate::graph::Clock;
use crate::identity::Principal;
use crate::policy::{MethodActions, PolicyMode, TenantName};
use crate::security::{SecurityFile, SecuritySettings, TenantRules};

/// Time between two looks at the open calls.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The calls whose callers may lose their right to the rest of the answer.
#[derive(Debug, Default)]
pub(in crate::server) struct OpenCalls(Mutex<Vec<Weak<OpenCall>>>);

/// A call of an authenticated caller.
#[derive(Debug)]
struct OpenCall {
    principal: Principal,
    method: Option<&'static MethodActions>,
    /// Whether the caller could change types when the call began.
    may_change_types: bool,
    tenant: TenantName,
    /// Those of the tenant when the call began; `None` for the default one.
    rules: Option<Arc<TenantRules>>,
    ended: CancellationToken,
    end: OnceLock<End>,
}

/// Why a call has ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Credentials,
    Permission,
    /// The tenant has another database now.
    Database,
}

impl From<End> for Error {
    fn from(end: End) -> Self {
        match end {
            End::Credentials => Self::CredentialsEnded,
            End::Permission => {
                Self::PermissionDenied("the caller no longer has permission for this method".into())
            }
            End::Database => {
                Self::Unavailable("the tenant has another database now; try again".into())
            }
        }
    }
}

impl OpenCalls {
    fn add(&self, call: &Arc<OpenCall>) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Arc::downgrade(call));
    }

    /// Ends calls as long as the server runs.
    pub(in crate::server) async fn end_invalid_forever(
        self: Arc<Self>,
        security: Arc<SecurityFile>,
        clock: Clock,
    ) -> Result<()> {
        loop {
            sleep(CHECK_INTERVAL).await;
            self.end_invalid(&security.current(), clock.now());
        }
    }

    /// Ends the calls that would be refused now, and forgets those that are over.
    fn end_invalid(&self, settings: &SecuritySettings, now: i64) {
        let is_enforced = settings.policy.mode == PolicyMode::Enforce;
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|call| {
            let Some(call) = call.upgrade() else {
                return false;
            };
            match call.problem(settings, now) {
                Some(end) if is_enforced || matches!(end, End::Database) => {
                    call.finish(end);
                    false
                }
                _ => true,
            }
        });
    }
}

impl OpenCall {
    fn problem(&self, settings: &SecuritySettings, now: i64) -> Option<End> {
        if !settings.identities.accepts_still(&self.principal, now) {
            return Some(End::Credentials);
        }
        if let Some(rules) = &self.rules
            && let Some(now) = settings.tenants.find(&self.tenant)
            && !now.has_database_of(rules)
        {
            return Some(End::Database);
        }
        let (policy, tenants) = (&settings.policy, &settings.tenants);
        let decision = policy.decide(self.principal.who(), &self.tenant, self.method);
        let mut is_allowed = decision.is_allowed() && tenants.has(&self.tenant);
        if let Some(method) = self.method.filter(|_| self.may_change_types) {
            let who = self.principal.who();
            let changes = policy.decide_changes(who, &self.tenant, method);
            is_allowed &= changes.is_allowed();
        }
        (!is_allowed).then_some(End::Permission)
    }

    fn finish(&self, end: End) {
        tracing::info!(subject = &*self.principal.subject, ?end, "ended a call");
        let _ = self.end.set(end);
        self.ended.cancel();
    }
}

/// A stream is watched from its beginning, another response once it has to be waited for.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    access: &AccessControl,
    shape: RequestShape,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let open = &access.open;
    let extensions = request.extensions();
    let (Some(principal), Some(security)) = (extensions.get().cloned(), &access.security) else {
        return next(request).await;
    };
    let context = extensions.get::<RequestContext>();
    let tenant = context.and_then(|context| context.tenant.clone());
    let tenant = tenant.unwrap_or_default();
    let may_change_types = context.is_none_or(|context| context.missing_right.is_none());
    let call = Arc::new(OpenCall {
        principal,
        method: MethodActions::find(request.method(), request.uri().path()),
        may_change_types,
        rules: security.current().tenants.find(&tenant).cloned(),
        tenant,
        ended: CancellationToken::new(),
        end: OnceLock::new(),
    });
    let mut unwatched = Some(open.clone());
    if shape.is_stream() {
        open.add(&call);
        unwatched = None;
        let call = call.clone();
        request = request.map(|body| {
            Body::new(Revocable {
                body,
                call,
                unwatched: None,
                ended: None,
                last_frame: |error| Err(axum::Error::new(error)),
            })
        });
    }
    next(request).await.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Revocable {
            body,
            call,
            unwatched,
            ended: None,
            last_frame: P::last_frame,
        })
    })
}

/// A body that ends when its call does.
struct Revocable {
    body: Body,
    call: Arc<OpenCall>,
    /// Where the call is to be watched as soon as the body has to be waited for.
    unwatched: Option<Arc<OpenCalls>>,
    ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    last_frame: fn(Error) -> Result<Frame<Bytes>, axum::Error>,
}

impl Revocable {
    fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<End> {
        if let Some(open) = self.unwatched.take() {
            open.add(&self.call);
        }
        let ended = self.call.ended.clone();
        let waiting = self
            .ended
            .get_or_insert_with(|| Box::pin(ended.cancelled_owned()));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(self.call.end.get().copied().unwrap_or(End::Credentials))
    }
}

impl http_body::Body for Revocable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The end comes first: what is ready may be an error that follows from it.
        if self.call.end.get().is_none() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => {}
                ready @ Poll::Ready(_) => return ready,
            }
        } else if self.body.is_end_stream() {
            return Poll::Ready(None);
        }
        let end = ready!(self.poll_ended(context));
        self.body = Body::empty();
        Poll::Ready(Some((self.last_frame)(end.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
