//! Digests of files and folders, with a cache of those of files that did not change.
//!
//! The digest of a file is the SHA-256 of its bytes, that of a folder the one of its manifest.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::Failure;
use crate::blobs::folder_digest;

/// The size of the buffer that files are read with.
const BUFFER_BYTES: usize = 1 << 20;

/// The most files of a folder.
const MAX_FOLDER_FILES: usize = 1_000_000;

/// How deep folders may be nested; links may form a circle.
const MAX_FOLDER_DEPTH: usize = 64;

/// The most files that the cache remembers. It begins anew when there are more.
const MAX_CACHED_FILES: usize = 100_000;

/// A file that changed so recently is not remembered: another change could leave the same time.
const MIN_CACHED_AGE: Duration = Duration::from_secs(2);

/// What a file or folder contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// `sha256:HEX`.
    pub digest: String,
    pub bytes: u64,
    /// The number of files, of a folder.
    pub files: Option<u64>,
}

/// What the file system says about a file. A write changes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct FileStamp {
    bytes: u64,
    inode: u64,
    /// Nanoseconds since epoch: of the last change of the content, and of the file itself.
    modified: i64,
    changed: i64,
}

/// Computes digests and remembers those of files.
#[derive(Debug, Default)]
pub(super) struct Digests {
    /// Where the cache is kept, if anywhere.
    cache: Option<PathBuf>,
    known: HashMap<PathBuf, KnownDigest>,
    is_changed: bool,
}

#[derive(Debug, Deserialize, Serialize)]
struct KnownDigest {
    stamp: FileStamp,
    hex: String,
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            bytes: metadata.len(),
            inode: metadata.ino(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the last change is long enough ago to remember the digest.
    fn is_settled(&self) -> bool {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        let limit = now.saturating_sub(MIN_CACHED_AGE).as_nanos();
        i64::try_from(limit).is_ok_and(|limit| self.changed.max(self.modified) < limit)
    }
}

impl Digests {
    /// Reads the cache of this user. One that cannot be read is empty.
    pub(super) fn with_cache() -> Self {
        let cache = user_folder("XDG_CACHE_HOME", ".cache");
        let cache = cache.map(|folder| folder.join("pedigree").join("digests.json"));
        let text = cache.as_deref().and_then(|path| fs::read(path).ok());
        let known = text.and_then(|text| serde_json::from_slice(&text).ok());
        Self {
            cache,
            known: known.unwrap_or_default(),
            is_changed: false,
        }
    }

    /// Keeps the cache for later commands. It is no error if that cannot be done.
    pub(super) fn save(&mut self) {
        if let Some(path) = self.cache.as_deref().filter(|_| self.is_changed) {
            let _ = self.try_save(path);
            self.is_changed = false;
        }
    }

    fn try_save(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = path.with_extension(std::process::id().to_string());
        fs::write(&unfinished, serde_json::to_vec(&self.known)?)?;
        fs::rename(unfinished, path)
    }

    /// The contents of a file or a folder. Links are followed.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is neither file nor folder, or has a name that a manifest cannot
    /// hold.
    pub(super) fn of(&mut self, path: &Path) -> Result<Contents, Failure> {
        let path = path.canonicalize().map_err(|error| problem(path, &error))?;
        let metadata = fs::metadata(&path).map_err(|error| problem(&path, &error))?;
        if metadata.is_file() {
            return Ok(Contents {
                digest: format!("sha256:{}", self.hex(&path, &metadata)?),
                bytes: metadata.len(),
                files: None,
            });
        }
        if !metadata.is_dir() {
            let path = path.display();
            return Err(Failure(format!("{path}: neither a file nor a folder")));
        }
        let mut files = Vec::new();
        let mut bytes = 0;
        for file in files_below(&path)? {
            let metadata = fs::metadata(&file).map_err(|error| problem(&file, &error))?;
            let hex = self.hex(&file, &metadata)?;
            let name = file.strip_prefix(&path).unwrap_or(&file);
            files.push((hex, manifest_name(name)?.to_owned()));
            bytes += metadata.len();
        }
        let named = files
            .iter()
            .map(|(hex, name)| (hex.as_str(), name.as_str()));
        Ok(Contents {
            digest: format!("sha256:{}", folder_digest(named)),
            bytes,
            files: u64::try_from(files.len()).ok(),
        })
    }

    fn hex(&mut self, path: &Path, metadata: &Metadata) -> Result<String, Failure> {
        let stamp = FileStamp::of(metadata);
        if let Some(known) = self.known.get(path).filter(|known| known.stamp == stamp) {
            return Ok(known.hex.clone());
        }
        let hex = read_hex(path).map_err(|error| problem(path, &error))?;
        if stamp.is_settled() {
            if self.known.len() >= MAX_CACHED_FILES {
                self.known.clear();
            }
            let known = KnownDigest {
                stamp,
                hex: hex.clone(),
            };
            self.known.insert(path.to_owned(), known);
            self.is_changed = true;
        }
        Ok(hex)
    }
}

/// What the file system says about a file, or about all files of a folder. Empty if there is none.
pub(super) fn stamps(path: &Path) -> Vec<(PathBuf, FileStamp)> {
    let files = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => files_below(path).unwrap_or_default(),
        Ok(_) => vec![path.to_owned()],
        Err(_) => Vec::new(),
    };
    let stamp = |file: PathBuf| {
        let metadata = fs::metadata(&file).ok()?;
        Some((file, FileStamp::of(&metadata)))
    };
    files.into_iter().filter_map(stamp).collect()
}

/// A folder of this user: where the variable says, or this one in the home folder.
pub(super) fn user_folder(variable: &str, in_home: &str) -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from);
    let absolute = |name| absolute(name).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(in_home)))
}

/// The files of a folder and of the folders in it, in no order.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut files = Vec::new();
    while let Some((folder, depth)) = folders.pop() {
        if depth > MAX_FOLDER_DEPTH {
            let folder = folder.display();
            return Err(Failure(format!("{folder}: folders are nested too deep")));
        }
        let entries = fs::read_dir(&folder).map_err(|error| problem(&folder, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| problem(&folder, &error))?.path();
            let metadata = fs::metadata(&path).map_err(|error| problem(&path, &error))?;
            if metadata.is_dir() {
                folders.push((path, depth + 1));
            } else if metadata.is_file() {
                files.push(path);
            } else {
                let path = path.display();
                return Err(Failure(format!("{path}: neither a file nor a folder")));
            }
        }
        if files.len() > MAX_FOLDER_FILES {
            return Err(Failure(format!(
                "{}: more than {MAX_FOLDER_FILES} files",
                folder.display()
            )));
        }
    }
    Ok(files)
}

/// The name of a file in a manifest, which `sha256sum` would write as it is.
fn manifest_name(name: &Path) -> Result<&str, Failure> {
    let text = name
        .to_str()
        .filter(|text| !text.contains(['\\', '\n', '\r']));
    text.ok_or_else(|| {
        let name = name.display();
        Failure(format!(
            "{name}: a manifest cannot hold this name of a file"
        ))
    })
}

fn read_hex(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(context.finish())),
            count => context.update(&buffer[..count]),
        }
    }
}

fn problem(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

/// The last part of a path, or `name` if it has none.
pub(super) fn file_name<'a>(path: &'a Path, name: &'a str) -> &'a str {
    path.file_name().and_then(OsStr::to_str).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn files_and_folders_have_the_digests_of_the_common_tools() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("b c"), "two").unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/ü"), "").unwrap();
        let mut digests = Digests::default();
        let file = digests.of(&dir.path().join("b c")).unwrap();
        let expected = "sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
        assert_eq!(
            (file.digest.as_str(), file.bytes, file.files),
            (expected, 3, None)
        );
        let folder = digests.of(dir.path()).unwrap();
        assert_eq!((folder.bytes, folder.files), (3, Some(2)));
        let script = "find -L . -type f -exec sha256sum {} + | LC_ALL=C sort | sha256sum";
        let mut command = Command::new("sh");
        let output = command
            .args(["-c", script])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            Some(folder.digest.trim_start_matches("sha256:")),
            text.split(' ').next()
        );
    }

    #[test]
    fn a_name_that_a_manifest_cannot_hold_is_refused() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("two\nlines"), "").unwrap();
        let refused = Digests::default().of(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("a manifest cannot hold"), "{refused}");
    }

    #[test]
    fn the_digest_of_a_file_that_changed_is_not_that_of_the_cache() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("data");
        let mut digests = Digests::default();
        let mut seen = Vec::new();
        for text in ["one", "two", "one"] {
            fs::write(&path, text).unwrap();
            seen.push(digests.of(&path).unwrap().digest);
        }
        assert_ne!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
    }
}
