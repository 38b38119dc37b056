//! Records run events one by one, as `pedigree record` does many: a message whose answer is lost
//! is sent again.

use std::time::UNIX_EPOCH;

use tokio_stream::once;
use tonic::{Code, Status};
use uuid::Uuid;

use super::Failure;
use super::client::{Client, ServerArgs};
use crate::proto::code_name;
use crate::proto::pedigree::lineage::v1::record_request::Change;
use crate::proto::pedigree::lineage::v1::record_response::Answer;
use crate::proto::pedigree::lineage::v1::{RecordRequest, RunEvent, RunResult};

/// Sends run events to a server.
pub(super) struct Recorder<'a> {
    server: &'a ServerArgs,
    client: Client,
}

/// A message about a run, which happens now.
pub(super) fn message(run: RunEvent) -> RecordRequest {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    RecordRequest {
        id: format!("run:{}", Uuid::new_v4()),
        event_time: i64::try_from(now).ok(),
        heartbeat: 0,
        change: Some(Change::Run(run)),
    }
}

impl<'a> Recorder<'a> {
    pub(super) fn new(server: &'a ServerArgs) -> Result<Self, Failure> {
        let client = server.client()?;
        Ok(Self { server, client })
    }

    /// Sends a message until it is answered, as long as `--retry` says.
    pub(super) async fn send(&self, request: &RecordRequest) -> Result<RunResult, Failure> {
        let mut reconnects = self.server.reconnects();
        loop {
            match self.try_send(request.clone()).await {
                Ok(answer) => return answer,
                Err(lost) => reconnects.wait(lost).await?,
            }
        }
    }

    /// The answer of the server, or the status of a stream that ended without one.
    async fn try_send(&self, request: RecordRequest) -> Result<Result<RunResult, Failure>, Status> {
        let mut client = self.client.clone();
        let mut responses = client.record(once(request)).await?.into_inner();
        while let Some(response) = responses.message().await? {
            if let Some(refused) = response.refused {
                let code = code_name(Code::from(refused.code));
                return Ok(Err(Failure(format!("{code}: {}", refused.message))));
            }
            if let Some(Answer::Run(result)) = response.answer {
                return Ok(Ok(result));
            }
        }
        Err(Status::unavailable("the server ended the stream"))
    }
}
