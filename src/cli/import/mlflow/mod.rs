//! What a tracking server of `MLflow` has.
//!
//! * `source`: the answers of the server; `records`: what these have.
//! * `copy`: their way into the graph; `places`: where files are, and their copies.

mod copy;
mod places;
mod records;
mod source;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::Url;

use self::copy::MlflowImport;
use self::source::MlflowSource;
use super::target::{ImportTarget, Imported};
use crate::blobs::BlobStore;
use crate::cli::Failure;
use crate::config::{Config, ConfigArgs};

#[derive(Debug, Args)]
pub(super) struct MlflowImportArgs {
    /// URL of the tracking server
    #[arg(value_name = "URL")]
    url: Url,

    /// What becomes of files that the server has itself
    #[arg(long, value_enum, default_value_t = SourceFiles::Reference)]
    artifacts: SourceFiles,

    /// File of a token to send to that server, which is read once
    #[arg(long, value_name = "FILE")]
    source_token_file: Option<PathBuf>,

    /// Certificate authority of that server, a PEM file; otherwise those of browsers
    #[arg(long, value_name = "FILE")]
    source_ca_cert: Option<PathBuf>,

    #[command(flatten)]
    pub options: ConfigArgs,
}

/// What becomes of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SourceFiles {
    /// They stay where they are, and clients go on reading them there
    Reference,
    /// They are copied into the artifact store
    Copy,
}

/// A server whose contents are imported.
#[derive(Debug)]
pub(super) struct MlflowOrigin {
    source: MlflowSource,
    /// Where files are copied to, if they are.
    blobs: Option<BlobStore>,
}

impl MlflowImportArgs {
    /// The server, which is not asked for anything yet.
    pub(super) fn open(&self, config: &Config) -> Result<MlflowOrigin, Failure> {
        let (token, ca_file) = (&self.source_token_file, &self.source_ca_cert);
        let is_copied = self.artifacts == SourceFiles::Copy;
        let store = &config.serving.artifact_store;
        let blobs = is_copied.then(|| BlobStore::open(store)).transpose()?;
        let source = MlflowSource::open(&self.url, token.as_deref(), ca_file.as_deref())?;
        Ok(MlflowOrigin { source, blobs })
    }
}

impl MlflowOrigin {
    pub(super) async fn import(self, target: ImportTarget<'_>) -> Result<Imported, Failure> {
        let import = MlflowImport::new(&self.source, self.blobs.as_ref(), target);
        import.run().await
    }
}
