//! Files that runs made.
//!
//! The tag `pedigree.output.ROLE` of a run has the path of a file as the script wrote it, from its
//! working directory. If that file is at the top of those of the run, where clients put it, it is
//! an output of the run when that ends, so that the file can be made again.

use std::collections::{BTreeSet, HashMap};

use super::artifacts::{self, RunArtifact, RunArtifacts};
use super::fields::{text, texts_after};
use super::names::{self, ARTIFACT_URI, BYTES, OUTPUT_TAG_PREFIX, RUN_FILE_TYPE, TAG_PREFIX};
use super::runs::find;
use super::schema::TrackingTypes;
use crate::error::Result;
use crate::graph::datasets::named::{self, NamedUris};
use crate::graph::files::sha256_text;
use crate::graph::types::declared::DeclaredType;
use crate::model::{EventType, Kind, Node, Origin, Step, Value};
use crate::storage::Tx;
use crate::storage::tables::artifact_files::{self, ArtifactRow};
use crate::storage::tables::nodes;

const FILE_TYPE: DeclaredType = (Kind::Artifact, RUN_FILE_TYPE, &[]);

/// Files that a run made.
pub(super) struct MadeFiles {
    type_id: i64,
    artifacts: Vec<RunArtifact>,
    named: NamedUris,
}

impl MadeFiles {
    /// Those that the tags of a run name. The datasets at their URIs are locked; no execution is
    /// locked before.
    ///
    /// # Errors
    ///
    /// `Contention` when a lock is not acquired in time.
    pub(super) async fn of_run(tx: &mut Tx, id: &str, origin: &Origin) -> Result<Option<Self>> {
        let types = TrackingTypes::ensure(tx, origin).await?;
        let found: Vec<i64> = find(tx, types, id).await?.into_iter().collect();
        let run = nodes::by_ids(tx, Kind::Execution, &found).await?.pop();
        let Some(run) = run else {
            return Ok(None);
        };
        let places = places(&run);
        if places.is_empty() {
            return Ok(None);
        }
        let paths: Vec<&str> = places.iter().map(|(_, path)| path.as_str()).collect();
        let stored = artifact_files::at(tx, &paths).await?.into_iter();
        let stored = stored.filter(|row| !row.digest.is_empty());
        let stored: HashMap<String, ArtifactRow> =
            stored.map(|row| (row.path.clone(), row)).collect();
        let made = places.iter();
        let made = made.filter_map(|(role, path)| Some(artifact(&run, role, stored.get(path)?)));
        let artifacts: Vec<RunArtifact> = made.collect();
        if artifacts.is_empty() {
            return Ok(None);
        }
        let type_id = artifacts::type_id(tx, FILE_TYPE, origin).await?;
        let uris: BTreeSet<&str> = artifacts.iter().map(|it| it.uri.as_str()).collect();
        let named = named::name(tx, &uris, origin).await?;
        Ok(Some(Self {
            type_id,
            artifacts,
            named,
        }))
    }

    /// Stores them as outputs of their run, which is locked.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn put(self, tx: &mut Tx, run: &Node, now: i64) -> Result<()> {
        let links = RunArtifacts {
            type_id: self.type_id,
            event_type: EventType::Output,
            artifacts: &self.artifacts,
        };
        links.put(tx, run, self.named, now).await?;
        Ok(())
    }
}

/// The roles of the files that the tags of a run name, with their paths on this server.
fn places(run: &Node) -> Vec<(String, String)> {
    let content = &run.content;
    let folder = text(&content.properties, ARTIFACT_URI);
    let Some(folder) = names::served_path(&folder) else {
        return Vec::new();
    };
    let prefix = [TAG_PREFIX, OUTPUT_TAG_PREFIX].concat();
    let named = texts_after(&content.custom_properties, &prefix).into_iter();
    let named = named.filter(|(role, _)| !role.is_empty());
    let place = |(role, path): (String, String)| {
        let name = path.trim_end_matches('/').rsplit('/').next()?;
        Some((role, [folder, "/", name].concat())).filter(|_| !name.is_empty())
    };
    named.filter_map(place).collect()
}

/// The artifact of a file in a role. Another content is another artifact.
fn artifact(run: &Node, role: &str, file: &ArtifactRow) -> RunArtifact {
    let run = run.content.name.as_deref().unwrap_or_default();
    RunArtifact {
        external_id: names::run_file_id(run, role, &file.digest),
        uri: names::served_uri(&file.path),
        digest: sha256_text(&file.digest),
        facts: vec![(BYTES.to_owned(), Value::Int(file.bytes))],
        path: vec![Step::Key(role.to_owned())],
        ..RunArtifact::default()
    }
}
