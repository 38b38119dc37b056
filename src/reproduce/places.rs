//! Where a rerun puts files.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{Order, Uses};
use super::{ArtifactLineage, Placeholder, RoleUse, facts, mentions};

/// Whether a rerun can put a file where the command looks for it: the command names its role, or
/// its path stays within the work tree.
pub(super) fn has_place(command: &[String], role: &str, path: &str) -> bool {
    let is_named = |word: &String| {
        mentions(word, |placeholder| match placeholder {
            Placeholder::Input(named) | Placeholder::Output(named) => named == role,
            Placeholder::Parameter(_) => false,
        })
    };
    is_inner_path(path) || command.iter().any(is_named)
}

/// Whether a path stays within the folder that it starts from.
#[must_use]
pub fn is_inner_path(path: &str) -> bool {
    let parts = path.split('/');
    !path.is_empty() && !path.starts_with('/') && parts.into_iter().all(|part| part != "..")
}

/// Leaves out what cannot be compared and what nothing needs: outputs without a place, of steps
/// that have a place for others.
pub(super) fn leave_out(uses: &mut Uses, lineage: &ArtifactLineage, order: &Order, artifact: i64) {
    let inputs = order.executions.iter().filter_map(|id| uses.inputs.get(id));
    let read = inputs.flat_map(BTreeMap::values).copied();
    let needed: BTreeSet<i64> = read.chain([artifact]).collect();
    for id in &order.executions {
        let node = lineage.executions.get(id);
        let Some((node, outputs)) = node.zip(uses.outputs.get_mut(id)) else {
            continue;
        };
        let command = facts::command(node);
        let paths = facts::texts_below(node, "output.");
        let is_placed = |role: &String| {
            let path = paths.get(role).map(String::as_str);
            has_place(&command, role, path.unwrap_or_default())
        };
        if outputs.keys().any(is_placed) {
            outputs.retain(|role, artifact| is_placed(role) || needed.contains(artifact));
        }
    }
}

/// Gives outputs without a place that of an output with the same content. Both are one file, which
/// two doors know by artifacts of their own.
pub(super) fn share<'a>(
    command: &[String],
    outputs: &mut [RoleUse],
    digest: impl Fn(i64) -> Option<&'a str>,
) {
    let is_placed = |file: &RoleUse| has_place(command, &file.role, &file.path);
    let placed = outputs.iter().filter(|file| is_placed(file));
    let placed = placed.filter_map(|file| Some((digest(file.artifact)?, file.clone())));
    let placed: BTreeMap<&str, RoleUse> = placed.collect();
    for file in outputs.iter_mut().filter(|file| !is_placed(file)) {
        let known = digest(file.artifact).and_then(|digest| placed.get(digest));
        if let Some(known) = known {
            *file = RoleUse {
                artifact: file.artifact,
                ..known.clone()
            };
        }
    }
}
