//! `pedigree watch`: every change of the graph, a line each.

use std::io::{ErrorKind, Write};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tonic::Status;

use super::server::{Client, Server};
use super::{Failure, json};
use crate::proto::pedigree::lineage::v1::watch_request::{Since, Start};
use crate::proto::pedigree::lineage::v1::{Operation, Subject, WatchRequest, WatchResponse};

#[derive(Debug, Args)]
pub struct Watch {
    /// Where to begin: now, beginning, or a cursor that was printed
    #[arg(long, value_name = "WHERE", default_value = "now")]
    since: String,

    /// Only changes of such subjects, such as artifact, execution, event; may be repeated
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    subject: Vec<Subject>,

    /// Only such changes: created, updated or reconciled; may be repeated
    #[arg(long, value_name = "OPERATION", value_parser = operation)]
    operation: Vec<Operation>,

    /// Only what is of types with this name; may be repeated
    #[arg(long = "type", value_name = "NAME")]
    types: Vec<String>,

    /// Only what is in the context with this id; may be repeated
    #[arg(long, value_name = "ID")]
    context: Vec<i64>,

    /// Only nodes that a `filter_query` lets through
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,

    /// text, a line for each change; json, an object on each line, the last of each group with the cursor to go on from
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,

    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
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

impl Watch {
    /// Prints changes until nobody reads them any more, or the server refuses or stays away.
    pub(super) async fn run(&self, out: &mut (impl Write + Send)) -> Result<(), Failure> {
        let client = self.server.client()?;
        let mut reconnects = self.server.reconnects();
        let mut request = self.request();
        loop {
            let before = request.since.clone();
            let lost = match self.stream(client.clone(), &mut request, out).await {
                Err(Ended::Lost(status)) => status,
                Err(Ended::Failed(failure)) => return Err(failure),
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

    /// Prints what comes; the request is then one that goes on after it.
    async fn stream(
        &self,
        mut client: Client,
        request: &mut WatchRequest,
        out: &mut (impl Write + Send),
    ) -> Result<(), Ended> {
        let watching = client.watch(request.clone()).await;
        let mut responses = watching.map_err(Ended::Lost)?.into_inner();
        while let Some(response) = responses.message().await.map_err(Ended::Lost)? {
            for line in self.lines(&response).map_err(Ended::Failed)? {
                match writeln!(out, "{line}").and_then(|()| out.flush()) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                    written => written.map_err(|error| Ended::Failed(error.into()))?,
                }
            }
            request.since = Some(Since::Cursor(response.cursor));
        }
        // It has no end of its own.
        Err(Ended::Lost(Status::unavailable(
            "the server ended the stream",
        )))
    }

    fn lines(&self, response: &WatchResponse) -> Result<Vec<String>, Failure> {
        let changes = response.changes.iter();
        let changes = changes.map(|change| json::write("Change", change));
        let changes: Vec<Value> = changes.collect::<Result<_, _>>()?;
        let last = changes.len().saturating_sub(1);
        let line = |(place, change): (usize, &Value)| match self.format {
            Format::Text => sentence(change),
            Format::Json if place == last => {
                json!({ "change": change, "cursor": response.cursor }).to_string()
            }
            Format::Json => json!({ "change": change }).to_string(),
        };
        Ok(changes.iter().enumerate().map(line).collect())
    }
}

/// How a stream ended.
enum Ended {
    Lost(Status),
    Failed(Failure),
}

/// What tells subjects apart, in the order in which it is told.
const TOLD: [&str; 11] = [
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
];

/// A change in words: time, operation, subject, and what tells it apart.
fn sentence(change: &Value) -> String {
    use std::fmt::Write as _;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let time = change["time"].as_str().unwrap_or("0");
    let operation = change["operation"].as_str().unwrap_or("CHANGED");
    let mut line = format!("{} {}", moment(time), operation.to_lowercase());
    let fields = change.as_object().into_iter().flatten();
    for (subject, of_subject) in fields.filter(|(_, value)| value.is_object()) {
        line.push(' ');
        line.push_str(subject);
        for name in TOLD.into_iter().chain(["childId"]) {
            if let Some(value) = of_subject.get(name) {
                let _ = write!(line, " {name}={}", text(value));
            }
        }
    }
    line
}

/// Milliseconds since the epoch as a date and a time of day, UTC.
fn moment(milliseconds: &str) -> String {
    let milliseconds: i64 = milliseconds.parse().unwrap_or_default();
    let (day, rest) = (
        milliseconds.div_euclid(86_400_000),
        milliseconds.rem_euclid(86_400_000),
    );
    // Years begin in March here, so that a leap day is the last of its year.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, late) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = year + era * 400 + late;
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates() {
        for (milliseconds, expected) in [
            ("0", "1970-01-01T00:00:00.000Z"),
            ("951782399999", "2000-02-28T23:59:59.999Z"),
            ("951782400000", "2000-02-29T00:00:00.000Z"),
            ("1764108838123", "2025-11-25T22:13:58.123Z"),
        ] {
            assert_eq!(moment(milliseconds), expected);
        }
    }

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
