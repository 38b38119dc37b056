//! Files in a bucket of S3, in one of Google Cloud Storage and in a container of Azure: servers of
//! these protocols, which `tests/setup` installs. That of S3 serves Google's client too, whose
//! requests have the same form, but for the header that names the source of a copy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::artifacts::{BYTES, ask};
use crate::binary::{Process, Server, pedigree, run, wait_for};
use crate::container::free_port;
use crate::serving;
use crate::support::nginx::nginx;

once! {
    files_are_kept_in_a_bucket_of_s3,
    files_are_kept_in_a_bucket_of_google,
    files_are_kept_in_a_container_of_azure,
}

/// More than a part of an upload.
const LARGE_BYTES: usize = (33 << 20) + 1;

/// The account of Azure's emulators, and its key, which is in their documentation.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A store of objects, which runs on this machine.
struct ObjectStore {
    /// The folder for files, as an option of the server.
    place: &'static str,
    /// The variables with the address and the login.
    variables: Vec<(&'static str, String)>,
    port: u16,
    /// The path of a list of all objects, and the element that has their names.
    list: (String, &'static str),
    /// End with it.
    processes: Vec<Process>,
}

/// What `tests/setup` has installed at a path.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let shown = path.display();
    assert!(path.exists(), "there is no {shown}: run tests/setup");
    path
}

fn start(mut command: Command, dir: &Path, port: u16) -> Process {
    command.current_dir(dir);
    let process = Process::start(command);
    let address = format!("127.0.0.1:{port}");
    wait_for("the store", || std::net::TcpStream::connect(&address).ok());
    process
}

/// An empty bucket of S3.
fn s3(dir: &Path) -> ObjectStore {
    let port = free_port();
    let mut command = Command::new(installed("target/tools/bin/gofakes3"));
    let host = format!("127.0.0.1:{port}");
    command.args(["-backend=memory", "-initialbucket=files", "-host", &host]);
    ObjectStore {
        place: "s3://files/folder",
        variables: vec![
            ("AWS_ENDPOINT", format!("http://{host}")),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ],
        port,
        list: ("/files".to_owned(), "<Key>"),
        processes: vec![start(command, dir, port)],
    }
}

/// An empty bucket of Google Cloud Storage.
fn google(dir: &Path) -> ObjectStore {
    let mut store = s3(dir);
    let port = free_port();
    let proxy = nginx(
        dir,
        &format!(
            "listen 127.0.0.1:{port};
             client_max_body_size 0;
             proxy_set_header x-amz-copy-source $http_x_goog_copy_source;
             location / {{ proxy_pass http://127.0.0.1:{}; }}",
            store.port
        ),
    );
    let account = serde_json::json!({
        "gcs_base_url": format!("http://127.0.0.1:{port}"),
        "disable_oauth": true,
        "client_email": "", "private_key": "", "private_key_id": "",
    });
    let file = dir.join("account.json");
    fs::write(&file, account.to_string()).unwrap();
    let account_file = file.display().to_string();
    store.processes.push(start(proxy, dir, port));
    store.place = "gs://files/folder";
    store.variables = vec![("GOOGLE_SERVICE_ACCOUNT", account_file)];
    store
}

/// An empty container of Azure, which can be listed without a login.
async fn azure(dir: &Path) -> ObjectStore {
    let port = free_port();
    let main = "tests/buckets/node_modules/azurite/dist/src/blob/main.js";
    let mut command = Command::new("node");
    command.arg(installed(main));
    command.args(["--inMemoryPersistence", "--skipApiVersionCheck", "--silent"]);
    command.args(["--blobPort", &port.to_string()]);
    let store = ObjectStore {
        place: "az://files/folder",
        variables: vec![
            ("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()),
            (
                "AZURITE_BLOB_STORAGE_URL",
                format!("http://127.0.0.1:{port}"),
            ),
        ],
        port,
        list: (
            format!("/{ACCOUNT}/files?restype=container&comp=list"),
            "<Name>",
        ),
        processes: vec![start(command, dir, port)],
    };
    // The signature of an account's key.
    let headers = "x-ms-blob-public-access:container\n\
                   x-ms-date:Mon, 30 Nov 2026 00:00:00 GMT\n\
                   x-ms-version:2021-08-06";
    let resource = format!("/{ACCOUNT}/{ACCOUNT}/files\nrestype:container");
    let signed = ["PUT", &"\n".repeat(12), headers, "\n", &resource].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(KEY).unwrap());
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    let head = format!(
        "PUT /{ACCOUNT}/files?restype=container HTTP/1.1\r\n{}\r\n\
         Authorization: SharedKey {ACCOUNT}:{signature}",
        headers.replace('\n', "\r\n")
    );
    let created = serving::http(port, &head, b"").await;
    assert_eq!(created.status, 201, "{}", created.text());
    store
}

impl ObjectStore {
    /// A command that can log in.
    fn with_login(&self, mut command: Command) -> Command {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The names of all objects.
    async fn objects(&self) -> Vec<String> {
        let (path, element) = &self.list;
        let listed = serving::get(self.port, path).await.text();
        let names = listed.split(element).skip(1);
        names
            .map(|rest| rest.split('<').next().unwrap().to_owned())
            .collect()
    }
}

async fn files_are_kept_in_a_bucket_of_s3() {
    let dir = TempDir::new().unwrap();
    let store = s3(dir.path());
    files_are_kept(&store, dir.path()).await;
}

async fn files_are_kept_in_a_bucket_of_google() {
    let dir = TempDir::new().unwrap();
    let store = google(dir.path());
    files_are_kept(&store, dir.path()).await;
}

async fn files_are_kept_in_a_container_of_azure() {
    let dir = TempDir::new().unwrap();
    let store = azure(dir.path()).await;
    files_are_kept(&store, dir.path()).await;
}

async fn files_are_kept(store: &ObjectStore, dir: &Path) {
    let options = [
        "--database-url=sqlite:store.db",
        "--artifact-store",
        store.place,
    ];
    let serve = pedigree(dir, &[&options[..], &["--grpc-port=0"]].concat());
    let server = Server::wait(Process::start(store.with_login(serve)));
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
    let stored = store.objects().await;
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
    assert_eq!(store.objects().await, stored);

    assert_eq!(ask(port, "DELETE", "r/large", "", b"").await.status, 200);
    let sweep = [&["artifacts", "sweep", "--older-than=0s"], &options[..]].concat();
    let swept = run(store.with_login(pedigree(dir, &sweep)));
    assert!(
        swept.stdout.contains("1 blobs and 0 unfinished"),
        "{swept:?}"
    );
    assert_eq!(store.objects().await.len(), 2);
    assert_eq!(ask(port, "GET", "r/small", "", b"").await.text(), "small");
}
