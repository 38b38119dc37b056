//! What an export of Neptune has, as `neptune-exporter` writes it: files of Parquet, some for each
//! run, and files that runs had.
//!
//! * `rows`: the rows of files; `records`: what they say of a run.
//! * `copy`: their way into the graph.

mod copy;
mod records;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use self::copy::NeptuneImport;
use super::target::{ImportTarget, Imported};
use crate::blobs::BlobStore;
use crate::cli::Failure;
use crate::config::{Config, ConfigArgs};

#[derive(Debug, Args)]
pub(super) struct NeptuneImportArgs {
    /// Folder of the export's Parquet files, with a folder for each project
    #[arg(value_name = "DIR")]
    path: PathBuf,

    /// Folder of the export's other files, which are copied into the artifact store
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,

    /// Factor of steps, which are integers here: 1000 where they have up to three decimals
    #[arg(long, value_name = "N", default_value_t = 1)]
    step_multiplier: i64,

    #[command(flatten)]
    pub options: ConfigArgs,
}

/// The files of a run, by their numbers.
pub(super) type RunParts = BTreeMap<u32, PathBuf>;

/// An export that is imported.
#[derive(Debug)]
pub(super) struct NeptuneExport {
    /// By the starts of the paths of their files.
    runs: BTreeMap<PathBuf, RunParts>,
    /// The folder of other files and the artifact store, if they are copied.
    files: Option<(PathBuf, BlobStore)>,
    step_multiplier: i64,
}

/// The start of the path of a file of a run, and the number of the file.
fn part(path: &Path) -> Option<(PathBuf, u32)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
    let (run, number) = name.rsplit_once("_part_")?;
    Some((path.with_file_name(run), number.parse().ok()?))
}

impl NeptuneImportArgs {
    /// The files of the export.
    pub(super) fn open(&self, config: &Config) -> Result<NeptuneExport, Failure> {
        let shown = self.path.display();
        let failed = |error: io::Error| Failure(format!("cannot read {shown}: {error}"));
        let mut runs: BTreeMap<PathBuf, RunParts> = BTreeMap::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let path = entry.path();
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push(path);
                } else if let Some((run, number)) = part(&path) {
                    runs.entry(run).or_default().insert(number, path);
                }
            }
        }
        if runs.is_empty() {
            return Err(Failure(format!("{shown} has no file *_part_*.parquet")));
        }
        let store = &config.serving.artifact_store;
        let files = self
            .files
            .clone()
            .map(|files| Ok((files, BlobStore::open(store)?)));
        Ok(NeptuneExport {
            runs,
            files: files
                .transpose()
                .map_err(|error: crate::error::Error| Failure::from(error))?,
            step_multiplier: self.step_multiplier,
        })
    }
}

impl NeptuneExport {
    pub(super) async fn import(self, target: ImportTarget<'_>) -> Result<Imported, Failure> {
        let Self {
            runs,
            files,
            step_multiplier,
        } = self;
        let mut import = NeptuneImport::new(target, files.as_ref(), step_multiplier);
        for (name, parts) in &runs {
            import.run(name, parts).await?;
        }
        import.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_run_are_numbered() {
        for (path, expected) in [
            ("d/p/RUN-1_part_0.parquet", Some(("d/p/RUN-1", 0))),
            ("d/a_part_1_part_12.parquet", Some(("d/a_part_1", 12))),
            ("d/RUN-1_part_0.parquet.tmp", None),
            ("d/RUN-1.parquet", None),
        ] {
            let expected = expected.map(|(run, number)| (PathBuf::from(run), number));
            assert_eq!(part(Path::new(path)), expected, "{path}");
        }
    }
}
