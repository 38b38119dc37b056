//! `pedigree.audit.v1.AuditService`.

use tonic::{Request, Response, Status};

use crate::api::call::Calls;
use crate::error::Result;
use crate::graph::{AuditEntry, AuditRecord as Record, Since};
use crate::model::{Change, Door, Kind, Operation, Origin, Outcome, Subject};
use crate::proto::pedigree::audit::v1::audit_service_server::AuditService;
use crate::proto::pedigree::audit::v1::{
    AuditChange, AuditRecord, ListRequest, ListResponse, Outcome as WireOutcome,
};

/// The handler of the service.
#[derive(Clone, Debug)]
pub struct AuditHandler {
    calls: Calls,
}

impl AuditHandler {
    #[must_use]
    pub const fn new(calls: Calls) -> Self {
        Self { calls }
    }
}

#[tonic::async_trait]
impl AuditService for AuditHandler {
    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let call = self
            .calls
            .call(Door::Pedigree, request.extensions())
            .await?;
        let since = match request.into_inner().cursor {
            cursor if cursor.is_empty() => Since::Beginning,
            cursor => Since::Cursor(cursor),
        };
        let page = call.graph.audit(since).await?;
        Ok(Response::new(ListResponse {
            records: page.records.into_iter().map(AuditRecord::from).collect(),
            cursor: page.cursor,
        }))
    }
}

impl From<Record> for AuditRecord {
    fn from(record: Record) -> Self {
        let id = format!("{}.{}", record.position, record.place);
        match record.entry {
            AuditEntry::Write {
                origin,
                part,
                changes,
            } => {
                let grant = origin.caller.access.grant;
                let reason = grant.map(|line| format!("allowed by the grant in line {line}"));
                Self {
                    outcome: WireOutcome::Written.into(),
                    reason: reason.unwrap_or_default(),
                    count: 1,
                    changes: grouped(&changes),
                    part,
                    ..of_origin(id, &origin)
                }
            }
            AuditEntry::Access(access) => Self {
                outcome: outcome(access.outcome).into(),
                reason: access.reason,
                count: access.count,
                ..of_origin(id, &access.origin)
            },
        }
    }
}

fn of_origin(id: String, origin: &Origin) -> AuditRecord {
    let caller = &origin.caller;
    AuditRecord {
        id,
        time: origin.time,
        subject: caller.principal.to_string(),
        method: caller.access.method.to_string(),
        door: door(caller.door).to_owned(),
        request_id: caller.request_id.to_string(),
        peer: caller.peer.as_deref().unwrap_or_default().to_owned(),
        ..AuditRecord::default()
    }
}

const fn outcome(outcome: Outcome) -> WireOutcome {
    match outcome {
        Outcome::Stored => WireOutcome::Written,
        Outcome::Allowed => WireOutcome::Allowed,
        Outcome::Unauthenticated => WireOutcome::Unauthenticated,
        Outcome::PermissionDenied => WireOutcome::PermissionDenied,
        Outcome::Observed => WireOutcome::Observed,
        Outcome::Lost => WireOutcome::Lost,
        Outcome::Unknown => WireOutcome::Unspecified,
    }
}

const fn door(door: Door) -> &'static str {
    match door {
        Door::MlMetadata => "ml_metadata",
        Door::Pedigree => "pedigree",
        Door::Command => "command",
        Door::OpenLineage => "openlineage",
        Door::MlFlow => "mlflow",
        Door::Web => "web",
        Door::Unknown => "",
    }
}

/// Changes of the same kind as one, in the order of the first of them.
fn grouped(changes: &[Change]) -> Vec<AuditChange> {
    let mut groups: Vec<AuditChange> = Vec::new();
    for change in changes {
        let (subject, id) = subject(&change.subject);
        let operation = operation(change.operation);
        let is_same =
            |group: &&mut AuditChange| group.operation == operation && group.subject == subject;
        if let Some(group) = groups.iter_mut().find(is_same) {
            group.ids.extend(id);
            group.count += 1;
        } else {
            groups.push(AuditChange {
                operation: operation.to_owned(),
                subject: subject.to_owned(),
                ids: id.into_iter().collect(),
                count: 1,
            });
        }
    }
    groups
}

const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Created => "created",
        Operation::Updated => "updated",
        Operation::Reconciled => "reconciled",
        Operation::Deleted => "deleted",
        Operation::Erased => "erased",
        Operation::Restored => "restored",
        Operation::Adopted => "adopted",
    }
}

/// The name of a kind of subject, and the id of a node or a type.
const fn subject(subject: &Subject) -> (&'static str, Option<i64>) {
    match subject {
        Subject::Node(Kind::Artifact, node) => ("artifact", Some(node.id)),
        Subject::Node(Kind::Execution, node) => ("execution", Some(node.id)),
        Subject::Node(Kind::Context, node) => ("context", Some(node.id)),
        Subject::Type(Kind::Artifact, of) => ("artifact_type", Some(of.id)),
        Subject::Type(Kind::Execution, of) => ("execution_type", Some(of.id)),
        Subject::Type(Kind::Context, of) => ("context_type", Some(of.id)),
        Subject::Event(_) => ("event", None),
        Subject::Membership(Kind::Artifact, _) => ("attribution", None),
        Subject::Membership(Kind::Execution, _) => ("association", None),
        Subject::Membership(Kind::Context, _) => ("parent_context", None),
    }
}
