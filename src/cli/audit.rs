//! `pedigree audit`: prints who did what, or keeps it in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::sleep;

use super::client::{AuditClient, ServerArgs};
use super::{Failure, json, output};
use crate::proto::pedigree::audit::v1::{ListRequest, ListResponse};

/// Time between two looks for new records.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The mode of the files: only their owner reads who did what.
const FILE_MODE: u32 = 0o600;

#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Print the records, one JSON object per line
    List(ListArgs),
    /// Append the records to a file, one JSON object per line, and remember in FILE.cursor how far
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
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Go on with the records to come
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
        if page.records.is_empty() || !output::write(&mut stdout(), lines(&page)?)? {
            return Ok(());
        }
    }
}

impl ExportArgs {
    async fn run(&self) -> Result<(), Failure> {
        let place = cursor_file(&self.file);
        let cursor = match fs::read_to_string(&place) {
            Ok(cursor) => cursor,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failure(&place, &error)),
        };
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(FILE_MODE);
        let opened = options.open(&self.file);
        let mut file = opened.map_err(|error| failure(&self.file, &error))?;
        let mut pages = Pages::new(&self.server, cursor)?;
        loop {
            let page = pages.next().await?;
            if !page.records.is_empty() {
                append(&mut file, &lines(&page)?).map_err(|error| failure(&self.file, &error))?;
                // After the records: a crash between them writes records twice, and loses none.
                keep(&place, &page.cursor).map_err(|error| failure(&place, &error))?;
            } else if self.follow {
                sleep(POLL_INTERVAL).await;
            } else {
                return Ok(());
            }
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

fn lines(page: &ListResponse) -> Result<String, Failure> {
    let mut lines = String::new();
    for record in &page.records {
        let json = json::write("pedigree.audit.v1.AuditRecord", record)?;
        lines.push_str(&json.to_string());
        lines.push('\n');
    }
    Ok(lines)
}

fn cursor_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".cursor");
    name.into()
}

fn append(file: &mut File, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Replaces a file as a whole.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE);
    let mut file = options.open(&new)?;
    append(&mut file, text)?;
    fs::rename(&new, path)
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}
