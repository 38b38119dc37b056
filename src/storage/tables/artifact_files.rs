//! The table `PedigreeArtifactFile`: files that clients uploaded, and the folders that they are in,
//! by their paths. The bytes of a file are in the artifact store, by their digest.

use crate::error::Result;
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};
use crate::storage::{Query, Tx};

static ARTIFACT_FILE: Table = Table {
    name: "PedigreeArtifactFile",
    columns: &[
        ("path", Text),
        ("folder", Text),
        ("digest", Text),
        ("bytes", IntColumn),
        ("time_since_epoch", IntColumn),
    ],
    unwritten: &[],
    key: 1,
};

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRow {
    /// Without a slash at its beginning and its end.
    pub path: String,
    /// The SHA-256 of the file, as hexadecimal digits. Empty for a folder.
    pub digest: String,
    /// The size of the file.
    pub bytes: i64,
    /// When it was uploaded: milliseconds since epoch.
    pub time: i64,
}

impl FromRow for ArtifactRow {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            path: row.get(0)?,
            digest: row.get(1)?,
            bytes: row.get(2)?,
            time: row.get(3)?,
        })
    }
}

impl ArtifactRow {
    fn push_to<'a>(&'a self, rows: &mut Rows<'a>) {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        rows.push([
            self.path.as_str().into(),
            folder.into(),
            self.digest.as_str().into(),
            self.bytes.into(),
            self.time.into(),
        ]);
    }
}

/// Stores a file, in place of one at the same path.
///
/// # Errors
///
/// Those of the database.
pub async fn put(tx: &mut Tx, file: &ArtifactRow) -> Result<()> {
    let mut rows = Rows::new(&ARTIFACT_FILE);
    file.push_to(&mut rows);
    tx.upsert_rows(&rows).await
}

/// Stores folders, unless they are stored.
///
/// # Errors
///
/// Those of the database.
pub async fn put_missing(tx: &mut Tx, folders: &[ArtifactRow]) -> Result<()> {
    let mut rows = Rows::new(&ARTIFACT_FILE);
    for folder in folders {
        folder.push_to(&mut rows);
    }
    tx.insert_missing_rows(&rows).await
}

/// What is at these paths.
///
/// # Errors
///
/// Those of the database.
pub async fn at(tx: &mut Tx, paths: &[&str]) -> Result<Vec<ArtifactRow>> {
    let query = at_paths(tx, "artifact_files::at", paths);
    tx.all(query).await
}

/// What is at these paths, and stays until the end of the transaction.
///
/// # Errors
///
/// `Contention` when a lock is not acquired in time, or on a deadlock.
pub async fn lock_shared(tx: &mut Tx, paths: &[&str]) -> Result<Vec<ArtifactRow>> {
    let mut query = at_paths(tx, "artifact_files::lock_shared", paths);
    query.push(tx.dialect().for_share());
    tx.all(query).await
}

fn at_paths(tx: &Tx, name: &'static str, paths: &[&str]) -> Query {
    let mut query = tx.sql(
        name,
        "SELECT path, digest, bytes, time_since_epoch FROM PedigreeArtifactFile WHERE path",
    );
    query.push_in_texts(paths);
    query
}

/// So many files and folders in a folder, in the order of their paths, after a path.
///
/// # Errors
///
/// Those of the database.
pub async fn in_folder(
    tx: &mut Tx,
    folder: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<ArtifactRow>> {
    let mut query = tx.sql(
        "artifact_files::in_folder",
        "SELECT path, digest, bytes, time_since_epoch FROM PedigreeArtifactFile \
         WHERE folder = ? AND path > ? ORDER BY path LIMIT ?",
    );
    query.bind(folder).bind(after).bind(limit);
    tx.all(query).await
}

/// So many files in a folder, at any depth, in the order of their paths.
///
/// # Errors
///
/// Those of the database.
pub async fn files_below(tx: &mut Tx, folder: &str, limit: i64) -> Result<Vec<ArtifactRow>> {
    let [begin, end] = bounds(folder);
    let mut query = tx.sql(
        "artifact_files::files_below",
        "SELECT path, digest, bytes, time_since_epoch FROM PedigreeArtifactFile \
         WHERE path > ? AND path < ? AND digest <> '' ORDER BY path LIMIT ?",
    );
    query.bind(begin).bind(end).bind(limit);
    tx.all(query).await
}

/// Those of some digests that a file has.
///
/// # Errors
///
/// Those of the database.
pub async fn with_digests(tx: &mut Tx, digests: &[&str]) -> Result<Vec<String>> {
    let mut query = tx.sql(
        "artifact_files::with_digests",
        "SELECT digest FROM PedigreeArtifactFile WHERE digest",
    );
    query.push_in_texts(digests).push(" GROUP BY digest");
    tx.all(query).await
}

/// Whether there is no file.
///
/// # Errors
///
/// Those of the database.
pub async fn is_empty(tx: &mut Tx) -> Result<bool> {
    let query = tx.sql(
        "artifact_files::is_empty",
        "SELECT digest FROM PedigreeArtifactFile WHERE digest > '' LIMIT 1",
    );
    Ok(tx.first::<String>(query).await?.is_none())
}

/// The bounds of the paths of what is in a folder, at any depth: `0` is the character after `/`.
fn bounds(folder: &str) -> [String; 2] {
    [[folder, "/"].concat(), [folder, "0"].concat()]
}

/// Deletes what is at a path, and if it is a folder, what is in it at any depth.
///
/// # Errors
///
/// Those of the database.
pub async fn delete_tree(tx: &mut Tx, path: &str) -> Result<()> {
    let mut rows = Rows::keys(&ARTIFACT_FILE);
    rows.push([path.into()]);
    tx.delete_rows(&rows).await?;
    // The first statement waits for those who add to these folders. The second one sees what they
    // added.
    for _ in 0..2 {
        let [begin, end] = bounds(path);
        let mut query = tx.sql(
            "artifact_files::delete_tree",
            "DELETE FROM PedigreeArtifactFile WHERE path > ? AND path < ?",
        );
        query.bind(begin).bind(end);
        tx.run(query).await?;
    }
    Ok(())
}
