//! `pedigree record`: JSON lines to the server, each stored once however often the connection is lost.

use std::collections::VecDeque;
use std::io::{BufRead, IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::server::{Client, Server};
use super::{Failure, json};
use crate::proto;
use crate::proto::pedigree::lineage::v1::{RecordRequest, RecordResponse};

/// How often a terminal is told how far things are.
const TELL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub struct Record {
    /// File of JSON lines, each a `RecordRequest` as protocol buffers write it in JSON [default: standard input]
    file: Option<PathBuf>,

    /// Give lines without an id the id `PREFIX:LINE`; without this they are refused. The same file must keep its prefix, and no other
    /// may have it
    #[arg(long, value_name = "PREFIX")]
    id_prefix: Option<String>,

    /// Most messages on their way at once
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,

    #[command(flatten)]
    server: Server,
}

/// A message that was not answered yet, and the line that it came from.
struct Waiting {
    line: u64,
    request: RecordRequest,
}

type Lines = Receiver<(u64, std::io::Result<String>)>;

struct Recording<'a> {
    options: &'a Record,
    lines: Lines,
    is_read: bool,
    waiting: VecDeque<Waiting>,
    stored: u64,
    repeated: u64,
    refused: u64,
    /// When a terminal was told, if there is one.
    told: Option<Instant>,
}

impl Record {
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// Sends all lines, and tells in the end whether any was refused.
    pub(super) async fn run(&self, input: impl BufRead + Send + 'static) -> Result<(), Failure> {
        let client = self.server.client()?;
        let mut reconnects = self.server.reconnects();
        let mut recording = Recording {
            options: self,
            lines: lines(input, self.window.into()),
            is_read: false,
            waiting: VecDeque::new(),
            stored: 0,
            repeated: 0,
            refused: 0,
            told: stderr().is_terminal().then(Instant::now),
        };
        loop {
            let before = recording.stored + recording.refused;
            match recording.stream(client.clone()).await? {
                None => break,
                Some(lost) => {
                    if recording.stored + recording.refused > before {
                        reconnects.reset();
                    }
                    reconnects.wait(lost).await?;
                }
            }
        }
        recording.tell_end();
        match recording.refused {
            0 => Ok(()),
            refused => Err(Failure(format!("{refused} messages were refused"))),
        }
    }
}

/// Reads lines in a thread, a few ahead.
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

impl Recording<'_> {
    /// Sends what waits and then the lines that are left. Returns how the stream was lost, if it was before the end.
    async fn stream(&mut self, mut client: Client) -> Result<Option<Status>, Failure> {
        let (sender, receiver) = mpsc::channel(self.options.window.into());
        for waiting in &self.waiting {
            send(&sender, &waiting.request);
        }
        let mut responses = match client.record(ReceiverStream::new(receiver)).await {
            Ok(responses) => responses.into_inner(),
            Err(status) => return Ok(Some(status)),
        };
        while !(self.is_read && self.waiting.is_empty()) {
            let has_room = self.waiting.len() < self.options.window.into();
            tokio::select! {
                line = self.lines.recv(), if has_room && !self.is_read => match line {
                    Some((number, line)) => self.read(number, &line?, &sender),
                    None => self.is_read = true,
                },
                response = responses.message() => match response {
                    Ok(Some(response)) => self.answered(&response)?,
                    Ok(None) => return Ok(Some(Status::unavailable("the server ended the stream"))),
                    Err(status) => return Ok(Some(status)),
                },
            }
            self.tell();
        }
        Ok(None)
    }

    fn read(&mut self, line: u64, text: &str, sender: &Sender<RecordRequest>) {
        if text.trim().is_empty() {
            return;
        }
        match request(line, text, self.options.id_prefix.as_deref()) {
            Ok(request) => {
                send(sender, &request);
                self.waiting.push_back(Waiting { line, request });
            }
            Err(problem) => self.refuse(line, &problem.to_string()),
        }
    }

    fn answered(&mut self, response: &RecordResponse) -> Result<(), Failure> {
        let first = self.waiting.pop_front();
        let Some(Waiting { line, .. }) = first.filter(|first| first.request.id == response.id)
        else {
            return Err(Failure(format!(
                "the server answered `{}`, which was not next",
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
        let clear = if self.told.is_some() { "\r\x1b[K" } else { "" };
        eprintln!("{clear}line {line}: {problem}");
    }

    fn tell(&mut self) {
        if self.told.is_some_and(|told| told.elapsed() >= TELL) {
            self.told = Some(Instant::now());
            let waiting = self.waiting.len();
            eprint!("\r\x1b[K{} stored, {waiting} on their way", self.stored);
            // It is only for the eye.
            let _ = stderr().flush();
        }
    }

    fn tell_end(&self) {
        let clear = if self.told.is_some() { "\r\x1b[K" } else { "" };
        let (stored, repeated, refused) = (self.stored, self.repeated, self.refused);
        eprintln!("{clear}{stored} stored, of them {repeated} before; {refused} refused");
    }
}

/// Puts a message on its way. The channel has room for all that wait; when the stream is lost they are sent again.
fn send(sender: &Sender<RecordRequest>, request: &RecordRequest) {
    let _ = sender.try_send(request.clone());
}

/// The message of a line.
fn request(line: u64, text: &str, id_prefix: Option<&str>) -> Result<RecordRequest, Failure> {
    let mut request: RecordRequest = json::read("RecordRequest", text)?;
    if request.id.is_empty() {
        let prefix = id_prefix.ok_or_else(|| {
            Failure("it has no id, without which it cannot be sent again (see --id-prefix)".into())
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
        let run = r#"{"id": "a", "run": {"moment": "START", "type": "Train", "name": "r1"}}"#;
        let read = request(1, run, None).unwrap();
        assert_eq!(read.id, "a");
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
