//! The generated messages and services, their codec and descriptors, and the one message that is
//! written by hand.

pub mod codec;
pub mod cost;

use std::sync::LazyLock;

use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};
use prost_reflect::DescriptorPool;
use tonic::Code;

/// ML Metadata's messages and service, generated from `proto/ml_metadata/proto`.
#[expect(
    clippy::pedantic,
    clippy::large_enum_variant,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod ml_metadata {
    tonic::include_proto!("ml_metadata");
    pub use super::GetArtifactsByUriRequest;
}

/// Our own services, a module per package of `proto/pedigree`.
#[expect(
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod pedigree {
    pub mod audit {
        pub mod v1 {
            tonic::include_proto!("pedigree.audit.v1");
        }
    }
    pub mod lineage {
        pub mod v1 {
            tonic::include_proto!("pedigree.lineage.v1");
        }
    }
    pub mod registry {
        pub mod v1 {
            tonic::include_proto!("pedigree.registry.v1");
        }
    }
    pub mod reproduction {
        pub mod v1 {
            tonic::include_proto!("pedigree.reproduction.v1");
        }
    }
}

/// The descriptors of all files in `proto/`, serialized as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// [`DESCRIPTORS`], decoded once per process.
#[must_use]
pub fn pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap_or_default());
    &POOL
}

/// The name of a gRPC status code in the protocol's specification, such as `INVALID_ARGUMENT`.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// `ml_metadata.GetArtifactsByURIRequest`, which remembers whether its retired field 1 was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GetArtifactsByUriRequest {
    /// The URIs of the artifacts to find.
    pub uris: Vec<String>,
    /// Whether the request has field 1, `uri`, in whatever wire type.
    pub has_retired_uri: bool,
}

/// The number of the field `uri`, retired and refused.
const RETIRED_URI: u32 = 1;

/// The fields that count, for the derived codec.
#[derive(Clone, PartialEq, Message)]
struct Uris {
    #[prost(string, repeated, tag = "2")]
    uris: Vec<String>,
}

impl Message for GetArtifactsByUriRequest {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        Uris {
            uris: self.uris.clone(),
        }
        .encode_raw(buf);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.has_retired_uri |= tag == RETIRED_URI;
        let mut fields = Uris {
            uris: std::mem::take(&mut self.uris),
        };
        let merged = fields.merge_field(tag, wire_type, buf, ctx);
        self.uris = fields.uris;
        merged
    }

    fn encoded_len(&self) -> usize {
        Uris {
            uris: self.uris.clone(),
        }
        .encoded_len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
