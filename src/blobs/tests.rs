//! Blobs in a directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio_stream::StreamExt;

use super::*;

fn store_in(path: &Path) -> BlobStore {
    BlobStore::open(&BlobPlace::Directory(path.to_owned())).unwrap()
}

/// All files below a directory.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

async fn bytes_of(store: &BlobStore, digest: &BlobDigest, range: Range<u64>) -> Vec<u8> {
    let mut parts = store.read(digest, range).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part.unwrap());
    }
    bytes
}

#[tokio::test]
async fn a_blob_is_what_was_written_and_is_stored_once() {
    let folder = TempDir::new().unwrap();
    let store = store_in(&folder.path().join("a/b"));
    let bytes: Vec<u8> = (0_u32..300_000).flat_map(u32::to_le_bytes).collect();
    let mut digests = Vec::new();
    for part_bytes in [1 << 20, 70_001, 1000] {
        let mut blob = store.begin().await.unwrap();
        for part in bytes.chunks(part_bytes) {
            blob.write(Bytes::copy_from_slice(part)).await.unwrap();
        }
        assert_eq!(blob.bytes(), bytes.len() as u64);
        digests.push(blob.finish().await.unwrap().digest);
    }
    assert_eq!(digests, [(); 3].map(|()| BlobDigest::of(&bytes)));
    assert_eq!(files(folder.path()), [digests[0].as_str()]);
    let whole = 0..bytes.len() as u64;
    assert_eq!(bytes_of(&store, &digests[0], whole).await, bytes);
    for range in [70_000..70_003, 100_000..900_000, 262_144..524_288, 7..7] {
        let part = &bytes[range.clone()];
        let range = range.start as u64..range.end as u64;
        assert_eq!(bytes_of(&store, &digests[0], range).await, part);
    }
    let path = folder.path().join("a/b").join(digests[0].place());
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn nothing_is_left_of_a_blob_that_is_not_finished() {
    let folder = TempDir::new().unwrap();
    let store = store_in(folder.path());
    let mut blob = store.begin().await.unwrap();
    blob.write(vec![7; 1 << 20].into()).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    drop(blob);
    assert_eq!(files(folder.path()), [""; 0]);
}

#[tokio::test]
async fn tenants_do_not_see_the_blobs_of_others() {
    let folder = TempDir::new().unwrap();
    let store = store_in(folder.path());
    let mut blob = store.begin().await.unwrap();
    blob.write(Bytes::from_static(b"x")).await.unwrap();
    let stored = blob.finish().await.unwrap();
    let foreign = store
        .of_tenant(Some("other"))
        .read(&stored.digest, 0..1)
        .await;
    assert!(matches!(foreign, Err(Error::DataLoss(_))));
}

#[tokio::test]
async fn a_place_that_is_no_directory_is_named_in_the_error() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = store_in(&file).begin().await.unwrap_err();
    assert!(
        matches!(refused, Error::FailedPrecondition(_)),
        "{refused:?}"
    );
}

#[test]
fn digests_are_lower_case_hexadecimal_digits() {
    let digest = BlobDigest::of(b"");
    assert!(digest.as_str().starts_with("e3b0c442"));
    assert_eq!(BlobDigest::parse(digest.as_str()), Some(digest.clone()));
    assert!(digest.place().starts_with("sha256/e3/e3b0c442"));
    for text in ["", "e3", &"E3".repeat(32), &"/.".repeat(32)] {
        assert_eq!(BlobDigest::parse(text), None);
    }
}

#[test]
fn places_are_directories_and_buckets() {
    for text in ["s3://bucket/folder", "gs://bucket", "az://container/a/b"] {
        let place: BlobPlace = text.parse().unwrap();
        assert!(matches!(place, BlobPlace::Bucket(_)), "{text}");
        assert_eq!(place.to_string(), text);
    }
    for text in ["pedigree-artifacts", "/data/artifacts", "./s3:/x"] {
        let place: BlobPlace = text.parse().unwrap();
        assert_eq!(place, BlobPlace::Directory(text.into()));
    }
    for text in [
        "",
        "ftp://x",
        "s3://user:secret@bucket",
        "s3://",
        "s3://b?x=1",
    ] {
        assert!(text.parse::<BlobPlace>().is_err(), "{text}");
    }
}

#[test]
fn the_digest_of_a_folder_is_that_of_its_manifest() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let manifest = format!("{a}  ./z\n{b}  ./c/d\n");
    let digest = folder_digest([(&*b, "c/d"), (&*a, "z")].into_iter());
    assert_eq!(digest, BlobDigest::of(manifest.as_bytes()));
}

/// A sweep was killed after it had moved an old file away, and then the bytes were uploaded again.
#[tokio::test]
async fn a_newer_file_stays_where_a_sweep_was_interrupted() {
    let folder = TempDir::new().unwrap();
    let digest = BlobDirectory::new(folder.path()).put(b"bytes").unwrap();
    let moved = folder.path().join(format!("uploads/{digest}.swept"));
    let file = fs::File::create(&moved).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let rule = SweepRule {
        before: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        is_dry: false,
    };
    let swept = store_in(folder.path())
        .sweep(rule, async |_| Ok(Vec::new()))
        .await;
    assert_eq!(swept.unwrap(), Swept::default());
    assert!(folder.path().join(digest.place()).exists());
    assert!(!moved.exists());
}
