//! A target that notes what it gets, and answers as it is told to.

use std::collections::VecDeque;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request that the target has got.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// The status of the answer.
    pub status: u16,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The events of the request.
    pub fn events(&self) -> Vec<Value> {
        match &self.body {
            Value::Array(events) => events.clone(),
            event => vec![event.clone()],
        }
    }
}

/// What chooses the status and the headers of an answer, and its body.
type Answering = dyn Fn(&Received) -> (u16, &'static str, String) + Send + Sync;

#[derive(Default)]
struct Notes {
    received: Vec<Received>,
    /// Statuses and headers of the next answers.
    next: VecDeque<(u16, &'static str)>,
}

/// A server of its own. It ends when this is dropped.
pub struct NotingTarget {
    pub port: u16,
    notes: Arc<Mutex<Notes>>,
    serving: JoinHandle<()>,
}

impl Drop for NotingTarget {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl NotingTarget {
    /// Takes everything, after answers of its own.
    pub async fn after(next: &[(u16, &'static str)]) -> Self {
        Self::answering(next, Arc::new(|_: &Received| (201, "", String::new()))).await
    }

    pub async fn answering(next: &[(u16, &'static str)], answer: Arc<Answering>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let notes = Arc::new(Mutex::new(Notes {
            next: next.iter().copied().collect(),
            ..Notes::default()
        }));
        let serving = tokio::spawn(serve(listener, notes.clone(), answer));
        Self {
            port,
            notes,
            serving,
        }
    }

    pub fn received(&self) -> Vec<Received> {
        self.notes.lock().unwrap().received.clone()
    }

    /// The events that it has taken, in order.
    pub fn taken(&self) -> Vec<Value> {
        let received = self.received();
        let taken = received.iter().filter(|request| request.status < 300);
        taken.flat_map(Received::events).collect()
    }
}

async fn serve(listener: TcpListener, notes: Arc<Mutex<Notes>>, answer: Arc<Answering>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (notes, answer) = (notes.clone(), answer.clone());
        connections.spawn(async move { converse(stream, &notes, &*answer).await });
    }
}

/// Answers the requests of a connection. `None` when it ends.
async fn converse(stream: TcpStream, notes: &Mutex<Notes>, answer: &Answering) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut request = read_request(&mut stream).await?;
        let next = notes.lock().unwrap().next.pop_front();
        let (status, headers, body) = match next {
            Some((status, headers)) => (status, headers, String::new()),
            None => answer(&request),
        };
        request.status = status;
        notes.lock().unwrap().received.push(request);
        let text = format!(
            "HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.ok()?;
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut request = Received {
        path,
        headers,
        body: Value::Null,
        status: 0,
    };
    let length = request.header("content-length").unwrap().parse().unwrap();
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.ok()?;
    if request.header("content-encoding") == Some("gzip") {
        let mut text = Vec::new();
        GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
        bytes = text;
    }
    request.body = serde_json::from_slice(&bytes).unwrap();
    Some(request)
}
