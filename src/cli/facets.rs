//! `pedigree facets`: prints the facets of a node, as they were sent.

use std::io::stdout;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::ServerArgs;
use super::{Failure, output};
use crate::proto::pedigree::lineage::v1::get_facets_request::Node;
use crate::proto::pedigree::lineage::v1::{GetFacetsRequest, NodeFacet};

/// The first time that has no text in the format of RFC 3339.
const YEAR_10000_MICROSECONDS: u64 = 253_402_300_800_000_000;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("node").required(true))]
pub struct FacetsArgs {
    /// Facets of the version of a dataset with this id
    #[arg(long, value_name = "ID", group = "node")]
    artifact: Option<i64>,

    /// Facets of the run with this id
    #[arg(long, value_name = "ID", group = "node")]
    execution: Option<i64>,

    /// Facets of the job or the dataset with this id
    #[arg(long, value_name = "ID", group = "node")]
    context: Option<i64>,

    /// Only the facet with this key; may be repeated
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,

    /// text: a line for each facet, without its content; json: an object for each facet
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: FacetsFormat,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FacetsFormat {
    Text,
    Json,
}

impl FacetsArgs {
    /// Prints what the server has.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let artifact = self.artifact.map(Node::ArtifactId);
        let execution = self.execution.map(Node::ExecutionId);
        let context = self.context.map(Node::ContextId);
        let request = GetFacetsRequest {
            node: artifact.or(execution).or(context),
            keys: self.key.clone(),
        };
        let mut client = self.server.client()?;
        let mut responses = client.get_facets(request).await?.into_inner();
        let mut facet: Option<(NodeFacet, String)> = None;
        while let Some(response) = responses.message().await? {
            if let Some(next) = response.facet
                && let Some((done, text)) = facet.replace((next, String::new()))
                && !self.print(&done, &text)?
            {
                return Ok(());
            }
            if let Some((_, text)) = &mut facet {
                text.push_str(&response.text);
            }
        }
        if let Some((facet, text)) = facet {
            self.print(&facet, &text)?;
        }
        Ok(())
    }

    /// Prints a facet, and returns whether the reader is still there.
    fn print(&self, facet: &NodeFacet, text: &str) -> Result<bool, Failure> {
        let line = match self.format {
            FacetsFormat::Text => line(facet),
            FacetsFormat::Json => object(facet, text)?,
        };
        output::write(&mut stdout(), format_args!("{line}\n"))
    }
}

/// The key of a facet, its time, its digest and its size.
fn line(facet: &NodeFacet) -> String {
    let digest = match facet.digest.as_str() {
        "" => "deleted",
        digest => digest,
    };
    let bytes = facet.bytes;
    let size = bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} B"));
    format!("{}  {}  {digest}  {size}", facet.key, time(facet))
}

/// A facet with its content in one line, which is the text that was sent but for its line breaks.
fn object(facet: &NodeFacet, text: &str) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct PrintedFacet<'f> {
        key: &'f str,
        time: String,
        digest: &'f str,
        content: Option<Box<RawValue>>,
    }
    let content = match text {
        "" => None,
        text => Some(RawValue::from_string(text.replace(['\n', '\r'], " "))?),
    };
    let printed = PrintedFacet {
        key: &facet.key,
        time: time(facet),
        digest: &facet.digest,
        content,
    };
    Ok(serde_json::to_string(&printed)?)
}

/// The time of the event that had a facet.
fn time(facet: &NodeFacet) -> String {
    let number = facet.time_microseconds;
    let shown = u64::try_from(number).ok();
    let shown = shown.filter(|&number| number < YEAR_10000_MICROSECONDS);
    shown.map_or_else(
        || format!("{number} us"),
        |number| {
            let time = UNIX_EPOCH + Duration::from_micros(number);
            humantime::format_rfc3339_micros(time).to_string()
        },
    )
}
