//! Files of the server as a process of its own: large ones, and those that it is ended with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, Rlimit, prlimit};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::artifacts::{BYTES, ask, stored_files};
use crate::binary::{Server, wait_for};
use crate::python::sized;
use crate::sql::{query, sqlite};

once! {
    large_files_take_little_memory,
    what_was_acknowledged_has_its_bytes_after_a_kill,
    a_store_without_room_is_an_error,
}

const MEBIBYTE_BYTES: usize = 1 << 20;

/// Files that are sent and read at once.
const FILES: usize = 4;

/// The bytes of a file that begin at a mebibyte.
fn part(file: usize, index: usize) -> Vec<u8> {
    let first = (file * 1_000_003 + index) as u64;
    let words = (0..MEBIBYTE_BYTES as u64 / 8).map(|word| first.wrapping_mul(0x9E37_79B9) + word);
    words.flat_map(u64::to_le_bytes).collect()
}

async fn send(port: u16, file: usize, mebibytes: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let bytes = mebibytes * MEBIBYTE_BYTES;
    let head = format!(
        "PUT {BYTES}/large/{file} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for index in 0..mebibytes {
        stream.write_all(&part(file, index)).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn receive(port: u16, file: usize, mebibytes: usize) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = BufReader::new(stream);
    let head = format!("GET {BYTES}/large/{file} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200"));
    let mut read = vec![0; MEBIBYTE_BYTES];
    for index in 0..mebibytes {
        stream.read_exact(&mut read).await.unwrap();
        assert!(read == part(file, index), "{file} {index}");
    }
}

async fn large_files_take_little_memory() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path(), "store.db", &[]);
    ask(server.port, "PUT", "small", "", b"1").await;
    let before = server.process.memory("VmRSS");
    let mebibytes = sized(64, 1024);
    let all = async |port| {
        let files = [0, 1, 2, 3].map(|file| tokio::spawn(send(port, file, mebibytes)));
        assert_eq!(files.len(), FILES);
        for file in files {
            file.await.unwrap();
        }
        let files = [0, 1, 2, 3].map(|file| tokio::spawn(receive(port, file, mebibytes)));
        for file in files {
            file.await.unwrap();
        }
    };
    all(server.port).await;
    let most = server.process.memory("VmHWM");
    let grown = most.saturating_sub(before) / MEBIBYTE_BYTES;
    assert!(grown <= 64, "{grown} MiB");
}

/// A file of some bytes that depend on its number.
fn content(number: usize) -> Vec<u8> {
    let length = [1, 5_000, 300_000, 900_000][number % 4];
    number
        .to_le_bytes()
        .into_iter()
        .cycle()
        .take(length)
        .collect()
}

/// Uploads a file. Returns whether that was acknowledged.
async fn upload(port: u16, path: &str, body: &[u8]) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let head = format!(
        "PUT {BYTES}/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Uploads until the server is gone.
async fn upload_on(port: u16, first: usize, count: Arc<AtomicUsize>) -> BTreeMap<String, usize> {
    let mut acknowledged = BTreeMap::new();
    for number in (first..).step_by(8) {
        let path = format!("runs/{}/{number}", number % 5);
        if !upload(port, &path, &content(number)).await.unwrap_or(false) {
            break;
        }
        acknowledged.insert(path, number);
        count.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

async fn what_was_acknowledged_has_its_bytes_after_a_kill() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut server = Server::start(dir.path(), "store.db", &[]);
    for round in 0..sized(3, 20) {
        let (count, port) = (Arc::new(AtomicUsize::new(0)), server.port);
        let first = |client| round * 1_000_000 + client;
        let clients: Vec<_> = (0..8)
            .map(|client| tokio::spawn(upload_on(port, first(client), count.clone())))
            .collect();
        wait_for("enough uploads", || {
            (count.load(Ordering::Relaxed) >= 20 + 7 * round).then_some(())
        });
        server.kill();
        for client in clients {
            acknowledged.extend(client.await.unwrap());
        }
        server = Server::start(dir.path(), "store.db", &[]);
        check(dir.path(), server.port, &acknowledged).await;
    }
}

/// Everything that was acknowledged is there, and no row is without its bytes.
async fn check(dir: &Path, port: u16, acknowledged: &BTreeMap<String, usize>) {
    for (path, number) in acknowledged {
        let answer = ask(port, "GET", path, "", b"").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body == content(*number), "{path}");
    }
    let rows = "SELECT digest FROM PedigreeArtifactFile WHERE digest <> ''";
    let rows = query(&sqlite(&dir.join("store.db")), rows).await;
    assert!(rows.len() >= acknowledged.len());
    let folder = dir.join("pedigree-artifacts");
    for digest in rows {
        let path = folder.join(format!("sha256/{}/{digest}", &digest[..2]));
        let bytes = fs::read(path).unwrap();
        assert_eq!(pedigree::blobs::BlobDigest::of(&bytes).as_str(), digest);
    }
}

async fn a_store_without_room_is_an_error() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path(), "store.db", &[]);
    ask(server.port, "PUT", "r/first", "", b"1").await;
    // No file may grow beyond this, which is as if the disk were full.
    let limit = Rlimit {
        current: Some(3 << 20),
        maximum: None,
    };
    prlimit(Some(server.process.pid()), Resource::Fsize, limit).unwrap();
    let answer = ask(server.port, "PUT", "r/large", "", &vec![7; 8 << 20]).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(
        answer
            .text()
            .contains("no space left (see --artifact-store)"),
        "{}",
        answer.text()
    );
    assert_eq!(
        ask(server.port, "GET", "r/large", "", b"").await.status,
        404
    );
    assert_eq!(
        stored_files(&dir.path().join("pedigree-artifacts")).len(),
        1
    );
    assert_eq!(
        ask(server.port, "PUT", "r/small", "", b"2").await.status,
        200
    );

    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let store = file.to_str().unwrap();
    let server = Server::start(dir.path(), "other.db", &["--artifact-store", store]);
    let answer = ask(server.port, "PUT", "r/first", "", b"1").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .text()
            .contains("is not a directory (see --artifact-store)")
    );
    assert_eq!(
        ask(server.port, "GET", "r/first", "", b"").await.status,
        404
    );
}
