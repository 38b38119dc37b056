//! Where a rerun puts files.

use super::{Placeholder, PlannedStep, RoleUse, mentions};

/// Whether a rerun can put a file where the command looks for it: the command names its role, or
/// its path stays within the work tree.
pub(super) fn has_place(step: &PlannedStep, file: &RoleUse) -> bool {
    let role = file.role.as_str();
    let is_named = |word: &String| {
        mentions(word, |placeholder| match placeholder {
            Placeholder::Input(named) | Placeholder::Output(named) => named == role,
            Placeholder::Parameter(_) => false,
        })
    };
    is_inner_path(&file.path) || step.command.iter().any(is_named)
}

/// Whether a path stays within the folder that it starts from.
#[must_use]
pub fn is_inner_path(path: &str) -> bool {
    let parts = path.split('/');
    !path.is_empty() && !path.starts_with('/') && parts.into_iter().all(|part| part != "..")
}
