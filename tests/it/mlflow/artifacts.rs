//! Files: their bytes, which are streamed both ways, and lists of them.

use std::fs;
use std::path::Path;

use pedigree::blobs::BlobDigest;
use pedigree::proto::ml_metadata::Artifact;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PREFIX, code, experiment, get, run, tell};
use crate::serving::{self, Http, http};
use crate::support::Store;

on_every_database! {
    bytes_come_back_whole_and_in_ranges,
    folders_are_listed_in_pages,
    a_folder_is_no_file_and_a_file_no_folder,
    a_refused_or_cut_upload_leaves_nothing,
    folders_stay_listed_while_others_delete_them,
    files_elsewhere_are_not_on_this_server,
    a_ready_model_has_the_digest_of_its_files,
    files_of_versions_and_models_are_read_by_name,
}

/// What the paths of bytes begin with.
pub const BYTES: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// Sends a request for the bytes at a path, with more lines in its head.
pub async fn ask(port: u16, method: &str, path: &str, lines: &str, body: &[u8]) -> Http {
    http(
        port,
        &format!("{method} {BYTES}/{path} HTTP/1.1{lines}"),
        body,
    )
    .await
}

/// Uploads a file.
pub async fn put(store: &Store, path: &str, body: &[u8]) {
    let answer = ask(store.port(), "PUT", path, "", body).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

/// What is in a folder.
pub async fn list(store: &Store, folder: &str) -> Value {
    let answer = serving::get(store.port(), &format!("{BYTES}?path={folder}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let listed: Value = serde_json::from_slice(&answer.body).unwrap();
    listed.get("files").cloned().unwrap_or_else(|| json!([]))
}

/// All files below a directory of this machine.
pub fn stored_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(stored_files(&path));
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

async fn bytes_come_back_whole_and_in_ranges(store: Store) {
    let bytes: Vec<u8> = (0_u32..200_000).flat_map(u32::to_le_bytes).collect();
    put(&store, "a/b%20%C3%A9.bin", &bytes).await;
    put(&store, "again/same.bin", &bytes).await;
    let port = store.port();
    let whole = ask(port, "GET", "a/b%20%C3%A9.bin", "", b"").await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("content-disposition"), Some("attachment"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert!(whole.body == bytes);
    let tag = whole.header("etag").unwrap().to_owned();
    let range = async |lines: &str| ask(port, "GET", "again/same.bin", lines, b"").await;
    let middle = range("\r\nRange: bytes=70000-140001").await;
    assert_eq!(middle.status, 206);
    assert_eq!(
        middle.header("content-range"),
        Some("bytes 70000-140001/800000")
    );
    assert!(middle.body == bytes[70_000..=140_001]);
    assert!(range("\r\nRange: bytes=-5").await.body == bytes[799_995..]);
    let outside = range("\r\nRange: bytes=800000-").await;
    assert_eq!(outside.status, 416);
    assert_eq!(outside.header("content-range"), Some("bytes */800000"));
    let same = range(&format!("\r\nRange: bytes=0-3\r\nIf-Range: {tag}")).await;
    assert_eq!((same.status, same.body.len()), (206, 4));
    let other = range("\r\nRange: bytes=0-3\r\nIf-Range: \"x\"").await;
    assert_eq!((other.status, other.body.len()), (200, bytes.len()));
    let known = range(&format!("\r\nIf-None-Match: {tag}")).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    // Equal bytes are stored once, and the first file keeps them.
    let digest = tag.trim_matches('"').to_owned();
    assert_eq!(stored_files(&store.artifact_folder()), [digest]);
    assert_eq!(ask(port, "DELETE", "again", "", b"").await.status, 200);
    assert!(ask(port, "GET", "a/b%20%C3%A9.bin", "", b"").await.body == bytes);
}

async fn folders_are_listed_in_pages(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 1).await;
    let root = format!("{number}/{id}/artifacts");
    for path in ["b-c", "b/x", "b!", "a/deep/est/y", "é"] {
        put(&store, &format!("{root}/{path}"), b"1").await;
    }
    let names = |files: &Value| -> Vec<String> {
        let files = files.as_array().into_iter().flatten();
        files
            .map(|it| it["path"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&list(&store, &root).await),
        ["a", "b", "b!", "b-c", "é"]
    );
    let first = get(&store, &format!("/artifacts/list?run_id={id}&path=a/deep")).await;
    assert_eq!(names(&first["files"]), ["a/deep/est"]);
    assert_eq!(first.get("next_page_token"), None);

    // More than a page.
    for index in 0..3 {
        put(&store, &format!("{root}/many/{index:05}"), b"").await;
    }
    let rows = (3..1001).map(|index| {
        let folder = format!("{root}/many");
        format!("('{folder}/{index:05}', '{folder}', 'd', 0, 0)")
    });
    let rows: Vec<String> = rows.collect();
    let statement = format!(
        "INSERT INTO PedigreeArtifactFile (path, folder, digest, bytes, time_since_epoch) \
         VALUES {}",
        rows.join(", ")
    );
    crate::sql::run_sql(store.url(), &statement).await;
    let path = format!("/artifacts/list?run_id={id}&path=many");
    let first = get(&store, &path).await;
    let token = first["next_page_token"].as_str().unwrap();
    let second = get(&store, &format!("{path}&page_token={token}")).await;
    assert_eq!(second.get("next_page_token"), None);
    assert_eq!(names(&second["files"]), ["many/01000"]);
    assert_eq!(names(&first["files"]).len(), 1000);
    assert_eq!(
        list(&store, &format!("{root}/many"))
            .await
            .as_array()
            .unwrap()
            .len(),
        1001
    );
    let wrong = format!("{PREFIX}{path}&page_token=!");
    let wrong = serving::get(store.port(), &wrong).await;
    assert_eq!(
        (wrong.status, code(&wrong).as_str()),
        (400, "INVALID_PARAMETER_VALUE")
    );
}

async fn a_folder_is_no_file_and_a_file_no_folder(store: Store) {
    put(&store, "r/a/b", b"1").await;
    for (path, message) in [
        (
            "r/a",
            "Artifact path refers to a directory, not a file: 'r/a'",
        ),
        (
            "r/a/b/c",
            "Artifact path refers to a file, not a directory: 'r/a/b'",
        ),
    ] {
        let answer = ask(store.port(), "PUT", path, "", b"2").await;
        assert_eq!(code(&answer), "INVALID_PARAMETER_VALUE");
        assert!(answer.text().contains(message), "{}", answer.text());
    }
    assert_eq!(ask(store.port(), "GET", "r/a/b", "", b"").await.body, b"1");
    assert_eq!(list(&store, "r/a").await.as_array().unwrap().len(), 1);
}

async fn a_refused_or_cut_upload_leaves_nothing(store: Store) {
    let port = store.port();
    let long = format!("r/{}", "x".repeat(256));
    for path in [
        "r/..%2Fx",
        "r/%252e%252e/x",
        "r/a%00b",
        "%2Fetc/x",
        "r/a%5Cb",
        &long,
        "r/%FF",
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let answer = ask(port, method, path, "", b"").await;
            assert_eq!(answer.status, 400, "{method} {path}");
            assert!(answer.text().contains("Invalid path"), "{}", answer.text());
        }
    }
    // The client ends the connection in the middle.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!("PUT {BYTES}/r/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000");
    stream
        .write_all(format!("{head}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    stream.write_all(&vec![7; 600_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // Whether there is an answer does not matter.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = ask(port, "GET", "r/cut", "", b"").await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (404, "RESOURCE_DOES_NOT_EXIST")
    );
    assert_eq!(list(&store, "r").await, json!([]));
    let folder = store.artifact_folder();
    crate::binary::wait_for("the end of the upload", || {
        stored_files(&folder).is_empty().then_some(())
    });
}

async fn folders_stay_listed_while_others_delete_them(store: Store) {
    let (port, body) = (store.port(), b"1");
    let upload = async |name: &str| {
        for number in 0..8 {
            let path = format!("r/a/b/{name}{number}");
            let answer = ask(port, "PUT", &path, "", body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    };
    let delete = async || {
        for _ in 0..8 {
            assert_eq!(ask(port, "DELETE", "r/a", "", b"").await.status, 200);
        }
    };
    tokio::join!(upload("x"), upload("y"), delete());
    // Each file that is there is in its folder, and this in the one above.
    put(&store, "r/a/b/last", body).await;
    let listed = list(&store, "r/a/b").await;
    for file in listed.as_array().unwrap() {
        let path = format!("r/a/b/{}", file["path"].as_str().unwrap());
        assert_eq!(ask(port, "GET", &path, "", b"").await.status, 200);
    }
    assert_eq!(
        list(&store, "r").await,
        json!([{"path": "a", "is_dir": true}])
    );
    assert_eq!(
        list(&store, "r/a").await,
        json!([{"path": "b", "is_dir": true}])
    );
    ask(port, "DELETE", "r/a", "", b"").await;
    assert_eq!(list(&store, "r/a/b").await, json!([]));
    assert_eq!(ask(port, "GET", "r/a/b/last", "", b"").await.status, 404);
}

async fn files_elsewhere_are_not_on_this_server(store: Store) {
    let body = json!({"name": "e", "artifact_location": "s3://bucket/dir"});
    let created = tell(&store, "/experiments/create", body).await;
    let id = run(&store, created["experiment_id"].as_str().unwrap(), "r", 1).await;
    let path = format!("{PREFIX}/artifacts/list?run_id={id}");
    let answer = serving::get(store.port(), &path).await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (400, "INVALID_PARAMETER_VALUE")
    );
    assert!(
        answer.text().contains("s3://bucket/dir"),
        "{}",
        answer.text()
    );
}

async fn a_ready_model_has_the_digest_of_its_files(store: Store) {
    let number = experiment(&store, "e").await;
    let new = json!({"experiment_id": number, "name": "m"});
    let created = tell(&store, "/logged-models", new).await;
    let id = created["model"]["info"]["model_id"].as_str().unwrap();
    let root = format!("{number}/models/{id}/artifacts");
    put(&store, &format!("{root}/MLmodel"), b"flavors: {}\n").await;
    put(&store, &format!("{root}/data/model.pkl"), b"x").await;
    let head =
        format!("PATCH {PREFIX}/logged-models/{id} HTTP/1.1\r\nContent-Type: application/json");
    let body = json!({"model_id": id, "status": "LOGGED_MODEL_READY"}).to_string();
    let answer = http(store.port(), &head, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // As `pedigree run` has it of a folder: what `sha256sum` prints of its files, sorted.
    let line = |bytes: &[u8], path| format!("{}  ./{path}\n", BlobDigest::of(bytes));
    let mut manifest = [
        line(b"flavors: {}\n", "MLmodel"),
        line(b"x", "data/model.pkl"),
    ];
    manifest.sort();
    let digest = BlobDigest::of(manifest.concat().as_bytes());
    let filter = format!(
        "name = '{id}' AND custom_properties.digest.string_value = 'sha256:{digest}' \
         AND custom_properties.bytes.int_value = 13 AND custom_properties.files.int_value = 2"
    );
    assert_eq!(store.find::<Artifact>(&filter).await.len(), 1);
}

async fn files_of_versions_and_models_are_read_by_name(store: Store) {
    let number = experiment(&store, "e").await;
    let run = run(&store, &number, "r", 1).await;
    let new = json!({"experiment_id": number, "name": "m"});
    let created = tell(&store, "/logged-models", new).await;
    let model = created["model"]["info"]["model_id"].as_str().unwrap();
    put(
        &store,
        &format!("{number}/{run}/artifacts/m/a.txt"),
        b"of run",
    )
    .await;
    let of_model = format!("{number}/models/{model}/artifacts/a.txt");
    put(&store, &of_model, b"of model").await;
    tell(&store, "/registered-models/create", json!({"name": "R"})).await;
    for (source, run) in [
        (format!("runs:/{run}/m"), &*run),
        (format!("models:/{model}"), ""),
        (
            format!("mlflow-artifacts:/{number}/{run}/artifacts/m"),
            &*run,
        ),
        ("models:/R/1".to_owned(), ""),
        ("s3://bucket/m".to_owned(), ""),
    ] {
        let new = json!({"name": "R", "source": source, "run_id": run});
        tell(&store, "/model-versions/create", new).await;
    }
    let plain = "/model-versions/get-artifact?name=R";
    let below = format!("{PREFIX}/logged-models/{model}/artifacts/files");
    for (path, status, text) in [
        (format!("{plain}&version=1&path=a.txt"), 200, "of run"),
        (format!("{plain}&version=2&path=a.txt"), 200, "of model"),
        (format!("{plain}&version=3&path=a.txt"), 200, "of run"),
        (format!("{plain}&version=4&path=a.txt"), 200, "of run"),
        (
            format!("{plain}&version=5&path=a.txt"),
            400,
            "s3://bucket/m are not on this server",
        ),
        (
            format!("{plain}&version=6&path=a.txt"),
            404,
            "RESOURCE_DOES_NOT_EXIST",
        ),
        (
            format!("{plain}&version=1&path=b.txt"),
            404,
            "No such artifact",
        ),
        (
            format!("{plain}&version=1&path=../a.txt"),
            400,
            "Invalid path",
        ),
        (format!("{plain}&version=1"), 400, "path"),
        (format!("{below}?artifact_file_path=a.txt"), 200, "of model"),
        (
            format!("{below}?artifact_file_path=b"),
            404,
            "No such artifact",
        ),
        (
            format!("{PREFIX}/logged-models/m-0/artifacts/files?artifact_file_path=a"),
            404,
            "m-0",
        ),
    ] {
        let answer = serving::get(store.port(), &path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
}
