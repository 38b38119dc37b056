//! `LineageService.Trace`.

use super::Responses;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::proto::pedigree::lineage::v1::{TraceRequest, TraceResponse};

pub(super) fn run(_graph: Graph, _request: TraceRequest) -> Result<Responses<TraceResponse>> {
    Err(Error::Unimplemented("not yet".into()))
}
