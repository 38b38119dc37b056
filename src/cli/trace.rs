//! `pedigree trace`: prints the provenance or the impact of nodes.

use std::fmt::Write;
use std::io::{stderr, stdout};

use clap::{Args, ValueEnum};

use super::as_of::{AsOfArgs, present_states_text};
use super::client::ServerArgs;
use super::draw::Drawing;
use super::picture::TracePicture;
use super::{Failure, json, output};
use crate::proto::pedigree::lineage::v1::trace_columns_request::{
    Direction as ColumnDirection, Start,
};
use crate::proto::pedigree::lineage::v1::trace_request::Direction;
use crate::proto::pedigree::lineage::v1::{
    ColumnRef, EventType, TraceColumnsRequest, TraceColumnsResponse, TraceRequest,
};

#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Start from the artifact with this id; may be repeated
    #[arg(long, value_name = "ID")]
    artifact: Vec<i64>,

    /// Start from the execution with this id; may be repeated
    #[arg(long, value_name = "ID")]
    execution: Vec<i64>,

    /// Start from the artifacts that match this filter query, such as `name = 'model'`
    #[arg(long, value_name = "FILTER")]
    artifacts: Option<String>,

    /// Start from the executions that match this filter query
    #[arg(long, value_name = "FILTER")]
    executions: Option<String>,

    /// provenance: what the start was derived from; impact: what was derived from it; or both
    #[arg(long, value_enum, default_value = "provenance")]
    direction: TraceDirection,

    /// Maximum number of hops; an artifact and its execution are one hop apart [default: no limit]
    #[arg(long, value_name = "N")]
    max_hops: Option<i64>,

    /// Maximum number of nodes [default: no limit]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_nodes: i64,

    /// Do not go beyond artifacts that match this filter query
    #[arg(long, value_name = "FILTER")]
    stop_at_artifacts: Option<String>,

    /// Do not go beyond executions that match this filter query
    #[arg(long, value_name = "FILTER")]
    stop_at_executions: Option<String>,

    /// Follow only events of this type, such as input or output; may be repeated
    #[arg(long, value_name = "TYPE", value_parser = event_type)]
    event_type: Vec<EventType>,

    /// Follow only events whose path has this key
    #[arg(long, value_name = "KEY")]
    path_key: Option<String>,

    #[command(flatten)]
    as_of: AsOfArgs,

    /// Follow columns, from `--dataset`, one `--artifact` or one `--execution`, by direction
    /// provenance or impact; prints a line for each edge, or JSON
    #[arg(long, conflicts_with = "as_of")]
    columns: bool,

    /// Start from the columns of the dataset at this URI
    #[arg(long, value_name = "URI", requires = "columns")]
    dataset: Option<String>,

    /// Start from this column only
    #[arg(long, value_name = "NAME", requires = "columns")]
    column: Option<String>,

    /// Maximum number of edges between columns [default: 100000]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    #[arg(requires = "columns")]
    max_edges: i64,

    /// tree; json: one `TraceResponse` per line; dot: a graph for Graphviz; svg: a drawing, in
    /// which repeated steps are one figure
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "tree")]
    format: TraceFormat,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TraceDirection {
    Provenance,
    Impact,
    Both,
}

impl From<TraceDirection> for Direction {
    fn from(direction: TraceDirection) -> Self {
        match direction {
            TraceDirection::Provenance => Self::Provenance,
            TraceDirection::Impact => Self::Impact,
            TraceDirection::Both => Self::Both,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TraceFormat {
    Tree,
    Json,
    Dot,
    Svg,
}

fn event_type(text: &str) -> Result<EventType, String> {
    let name = text.to_uppercase().replace('-', "_");
    EventType::from_str_name(&name).ok_or_else(|| "no such type of event".to_owned())
}

impl TraceArgs {
    /// Prints what the server finds.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        if self.columns {
            return self.run_columns().await;
        }
        let out = &mut stdout();
        let mut client = self.server.client()?;
        let mut responses = client.trace(self.request()).await?.into_inner();
        let mut drawing = Drawing::default();
        let mut picture = TracePicture::new(self.direction.into());
        let mut present_states = 0;
        while let Some(response) = responses.message().await? {
            present_states += response.end.map_or(0, |end| end.present_states);
            match self.format {
                TraceFormat::Json => {}
                TraceFormat::Svg => {
                    picture.add(&response);
                    continue;
                }
                TraceFormat::Tree | TraceFormat::Dot => {
                    drawing.add(&response);
                    continue;
                }
            }
            let line = json::write("pedigree.lineage.v1.TraceResponse", &response)?;
            if !output::write(out, format_args!("{line}\n"))? {
                return Ok(());
            }
        }
        if let Some(text) = present_states_text(present_states) {
            output::report(&mut stderr(), text);
        }
        let drawn = match self.format {
            TraceFormat::Json => return Ok(()),
            TraceFormat::Tree => drawing.tree(self.direction.into()),
            TraceFormat::Dot => drawing.dot(),
            TraceFormat::Svg => picture.svg(),
        };
        output::write(out, drawn).map(drop)
    }

    /// Prints the edges between columns that the server finds.
    async fn run_columns(&self) -> Result<(), Failure> {
        let out = &mut stdout();
        let mut client = self.server.client()?;
        let request = self.columns_request();
        let mut responses = client.trace_columns(request).await?.into_inner();
        while let Some(response) = responses.message().await? {
            let text = if self.format == TraceFormat::Json {
                let line = json::write("pedigree.lineage.v1.TraceColumnsResponse", &response)?;
                format!("{line}\n")
            } else {
                lines(&response)
            };
            if !output::write(out, text)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn columns_request(&self) -> TraceColumnsRequest {
        let direction = match self.direction {
            TraceDirection::Provenance => ColumnDirection::Provenance.into(),
            TraceDirection::Impact => ColumnDirection::Impact.into(),
            // The server refuses it.
            TraceDirection::Both => -1,
        };
        let dataset = self.dataset.clone().map(Start::Dataset);
        let artifact = self.artifact.first().copied().map(Start::ArtifactId);
        let execution = self.execution.first().copied().map(Start::ExecutionId);
        TraceColumnsRequest {
            direction,
            start: dataset.or(artifact).or(execution),
            column: self.column.clone().unwrap_or_default(),
            max_hops: self.max_hops,
            max_edges: self.max_edges,
        }
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
            as_of: self.as_of.time(),
        }
    }
}

/// A line for each edge: the hop, the column, that from which it was made, and how.
fn lines(response: &TraceColumnsResponse) -> String {
    let name = |column: Option<&ColumnRef>| {
        let column = column.cloned().unwrap_or_default();
        match column.column.as_str() {
            "" => column.dataset,
            name => format!("{} {name}", column.dataset),
        }
    };
    let mut text = String::new();
    for edge in &response.edges {
        let (output, input) = (name(edge.output.as_ref()), name(edge.input.as_ref()));
        let _ = write!(text, "{}  {output} ← {input}", edge.hop);
        for word in [&edge.transformation, &edge.subtype] {
            if !word.is_empty() {
                let _ = write!(text, "  {word}");
            }
        }
        text.push('\n');
    }
    if response.end.is_some_and(|end| end.cut) {
        text.push_str("… and more, beyond the limit\n");
    }
    text
}
