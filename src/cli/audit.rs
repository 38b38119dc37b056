//! `pedigree audit`: prints who did what, or sends it elsewhere.

use std::fs;
use std::io::{ErrorKind, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use clap::{Args, Subcommand};
use tokio::time::sleep;

use super::client::{AuditClient, ServerArgs};
use super::sink::{self, Sink};
use super::{Failure, output};
use crate::proto::pedigree::audit::v1::{AuditRecord, ListRequest, ListResponse};

/// Time between two looks for new records.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest and the longest pause before a sink is tried again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Print the records, one JSON object per line
    List(ListArgs),
    /// Append the records to a file, one JSON object per line, or send them to a collector of
    /// OpenTelemetry or to syslog, and remember how far
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The file
    #[arg(value_name = "FILE", required_unless_present_any = ["otlp", "syslog"])]
    file: Option<PathBuf>,

    /// Collector that takes logs by OTLP over gRPC, by http, or by https with --sink-ca
    #[arg(long, value_name = "URL", conflicts_with_all = ["file", "syslog"], requires = "cursor")]
    otlp: Option<String>,

    /// Syslog server: a URL whose scheme is tls or tcp
    #[arg(long, value_name = "URL", conflicts_with = "file", requires = "cursor")]
    syslog: Option<String>,

    /// Certificate authority of the collector or the syslog server, a PEM file
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    sink_ca: Option<PathBuf>,

    /// File that remembers how far the records were sent. By default FILE.cursor
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,

    /// Go on with the records to come, and try again without end when they cannot be sent
    #[arg(long)]
    follow: bool,

    #[command(flatten)]
    server: ServerArgs,
}

impl AuditArgs {
    /// Runs the command.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.command {
            AuditCommand::List(args) => list(&args).await,
            AuditCommand::Export(args) => args.run().await,
        }
    }
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    let mut pages = Pages::new(&args.server, String::new())?;
    loop {
        let page = pages.next().await?;
        let lines = sink::lines(&page.records)?;
        if page.records.is_empty() || !output::write(&mut stdout(), lines)? {
            return Ok(());
        }
    }
}

impl ExportArgs {
    async fn run(&self) -> Result<(), Failure> {
        let (mut sink, place) = self.sink()?;
        let cursor = match fs::read_to_string(&place) {
            Ok(cursor) => cursor,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(sink::failure(&place, &error)),
        };
        let mut pages = Pages::new(&self.server, cursor)?;
        loop {
            let page = pages.next().await?;
            if !page.records.is_empty() {
                self.send(&mut sink, &page.records).await?;
                // After the records: a crash between them sends records twice, and loses none.
                sink::replace(&place, &page.cursor)?;
            } else if self.follow {
                sleep(POLL_INTERVAL).await;
            } else {
                return Ok(());
            }
        }
    }

    /// Where the records go, and the file that remembers how far they went.
    fn sink(&self) -> Result<(Sink, PathBuf), Failure> {
        let ca = self.sink_ca.as_deref();
        let (sink, place) = match (&self.file, &self.otlp, &self.syslog) {
            (Some(file), ..) => (Sink::file(file)?, Some(cursor_file(file))),
            (None, Some(url), _) => (Sink::otlp(url, ca)?, None),
            (None, None, Some(url)) => (Sink::syslog(url, ca)?, None),
            (None, None, None) => return Err(Failure("there is no place to export to".into())),
        };
        let place = self.cursor.clone().or(place);
        let place = place.ok_or_else(|| Failure("--cursor is missing".into()))?;
        Ok((sink, place))
    }

    /// Sends records, however often it takes, as long as --retry says or without end.
    async fn send(&self, sink: &mut Sink, records: &[AuditRecord]) -> Result<(), Failure> {
        let delays = ExponentialBuilder::default()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .without_max_times();
        let total = (!self.follow).then_some(self.server.retry());
        let mut delays = delays.with_total_delay(total).build();
        let mut is_first = true;
        loop {
            let Err(error) = sink.send(records).await else {
                return Ok(());
            };
            let Some(delay) = delays.next() else {
                return Err(error);
            };
            if std::mem::take(&mut is_first) {
                eprintln!("{error}; trying again");
            }
            sleep(delay).await;
        }
    }
}

/// The pages of a server's audit, one after the other.
struct Pages {
    client: AuditClient,
    server: ServerArgs,
    cursor: String,
}

impl Pages {
    fn new(server: &ServerArgs, cursor: String) -> Result<Self, Failure> {
        Ok(Self {
            client: server.audit_client()?,
            server: server.clone(),
            cursor,
        })
    }

    /// The next page, which is empty at the end.
    async fn next(&mut self) -> Result<ListResponse, Failure> {
        let mut reconnects = self.server.reconnects();
        loop {
            let cursor = self.cursor.clone();
            match self.client.list(ListRequest { cursor }).await {
                Ok(page) => {
                    let page = page.into_inner();
                    self.cursor.clone_from(&page.cursor);
                    return Ok(page);
                }
                Err(status) => reconnects.wait(status).await?,
            }
        }
    }
}

fn cursor_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".cursor");
    name.into()
}
