//! Puts the artifacts of a composite write, some of which may exist with their external id.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::Result;
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::model::{Kind, NodeInput, NodeKey};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// When a new artifact with an external id becomes an update of the one that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum ArtifactReuse {
    Never,
    /// When it was stored before the request.
    Stored,
    /// Also when it comes earlier in the request.
    AlsoWithinRequest,
}

pub(in crate::graph) struct ArtifactWriter<'a> {
    artifacts: Vec<&'a NodeInput>,
    reuse: ArtifactReuse,
    writer: NodeWriter<'a>,
    /// Ids by external id.
    known: HashMap<String, i64>,
}

impl<'a> ArtifactWriter<'a> {
    /// Reads what the artifacts refer to, and locks those that they will change.
    pub(in crate::graph) async fn new(
        tx: &mut Tx,
        artifacts: Vec<&'a NodeInput>,
        reuse: ArtifactReuse,
        now: i64,
    ) -> Result<Self> {
        let options = PutOptions {
            on_conflict: if reuse == ArtifactReuse::Never {
                OnConflict::Error
            } else {
                OnConflict::Retry
            },
            ..PutOptions::default()
        };
        let known = if reuse == ArtifactReuse::Never {
            HashMap::new()
        } else {
            stored_ids(tx, &artifacts).await?
        };
        let coming = artifacts.iter().copied();
        let mut writer = NodeWriter::new(tx, Kind::Artifact, coming, options, now).await?;
        let reused = artifacts.iter().filter_map(|artifact| {
            let id = known.get(reusable(artifact)?)?;
            Some((*id, *artifact))
        });
        writer.load(tx, reused).await?;
        Ok(Self {
            artifacts,
            reuse,
            writer,
            known,
        })
    }

    /// Puts the artifacts; the ids are aligned with them.
    pub(in crate::graph) async fn put(mut self, tx: &mut Tx) -> Result<Vec<i64>> {
        // External ids that first appear in this request, with the place of the artifact that
        // brings them.
        let mut fresh: HashMap<&str, usize> = HashMap::new();
        for artifact in std::mem::take(&mut self.artifacts) {
            let external_id = reusable(artifact).filter(|_| self.reuse != ArtifactReuse::Never);
            let Some(external_id) = external_id else {
                self.writer.put(tx, Cow::Borrowed(artifact)).await?;
                continue;
            };
            let earlier = fresh.get(external_id).copied();
            if let Some(place) = earlier.filter(|_| self.reuse == ArtifactReuse::AlsoWithinRequest)
                && let Some(id) = self.writer.id_at(tx, place).await?
            {
                self.known.insert(external_id.to_owned(), id);
            }
            if let Some(&id) = self.known.get(external_id) {
                let update = NodeInput {
                    id: Some(id),
                    ..artifact.clone()
                };
                self.writer.put(tx, Cow::Owned(update)).await?;
            } else {
                let place = self.writer.put(tx, Cow::Borrowed(artifact)).await?;
                fresh.insert(external_id, place);
            }
        }
        self.writer.finish(tx).await
    }
}

/// The external id by which an artifact may be reused.
fn reusable(artifact: &NodeInput) -> Option<&str> {
    let external_id = artifact.content.external_id.as_deref()?;
    (artifact.id.is_none() && !external_id.is_empty()).then_some(external_id)
}

/// The ids of the stored artifacts that have the external id of one that may be reused.
async fn stored_ids(tx: &mut Tx, artifacts: &[&NodeInput]) -> Result<HashMap<String, i64>> {
    let external_ids: Vec<&str> = artifacts.iter().filter_map(|node| reusable(node)).collect();
    let mut known = nodes::ids_by_external_ids(tx, Kind::Artifact, &external_ids).await?;
    if tx.dialect().has_loose_collation() {
        // Where ids that look different can be equal, the database decides.
        for external_id in external_ids {
            let key = NodeKey::ExternalId(external_id);
            if !known.contains_key(external_id)
                && let Some(id) = nodes::find(tx, Kind::Artifact, key).await?
            {
                known.insert(external_id.to_owned(), id);
            }
        }
    }
    Ok(known)
}
