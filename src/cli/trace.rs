//! `pedigree trace`: where something comes from, or what depends on it.

use std::io::{ErrorKind, Write};

use clap::{Args, ValueEnum};

use super::draw::Found;
use super::server::Server;
use super::{Failure, json};
use crate::proto::pedigree::lineage::v1::trace_request::Direction;
use crate::proto::pedigree::lineage::v1::{EventType, TraceRequest};

#[derive(Debug, Args)]
pub struct Trace {
    /// Start from the artifact with this id; may be repeated
    #[arg(long, value_name = "ID")]
    artifact: Vec<i64>,

    /// Start from the execution with this id; may be repeated
    #[arg(long, value_name = "ID")]
    execution: Vec<i64>,

    /// Start from the artifacts that a filter lets through, such as `name = 'model'`
    #[arg(long, value_name = "FILTER")]
    artifacts: Option<String>,

    /// Start from the executions that a filter lets through
    #[arg(long, value_name = "FILTER")]
    executions: Option<String>,

    /// To what it comes from, to what depends on it, or both
    #[arg(long, value_enum, default_value = "provenance")]
    direction: Way,

    /// Most hops; from an artifact to an execution is one [default: no limit]
    #[arg(long, value_name = "N")]
    max_hops: Option<i64>,

    /// Most nodes [default: no limit]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_nodes: i64,

    /// Do not go on from artifacts that this filter lets through
    #[arg(long, value_name = "FILTER")]
    stop_at_artifacts: Option<String>,

    /// Do not go on from executions that this filter lets through
    #[arg(long, value_name = "FILTER")]
    stop_at_executions: Option<String>,

    /// Follow events of this type only, such as input or output; may be repeated
    #[arg(long, value_name = "TYPE", value_parser = event_type)]
    event_type: Vec<EventType>,

    /// Follow only events whose path has this key
    #[arg(long, value_name = "KEY")]
    path_key: Option<String>,

    /// tree; json, a `TraceResponse` on each line as it comes; dot, for Graphviz
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "tree")]
    format: Format,

    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    Provenance,
    Impact,
    Both,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Provenance => Self::Provenance,
            Way::Impact => Self::Impact,
            Way::Both => Self::Both,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Tree,
    Json,
    Dot,
}

fn event_type(text: &str) -> Result<EventType, String> {
    let name = text.to_uppercase().replace('-', "_");
    EventType::from_str_name(&name).ok_or_else(|| "no such type of event".to_owned())
}

impl Trace {
    /// Prints what the server finds.
    pub(super) async fn run(&self, out: &mut (impl Write + Send)) -> Result<(), Failure> {
        let mut client = self.server.client()?;
        let mut responses = client.trace(self.request()).await?.into_inner();
        let mut found = Found::default();
        while let Some(response) = responses.message().await? {
            if self.format != Format::Json {
                found.add(&response);
            } else if !say(
                out,
                &json::write("TraceResponse", &response)?.to_string(),
                "\n",
            )? {
                return Ok(());
            }
        }
        let drawn = match self.format {
            Format::Json => return Ok(()),
            Format::Tree => found.tree(self.direction.into()),
            Format::Dot => found.dot(),
        };
        say(out, &drawn, "")?;
        Ok(())
    }

    fn request(&self) -> TraceRequest {
        TraceRequest {
            direction: Direction::from(self.direction).into(),
            artifact_ids: self.artifact.clone(),
            execution_ids: self.execution.clone(),
            artifacts: self.artifacts.clone().unwrap_or_default(),
            executions: self.executions.clone().unwrap_or_default(),
            max_hops: self.max_hops,
            max_nodes: self.max_nodes,
            stop_at_artifacts: self.stop_at_artifacts.clone().unwrap_or_default(),
            stop_at_executions: self.stop_at_executions.clone().unwrap_or_default(),
            event_types: self.event_type.iter().map(|it| (*it).into()).collect(),
            path_key: self.path_key.clone().unwrap_or_default(),
        }
    }
}

/// Writes a text, and tells whether anybody reads on.
fn say(out: &mut impl Write, text: &str, end: &str) -> Result<bool, Failure> {
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
