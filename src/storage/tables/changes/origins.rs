//! The stored form of origins and of requests that changed nothing, as parts of a row.

use std::sync::Arc;

use prost::Message;

use crate::model::{Access, AccessRecord, Caller, Door, Origin, Outcome};

#[derive(Clone, PartialEq, Message)]
pub(super) struct CallerFields {
    #[prost(string, tag = "1")]
    pub principal: String,
    #[prost(string, optional, tag = "2")]
    pub peer: Option<String>,
    #[prost(int64, tag = "3")]
    pub door: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OriginFields {
    /// The index of its caller in the row.
    #[prost(uint32, tag = "1")]
    pub caller: u32,
    #[prost(string, tag = "2")]
    request_id: String,
    /// Milliseconds since epoch.
    #[prost(int64, tag = "3")]
    time: i64,
    #[prost(string, tag = "4")]
    method: String,
    /// The line of the grant.
    #[prost(uint32, optional, tag = "5")]
    grant: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccessFields {
    /// The index of its origin in the row.
    #[prost(uint32, tag = "1")]
    pub origin: u32,
    #[prost(int64, tag = "2")]
    outcome: i64,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(uint64, tag = "4")]
    count: u64,
}

impl From<&Caller> for CallerFields {
    fn from(caller: &Caller) -> Self {
        Self {
            principal: caller.principal.as_ref().to_owned(),
            peer: caller.peer.as_deref().map(str::to_owned),
            door: caller.door.number(),
        }
    }
}

impl From<CallerFields> for Caller {
    /// The caller of a request whose id and access the origin has.
    fn from(fields: CallerFields) -> Self {
        Self {
            principal: fields.principal.into(),
            peer: fields.peer.map(Into::into),
            door: Door::from_number(fields.door),
            request_id: "".into(),
            access: Access::default(),
        }
    }
}

impl OriginFields {
    /// Of an origin whose caller has this place in the row.
    pub(super) fn new(caller: u32, origin: &Origin) -> Self {
        let Caller {
            request_id, access, ..
        } = &origin.caller;
        Self {
            caller,
            request_id: request_id.as_ref().to_owned(),
            time: origin.time,
            method: access.method.clone().into_owned(),
            grant: access.grant,
        }
    }

    /// The origin, whose caller is this one.
    pub(super) fn of(self, caller: &Caller) -> Origin {
        let access = Access {
            method: self.method.into(),
            grant: self.grant,
        };
        let caller = Caller {
            request_id: self.request_id.into(),
            access,
            ..caller.clone()
        };
        caller.at(self.time)
    }
}

impl AccessFields {
    /// Of a record whose origin has this place in the row.
    pub(super) fn new(origin: u32, record: AccessRecord) -> Self {
        Self {
            origin,
            outcome: match record.outcome {
                Outcome::Unknown => 0,
                Outcome::Allowed => 1,
                Outcome::Unauthenticated => 2,
                Outcome::PermissionDenied => 3,
                Outcome::Observed => 4,
                Outcome::Lost => 5,
                Outcome::Stored => 6,
            },
            reason: record.reason,
            count: record.count,
        }
    }

    /// The record, whose origin is this one.
    pub(super) fn of(self, origin: Arc<Origin>) -> AccessRecord {
        AccessRecord {
            origin,
            outcome: match self.outcome {
                1 => Outcome::Allowed,
                2 => Outcome::Unauthenticated,
                3 => Outcome::PermissionDenied,
                4 => Outcome::Observed,
                5 => Outcome::Lost,
                6 => Outcome::Stored,
                _ => Outcome::Unknown,
            },
            reason: self.reason,
            count: self.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_keeps_its_number() {
        for door in [
            Door::MlMetadata,
            Door::Pedigree,
            Door::Command,
            Door::OpenLineage,
            Door::MlFlow,
            Door::Web,
            Door::Unknown,
        ] {
            let caller = Caller::anonymous(door);
            assert_eq!(Caller::from(CallerFields::from(&caller)), caller);
        }
    }
}
