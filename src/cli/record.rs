//! `pedigree record`: sends JSON lines to Record. Lines without a response are sent again after a
//! lost connection; their ids make sure that each is stored once.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write, stderr, stdin};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::client::{Client, ServerArgs};
use super::{Failure, json};
use crate::proto;
use crate::proto::pedigree::lineage::v1::{RecordRequest, RecordResponse};

/// How often the progress on a terminal is updated.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How long the stream may be silent, in milliseconds: less than the time-outs of proxies.
const HEARTBEAT_MILLISECONDS: i64 = 10_000;

#[derive(Debug, Args)]
pub struct RecordArgs {
    /// File of JSON lines, each a `RecordRequest` as protobuf JSON [default: standard input]
    file: Option<PathBuf>,

    /// Id prefix for lines without an id, which get the id `PREFIX:LINE NUMBER`; use one prefix
    /// per file, and the same one when the file is sent again
    #[arg(long, value_name = "PREFIX")]
    id_prefix: Option<String>,

    /// Maximum number of messages without a response yet
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,

    #[command(flatten)]
    server: ServerArgs,
}

/// A message without a response yet, and the number of its line.
struct Unanswered {
    line: u64,
    request: RecordRequest,
}

type Lines = Receiver<(u64, std::io::Result<String>)>;

struct RecordSession<'a> {
    options: &'a RecordArgs,
    lines: Lines,
    is_read: bool,
    unanswered: VecDeque<Unanswered>,
    stored: u64,
    repeated: u64,
    refused: u64,
    /// When the progress was last updated, if standard error is a terminal.
    updated: Option<Instant>,
}

impl RecordArgs {
    /// Sends the file or standard input.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let file = self.file.as_deref().filter(|path| *path != Path::new("-"));
        let Some(path) = file else {
            return self.send(BufReader::new(stdin())).await;
        };
        let file = File::open(path);
        let file = file.map_err(|error| Failure(format!("{}: {error}", path.display())))?;
        self.send(BufReader::new(file)).await
    }

    /// Sends all lines. Fails if any is refused.
    async fn send(&self, input: impl BufRead + Send + 'static) -> Result<(), Failure> {
        let client = self.server.client()?;
        let mut reconnects = self.server.reconnects();
        let mut session = RecordSession {
            options: self,
            lines: lines(input, self.window.into()),
            is_read: false,
            unanswered: VecDeque::new(),
            stored: 0,
            repeated: 0,
            refused: 0,
            updated: stderr().is_terminal().then(Instant::now),
        };
        loop {
            let before = session.stored + session.refused;
            match session.stream(client.clone()).await? {
                None => break,
                Some(lost) => {
                    if session.stored + session.refused > before {
                        reconnects.reset();
                    }
                    reconnects.wait(lost).await?;
                }
            }
        }
        session.print_summary();
        match session.refused {
            0 => Ok(()),
            refused => Err(Failure(format!("{refused} messages were refused"))),
        }
    }
}

/// Reads lines in a thread of its own, up to `ahead` of what is sent.
fn lines(input: impl BufRead + Send + 'static, ahead: usize) -> Lines {
    let (sender, receiver) = mpsc::channel(ahead);
    std::thread::spawn(move || {
        for (line, number) in input.lines().zip(1..) {
            if sender.blocking_send((number, line)).is_err() {
                break;
            }
        }
    });
    receiver
}

impl RecordSession<'_> {
    /// Sends the unanswered messages and then the remaining lines. Returns the status of a stream
    /// that ended before all were answered.
    async fn stream(&mut self, mut client: Client) -> Result<Option<Status>, Failure> {
        let window: usize = self.options.window.into();
        let (sender, receiver) = mpsc::channel(window);
        for unanswered in &self.unanswered {
            enqueue(&sender, &unanswered.request);
        }
        let mut responses = match client.record(ReceiverStream::new(receiver)).await {
            Ok(responses) => responses.into_inner(),
            Err(status) => return Ok(Some(status)),
        };
        while !(self.is_read && self.unanswered.is_empty()) {
            let has_room = self.unanswered.len() < window;
            tokio::select! {
                line = self.lines.recv(), if has_room && !self.is_read => match line {
                    Some((number, line)) => self.read(number, &line?, &sender),
                    None => self.is_read = true,
                },
                response = responses.message() => match response {
                    Ok(Some(response)) if response.id.is_empty() => {}
                    Ok(Some(response)) => self.accept(&response)?,
                    Ok(None) => return Ok(Some(Status::unavailable("the server ended the stream"))),
                    Err(status) => return Ok(Some(status)),
                },
            }
            self.print_progress();
        }
        Ok(None)
    }

    fn read(&mut self, line: u64, text: &str, sender: &Sender<RecordRequest>) {
        if text.trim().is_empty() {
            return;
        }
        match request(line, text, self.options.id_prefix.as_deref()) {
            Ok(request) => {
                enqueue(sender, &request);
                self.unanswered.push_back(Unanswered { line, request });
            }
            Err(problem) => self.refuse(line, &problem.to_string()),
        }
    }

    /// Matches a response with the oldest unanswered message.
    fn accept(&mut self, response: &RecordResponse) -> Result<(), Failure> {
        let first = self.unanswered.pop_front();
        let Some(Unanswered { line, .. }) = first.filter(|first| first.request.id == response.id)
        else {
            return Err(Failure(format!(
                "the server answered `{}` out of order",
                response.id
            )));
        };
        if let Some(status) = &response.refused {
            let code = proto::code_name(Code::from(status.code));
            self.refuse(line, &format!("{code}: {}", status.message));
        } else {
            self.stored += 1;
            self.repeated += u64::from(response.repeated);
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, problem: &str) {
        self.refused += 1;
        let clear = if self.updated.is_some() {
            "\r\x1b[K"
        } else {
            ""
        };
        eprintln!("{clear}line {line}: {problem}");
    }

    fn print_progress(&mut self) {
        let updated = self.updated;
        if updated.is_some_and(|updated| updated.elapsed() >= PROGRESS_INTERVAL) {
            self.updated = Some(Instant::now());
            let unanswered = self.unanswered.len();
            eprint!("\r\x1b[K{} stored, {unanswered} in flight", self.stored);
            // Progress that cannot be shown is no error.
            let _ = stderr().flush();
        }
    }

    fn print_summary(&self) {
        let clear = if self.updated.is_some() {
            "\r\x1b[K"
        } else {
            ""
        };
        let (stored, repeated, refused) = (self.stored, self.repeated, self.refused);
        eprintln!("{clear}{stored} stored, of them {repeated} before; {refused} refused");
    }
}

/// Puts a message into the channel of the stream, which has room for a whole window. If the stream
/// is lost, its unanswered messages are sent again on the next one.
fn enqueue(sender: &Sender<RecordRequest>, request: &RecordRequest) {
    let _ = sender.try_send(request.clone());
}

/// Reads the message of a line.
fn request(line: u64, text: &str, id_prefix: Option<&str>) -> Result<RecordRequest, Failure> {
    let mut request: RecordRequest = json::read("pedigree.lineage.v1.RecordRequest", text)?;
    if request.heartbeat == 0 {
        request.heartbeat = HEARTBEAT_MILLISECONDS;
    }
    if request.id.is_empty() {
        let prefix = id_prefix.ok_or_else(|| {
            Failure("it has no id, which is needed to send it again (see --id-prefix)".into())
        })?;
        request.id = format!("{prefix}:{line}");
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pedigree::lineage::v1::record_request::Change;

    #[test]
    fn lines_are_messages_with_ids() {
        let run = r#"{"id": "a", "run": {"eventType": "START", "type": "Train", "name": "r1"}}"#;
        let read = request(1, run, None).unwrap();
        assert_eq!(
            (read.id.as_str(), read.heartbeat),
            ("a", HEARTBEAT_MILLISECONDS)
        );
        assert!(matches!(read.change, Some(Change::Run(run)) if run.name == "r1"));
        let put = r#"{"putArtifacts": {"artifacts": [{"typeId": "7"}]}}"#;
        assert_eq!(request(3, put, Some("file")).unwrap().id, "file:3");
        for (text, problem) in [
            (put, "no id"),
            ("{", "EOF"),
            (r#"{"id": "a"} x"#, "trailing"),
            (r#"{"id": "a", "runs": {}}"#, "unrecognized"),
        ] {
            let refused = request(1, text, None).unwrap_err().to_string();
            assert!(refused.contains(problem), "{refused}");
        }
    }
}
