//! What an export of Weights & Biases has: files with an object of JSON in each line.
//!
//! * `records`: what lines have; `copy`: their way into the graph.

mod copy;
mod records;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use clap::Args;

use self::copy::WandbImport;
use super::target::{ImportTarget, Imported};
use crate::cli::Failure;
use crate::config::ConfigArgs;

/// The extension of files of an export.
const EXTENSION: &str = "jsonl";

#[derive(Debug, Args)]
pub(super) struct WandbImportArgs {
    /// File of an export, or a folder with files `*.jsonl`
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,

    #[command(flatten)]
    pub options: ConfigArgs,
}

/// An export that is imported.
#[derive(Debug)]
pub(super) struct WandbExport {
    files: Vec<PathBuf>,
}

impl WandbImportArgs {
    /// The files of the export, by their names.
    pub(super) fn open(&self) -> Result<WandbExport, Failure> {
        let shown = self.path.display();
        let failed = |error: std::io::Error| Failure(format!("cannot read {shown}: {error}"));
        if !fs::metadata(&self.path).map_err(failed)?.is_dir() {
            let files = vec![self.path.clone()];
            return Ok(WandbExport { files });
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension() == Some(OsStr::new(EXTENSION)) {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(Failure(format!("{shown} has no file *.{EXTENSION}")));
        }
        files.sort_unstable();
        Ok(WandbExport { files })
    }
}

impl WandbExport {
    pub(super) async fn import(self, target: ImportTarget<'_>) -> Result<Imported, Failure> {
        let mut import = WandbImport::new(target);
        for file in &self.files {
            import.file(file).await?;
        }
        import.end()
    }
}
