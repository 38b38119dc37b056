//! Where files of runs and models are: on the other server, or in the artifact store after they
//! were copied.

use std::collections::HashMap;
use std::fmt;

use serde_json::json;

use super::records::SourceFile;
use super::source::{MlflowSource, SourceList};
use crate::blobs::BlobStore;
use crate::cli::Failure;
use crate::cli::import::files;
use crate::cli::import::target::ImportTarget;
use crate::graph::file_path;
use crate::graph::tracking::names::served_path;

/// What has files.
#[derive(Clone, Copy, Debug)]
pub(super) enum FileOwner<'i> {
    /// A run, by its id.
    Run(&'i str),
    /// A logged model, by its id.
    Model(&'i str),
}

impl fmt::Display for FileOwner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(id) => write!(f, "run {id}"),
            Self::Model(id) => write!(f, "model {id}"),
        }
    }
}

impl FileOwner<'_> {
    /// What is in a folder of its files.
    fn list(self, folder: &str) -> SourceList {
        match self {
            Self::Run(id) => {
                let fields = json!({"run_id": id, "path": folder});
                SourceList::got("/artifacts/list", "files", fields)
            }
            Self::Model(id) => {
                let path = format!("/logged-models/{id}/artifacts/directories");
                let fields = json!({"artifact_directory_path": folder});
                SourceList::got(path, "files", fields)
            }
        }
    }
}

/// The places of files.
#[derive(Debug)]
pub(super) struct FilePlaces<'s> {
    source: &'s MlflowSource,
    /// Where files are copied to, if they are.
    blobs: Option<&'s BlobStore>,
    /// URIs of folders that were copied, with their places here.
    moved: HashMap<String, String>,
}

fn joined(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        _ => [folder, "/", path].concat(),
    }
}

impl<'s> FilePlaces<'s> {
    pub(super) fn new(source: &'s MlflowSource, blobs: Option<&'s BlobStore>) -> Self {
        Self {
            source,
            blobs,
            moved: HashMap::new(),
        }
    }

    /// Where files at a URI are, for clients of this server.
    pub(super) fn of(&self, uri: &str) -> String {
        let mut folder = uri;
        loop {
            if let Some(place) = self.moved.get(folder) {
                return [place, &uri[folder.len()..]].concat();
            }
            match folder.rsplit_once('/') {
                Some((above, _)) => folder = above,
                None => return self.source.place_of(uri),
            }
        }
    }

    /// Whether files at a URI of the other server are to be copied.
    pub(super) fn copies(&self, uri: &str) -> bool {
        self.blobs.is_some() && served_path(uri).is_some_and(|path| !path.is_empty())
    }

    /// Remembers that what is at a URI is at a place here.
    pub(super) fn moved(&mut self, uri: &str, place: &str) {
        self.moved.insert(uri.to_owned(), place.to_owned());
    }

    /// Copies the files of a run or a model from a URI to a place. Those that are there with the
    /// same size are not fetched again. A file that cannot be copied is named, and the rest is
    /// copied. Returns whether all that the other server still has is here.
    pub(super) async fn copy(
        &mut self,
        target: &mut ImportTarget<'_>,
        owner: FileOwner<'_>,
        uri: &str,
        place: &str,
    ) -> Result<bool, Failure> {
        let (Some(blobs), Some(from), Some(to)) =
            (self.blobs, served_path(uri), served_path(place))
        else {
            return Ok(false);
        };
        let mut folders = vec![String::new()];
        let mut is_whole = true;
        while let Some(folder) = folders.pop() {
            let known = files::known(target, &joined(to, &folder)).await?;
            let mut list = owner.list(&folder);
            loop {
                let page = match self.source.next_page::<SourceFile>(&mut list).await {
                    Ok(Some(page)) => page,
                    Ok(None) => break,
                    Err(failure) => {
                        target.leave_out(&format!("the files of {owner}"), &failure);
                        return Ok(false);
                    }
                };
                for file in page {
                    let is_below = file.path.len() > folder.len()
                        && file.path.starts_with(&folder)
                        && file_path(&file.path).as_ref() == Some(&file.path);
                    let what = format!("{} of {owner}", file.path);
                    if !is_below {
                        target.leave_out(&what, &"no file can have such a path");
                        is_whole = false;
                        continue;
                    }
                    if file.is_dir {
                        folders.push(file.path);
                        continue;
                    }
                    let here = joined(to, &file.path);
                    if known.get(&here) == Some(&file.file_size.unwrap_or_default()) {
                        continue;
                    }
                    let path = joined(from, &file.path);
                    let store =
                        async |bytes| files::put(target, blobs, &here, file.file_size, bytes).await;
                    match self.source.fetch(&path, store).await {
                        Ok(Some(())) => target.imported.files += 1,
                        Ok(None) => target.leave_out(&what, &"the other server has lost it"),
                        Err(failure) => {
                            target.leave_out(&what, &failure);
                            is_whole = false;
                        }
                    }
                }
            }
        }
        Ok(is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_a_copied_folder_have_moved_with_it() {
        let url = "http://mlflow.example:5000".parse().unwrap();
        let source = MlflowSource::open(&url, None, None).unwrap();
        let mut places = FilePlaces::new(&source, None);
        places.moved("mlflow-artifacts:/1/r", "mlflow-artifacts:/7/r");
        for (uri, place) in [
            ("mlflow-artifacts:/1/r", "mlflow-artifacts:/7/r"),
            ("mlflow-artifacts:/1/r/a/b", "mlflow-artifacts:/7/r/a/b"),
            (
                "mlflow-artifacts:/1/rest",
                "mlflow-artifacts://mlflow.example:5000/1/rest",
            ),
            ("s3://bucket/a", "s3://bucket/a"),
            ("models:/m-1", "models:/m-1"),
        ] {
            assert_eq!(places.of(uri), place);
        }
    }
}
