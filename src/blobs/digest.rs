//! Names and places of blobs.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// The number of hexadecimal digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// The SHA-256 of a blob. Its text has 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobDigest(String);

impl BlobDigest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_hash(digest(&SHA256, bytes).as_ref())
    }

    /// The digest that a hash is.
    pub(super) fn of_hash(hash: &[u8]) -> Self {
        Self(hex::encode(hash))
    }

    /// The digest of a text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_digest = text.len() == DIGEST_DIGITS && text.bytes().all(is_digit);
        is_digest.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The place of the blob in its store. A folder has blobs whose digests begin alike.
    #[must_use]
    pub fn place(&self) -> String {
        format!("sha256/{}/{self}", &self.0[..2])
    }
}

/// The digest of a folder, of the digests of its files and their paths below it: the SHA-256 of its
/// manifest, a line `DIGEST  ./PATH` for each file, as `sha256sum` prints it, sorted by bytes.
#[must_use]
pub fn folder_digest<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> BlobDigest {
    let mut lines: Vec<String> = files
        .map(|(digest, path)| format!("{digest}  ./{path}\n"))
        .collect();
    lines.sort_unstable();
    BlobDigest::of(lines.concat().as_bytes())
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
