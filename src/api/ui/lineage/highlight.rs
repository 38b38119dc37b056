//! What stands out in a picture: figures by a part of their names, or by a filter.

use std::collections::BTreeSet;

use crate::api::ui::page::kind_of;
use crate::api::ui::text;
use crate::api::ui::visit::Visit;
use crate::error::{Error, Result};
use crate::picture::{Figure, FigureKey, FigureKind, Scene};

/// What stands out.
pub(super) enum Highlight {
    /// Everything alike.
    Nothing,
    /// What has this text, in lower case, in its name or its type.
    Part(String),
    /// Figures of nodes that match a filter.
    Matching(BTreeSet<FigureKey>),
}

impl Highlight {
    /// What a text asks for: a text that is a filter of artifacts or of executions is one, any
    /// other is a part of a name. A filter is asked about what is drawn.
    pub async fn of(visit: &Visit, asked: &str, scene: &Scene) -> Result<Self> {
        if asked.is_empty() {
            return Ok(Self::Nothing);
        }
        let mut found = BTreeSet::new();
        let mut is_filter = false;
        for kind in [FigureKind::Artifact, FigureKind::Execution] {
            let members = scene.figures.iter().flat_map(|figure| &figure.members);
            let members = members.filter(|key| key.kind == kind);
            let ids: Vec<i64> = members.map(|key| key.id).collect();
            let key = |id| FigureKey { kind, id };
            let browse = visit.call.graph.browse();
            match browse.matching(kind_of(key(0)), asked, &ids).await {
                Ok(ids) => {
                    is_filter = true;
                    found.extend(ids.into_iter().map(key));
                }
                Err(Error::InvalidArgument(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(if is_filter {
            Self::Matching(found)
        } else {
            Self::Part(asked.to_lowercase())
        })
    }

    /// Whether a figure stands back.
    pub fn is_faded(&self, figure: &Figure) -> bool {
        let is_member = |members: &BTreeSet<FigureKey>| {
            let mut drawn = figure.members.iter();
            drawn.any(|key| members.contains(key))
        };
        let has = |name: &str, part: &str| name.to_lowercase().contains(part);
        match self {
            Self::Nothing => false,
            Self::Part(part) => !has(&figure.label, part) && !has(&figure.type_name, part),
            Self::Matching(members) => !is_member(members),
        }
    }

    /// How much stands out, as a sentence; empty if nothing is asked for.
    pub fn summary(&self, scene: &Scene) -> String {
        let figures = scene.figures.iter().filter(|it| !self.is_faded(it));
        let figures = text::count(figures.count(), "figure");
        match self {
            Self::Nothing => String::new(),
            Self::Part(_) => format!("{figures} with this text"),
            Self::Matching(members) => {
                let nodes = text::count(members.len(), "node");
                format!("{figures} with {nodes} that match the filter")
            }
        }
    }
}
