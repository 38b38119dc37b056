//! Where `pedigree audit export` sends records: a file, a collector of OpenTelemetry, or syslog.

mod cef;
mod otlp;
mod syslog;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::otlp::OtlpSink;
use self::syslog::SyslogSink;
use super::{Failure, json};
use crate::proto::pedigree::audit::v1::{AuditRecord, Outcome};

/// The mode of the files: only their owner reads who did what.
const FILE_MODE: u32 = 0o600;

/// How many bytes of a file are read at once, from its end.
const BLOCK_BYTES: u64 = 64 << 10;

/// Time that a sink has to take a page of records.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The severity of a record, in all formats.
#[derive(Clone, Copy)]
enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    fn of(record: &AuditRecord) -> Self {
        match record.outcome() {
            Outcome::Written | Outcome::Allowed => Self::Info,
            Outcome::Lost => Self::Error,
            _ => Self::Warning,
        }
    }
}

/// A sink of records.
pub(super) enum Sink {
    File(FileSink),
    Otlp(OtlpSink),
    Syslog(SyslogSink),
}

/// A file of JSON lines.
pub(super) struct FileSink {
    path: PathBuf,
    file: File,
}

impl Sink {
    pub(super) fn file(path: &Path) -> Result<Self, Failure> {
        FileSink::open(path).map(Self::File)
    }

    /// A collector, at an http or https URL.
    pub(super) fn otlp(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        OtlpSink::new(url, ca).map(Self::Otlp)
    }

    /// A syslog server, at a tls or tcp URL.
    pub(super) fn syslog(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        SyslogSink::new(url, ca).map(Self::Syslog)
    }

    /// Sends records. When this returns, the sink has them all.
    pub(super) async fn send(&mut self, records: &[AuditRecord]) -> Result<(), Failure> {
        match self {
            Self::File(sink) => sink.append(records),
            Self::Otlp(sink) => sink.send(records).await,
            Self::Syslog(sink) => sink.send(records).await,
        }
    }
}

impl FileSink {
    /// Opens a file, without what a crash left of a line.
    fn open(path: &Path) -> Result<Self, Failure> {
        let opened = || {
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true).mode(FILE_MODE);
            let mut file = options.open(path)?;
            let end = end_of_lines(&mut file)?;
            file.set_len(end)?;
            Ok(file)
        };
        let file = opened().map_err(|error| failure(path, &error))?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    /// Appends all records or none.
    fn append(&mut self, records: &[AuditRecord]) -> Result<(), Failure> {
        let lines = lines(records)?;
        let before = self.file.metadata().map(|data| data.len());
        let before = before.map_err(|error| failure(&self.path, &error))?;
        let written = write_through(&mut self.file, &lines);
        written.map_err(|error| {
            // A part of a line would be in the way of the next attempt.
            let _ = self.file.set_len(before);
            failure(&self.path, &error)
        })
    }
}

/// The records as JSON, one object per line.
pub(super) fn lines(records: &[AuditRecord]) -> Result<String, Failure> {
    let mut lines = String::new();
    for record in records {
        lines.push_str(&json(record)?);
        lines.push('\n');
    }
    Ok(lines)
}

fn json(record: &AuditRecord) -> Result<String, Failure> {
    let json = json::write("pedigree.audit.v1.AuditRecord", record)?;
    Ok(json.to_string())
}

/// Where the last whole line ends.
fn end_of_lines(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        (&*file).take(end - start).read_to_end(&mut block)?;
        if let Some(place) = memchr::memrchr(b'\n', &block) {
            return Ok(start + u64::try_from(place).unwrap_or_default() + 1);
        }
        end = start;
    }
    Ok(0)
}

fn write_through(file: &mut File, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Replaces a file as a whole.
///
/// # Errors
///
/// If it cannot be written.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let replaced = || {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE);
        let mut file = options.open(&new)?;
        write_through(&mut file, text)?;
        std::fs::rename(&new, path)
    };
    replaced().map_err(|error| failure(path, &error))
}

pub(super) fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_off() {
        let folder = std::env::temp_dir().join(format!("pedigree-sink-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("audit.jsonl");
        let long = "x".repeat(usize::try_from(BLOCK_BYTES).unwrap() + 10);
        for (text, kept) in [
            (String::new(), 0),
            ("a\nb\n".into(), 4),
            ("a\nb".into(), 2),
            ("torn".into(), 0),
            (format!("a\n{long}"), 2),
            (format!("{long}\n"), long.len() + 1),
        ] {
            std::fs::write(&path, &text).unwrap();
            FileSink::open(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text[..kept]);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
