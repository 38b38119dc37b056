//! `pedigree watch`: prints every change of the graph, one per line.

use std::io::{Write, stdout};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tonic::Status;

use super::client::{Client, ServerArgs};
use super::{Failure, json, output};
use crate::proto::pedigree::lineage::v1::watch_request::{Since, Start};
use crate::proto::pedigree::lineage::v1::{Operation, Subject, WatchRequest, WatchResponse};
use crate::utc::utc_text;

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Where to start: now, beginning, or a cursor printed earlier
    #[arg(long, value_name = "WHERE", default_value = "now")]
    since: String,

    /// Only changes of this subject, such as artifact, execution or event; may be repeated
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    subject: Vec<Subject>,

    /// Only this operation, such as created, updated or adopted; may be repeated. Without it all
    /// but adopted
    #[arg(long, value_name = "OPERATION", value_parser = operation)]
    operation: Vec<Operation>,

    /// Only nodes of types with this name; may be repeated
    #[arg(long = "type", value_name = "NAME")]
    types: Vec<String>,

    /// Only nodes in the context with this id; may be repeated
    #[arg(long, value_name = "ID")]
    context: Vec<i64>,

    /// Only nodes that match this filter query
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,

    /// text: one line per change; json: one object per line, with the cursor to resume from in the
    /// last of each group
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: WatchFormat,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WatchFormat {
    Text,
    Json,
}

fn subject(text: &str) -> Result<Subject, String> {
    let name = text.to_uppercase().replace('-', "_");
    Subject::from_str_name(&name).ok_or_else(|| "no such subject".to_owned())
}

fn operation(text: &str) -> Result<Operation, String> {
    Operation::from_str_name(&text.to_uppercase()).ok_or_else(|| "no such operation".to_owned())
}

impl WatchArgs {
    /// Prints changes until the output is closed, the server refuses the request, or it cannot be
    /// reached.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let out = &mut stdout();
        let client = self.server.client()?;
        let mut reconnects = self.server.reconnects();
        let mut request = self.request();
        loop {
            let before = request.since.clone();
            let lost = match self.stream(client.clone(), &mut request, out).await {
                Err(StreamEnd::Lost(status)) => status,
                Err(StreamEnd::Failed(failure)) => return Err(failure),
                Ok(()) => return Ok(()),
            };
            if request.since != before {
                reconnects.reset();
            }
            reconnects.wait(lost).await?;
        }
    }

    fn request(&self) -> WatchRequest {
        WatchRequest {
            since: Some(match self.since.as_str() {
                "now" => Since::Start(Start::Now.into()),
                "beginning" => Since::Start(Start::Beginning.into()),
                cursor => Since::Cursor(cursor.to_owned()),
            }),
            subjects: self.subject.iter().map(|it| (*it).into()).collect(),
            operations: self.operation.iter().map(|it| (*it).into()).collect(),
            types: self.types.clone(),
            context_ids: self.context.clone(),
            filter_query: self.filter.clone().unwrap_or_default(),
            heartbeat: 0,
        }
    }

    /// Prints the changes of one stream, and updates the request to resume after them.
    async fn stream(
        &self,
        mut client: Client,
        request: &mut WatchRequest,
        out: &mut (impl Write + Send),
    ) -> Result<(), StreamEnd> {
        let watching = client.watch(request.clone()).await;
        let mut responses = watching.map_err(StreamEnd::Lost)?.into_inner();
        while let Some(response) = responses.message().await.map_err(StreamEnd::Lost)? {
            for line in self.lines(&response).map_err(StreamEnd::Failed)? {
                let is_open = output::write(out, format_args!("{line}\n"));
                if !is_open.map_err(StreamEnd::Failed)? {
                    return Ok(());
                }
            }
            request.since = Some(Since::Cursor(response.cursor));
        }
        // Watch has no end of its own.
        Err(StreamEnd::Lost(Status::unavailable(
            "the server ended the stream",
        )))
    }

    fn lines(&self, response: &WatchResponse) -> Result<Vec<String>, Failure> {
        let changes = response.changes.iter();
        let changes = changes.map(|change| json::write("pedigree.lineage.v1.Change", change));
        let changes: Vec<Value> = changes.collect::<Result<_, _>>()?;
        let last = changes.len().saturating_sub(1);
        let line = |(place, change): (usize, &Value)| match self.format {
            WatchFormat::Text => sentence(change),
            WatchFormat::Json if place == last => {
                json!({ "change": change, "cursor": response.cursor }).to_string()
            }
            WatchFormat::Json => json!({ "change": change }).to_string(),
        };
        Ok(changes.iter().enumerate().map(line).collect())
    }
}

/// Why a stream ended.
enum StreamEnd {
    Lost(Status),
    Failed(Failure),
}

/// The fields that identify a subject, in the order in which they are printed.
const PRINTED_FIELDS: [&str; 12] = [
    "id",
    "type",
    "name",
    "externalId",
    "uri",
    "state",
    "lastKnownState",
    "artifactId",
    "executionId",
    "contextId",
    "parentId",
    "childId",
];

/// A change in one line: time, operation, subject, and the fields that identify it.
fn sentence(change: &Value) -> String {
    use std::fmt::Write as _;
    let text = |value: &Value| match value {
        Value::String(text) => output::printable(text),
        other => other.to_string(),
    };
    let time = change["time"].as_str().unwrap_or_default();
    let time = utc_text(time.parse().unwrap_or_default());
    let operation = change["operation"].as_str().unwrap_or("CHANGED");
    let mut line = format!("{time} {}", operation.to_lowercase());
    let fields = change.as_object().into_iter().flatten();
    for (subject, of_subject) in fields.filter(|(_, value)| value.is_object()) {
        line.push(' ');
        line.push_str(subject);
        for name in PRINTED_FIELDS {
            if let Some(value) = of_subject.get(name) {
                let _ = write!(line, " {name}={}", text(value));
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_sentence() {
        let change = json!({
            "operation": "CREATED", "time": "0",
            "artifact": { "id": "5", "type": "Model", "name": "m", "state": "LIVE", "properties": {} },
        });
        assert_eq!(
            sentence(&change),
            "1970-01-01T00:00:00.000Z created artifact id=5 type=Model name=m state=LIVE"
        );
    }
}
