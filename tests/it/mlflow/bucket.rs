//! Files in a bucket of S3: a server of that protocol, which `tests/setup` installs.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::artifacts::{BYTES, ask};
use crate::binary::{Process, Server, pedigree, run, wait_for};
use crate::container::free_port;
use crate::serving;

once! {
    files_are_kept_in_a_bucket,
}

/// More than a part of an upload.
const LARGE_BYTES: usize = (33 << 20) + 1;

const PLACE: &str = "s3://files/folder";

/// A server with an empty bucket.
fn bucket_server(dir: &Path, port: u16) -> Process {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/gofakes3");
    assert!(
        Path::new(tool).exists(),
        "there is no {tool}: run tests/setup"
    );
    let mut command = Command::new(tool);
    let host = format!("127.0.0.1:{port}");
    command.args(["-backend=memory", "-initialbucket=files", "-host", &host]);
    command.current_dir(dir);
    let process = Process::start(command);
    wait_for("the bucket", || std::net::TcpStream::connect(&host).ok());
    process
}

fn with_bucket(mut command: Command, port: u16) -> Command {
    command.env("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"));
    command.env("AWS_ACCESS_KEY_ID", "key");
    command.env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("AWS_REGION", "us-east-1");
    command
}

/// The names of all objects.
async fn objects(port: u16) -> Vec<String> {
    let listed = serving::get(port, "/files").await.text();
    let keys = listed.split("<Key>").skip(1);
    keys.map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect()
}

async fn files_are_kept_in_a_bucket() {
    let dir = TempDir::new().unwrap();
    let bucket = free_port();
    let _bucket_server = bucket_server(dir.path(), bucket);
    let options = ["--database-url=sqlite:store.db", "--artifact-store", PLACE];
    let serve = pedigree(dir.path(), &[&options[..], &["--grpc-port=0"]].concat());
    let server = Server::wait(Process::start(with_bucket(serve, bucket)));
    let port = server.port;
    let large: Vec<u8> = (0..LARGE_BYTES)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect();
    for (path, bytes) in [
        ("r/empty", &b""[..]),
        ("r/small", b"small"),
        ("r/large", &large),
    ] {
        let answer = ask(port, "PUT", path, "", bytes).await;
        assert_eq!(
            answer.status,
            200,
            "{path}: {} {}",
            answer.text(),
            server.process.log()
        );
        let read = ask(port, "GET", path, "", b"").await;
        assert_eq!(read.status, 200, "{}", server.process.log());
        assert!(read.body == bytes, "{path}");
    }
    let range = ask(
        port,
        "GET",
        "r/large",
        "\r\nRange: bytes=20000000-20000099",
        b"",
    )
    .await;
    assert_eq!(range.status, 206);
    assert!(range.body == large[20_000_000..20_000_100]);
    let listed: Value =
        serde_json::from_slice(&serving::get(port, &format!("{BYTES}?path=r")).await.body).unwrap();
    assert_eq!(listed["files"][1]["file_size"], LARGE_BYTES);
    let stored = objects(bucket).await;
    assert_eq!(stored.len(), 3, "{stored:?}");
    assert!(
        stored.iter().all(|name| name.starts_with("folder/sha256/")),
        "{stored:?}"
    );

    // An upload that is cut after its first part.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!("PUT {BYTES}/r/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000");
    stream
        .write_all(format!("{head}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    stream.write_all(&large[..20 << 20]).await.unwrap();
    drop(stream);
    assert_eq!(ask(port, "GET", "r/cut", "", b"").await.status, 404);
    assert_eq!(objects(bucket).await, stored);

    assert_eq!(ask(port, "DELETE", "r/large", "", b"").await.status, 200);
    let sweep = [&["artifacts", "sweep", "--older-than=0s"], &options[..]].concat();
    let swept = run(with_bucket(pedigree(dir.path(), &sweep), bucket));
    assert!(
        swept.stdout.contains("1 blobs and 0 unfinished"),
        "{swept:?}"
    );
    assert_eq!(objects(bucket).await.len(), 2);
    assert_eq!(ask(port, "GET", "r/small", "", b"").await.text(), "small");
}
