//! What is drawn of a trace.

use std::collections::BTreeSet;

use super::LineageSubject;
use super::query::{LineageView, MAX_AUTO_HOPS};
use super::walk::{self, MAX_TRACED_NODES, WalkPlan};
use crate::api::call::Call;
use crate::api::ui::text;
use crate::error::Result;
use crate::picture::layout::PictureLayout;
use crate::picture::strip::{self, StripColumn};
use crate::picture::{FigureKey, FoldRules, LineageFolder, Scene, TracedLineage};
use crate::utc::utc_text;

/// The most figures that are drawn unless hops are asked for.
const MAX_AUTO_FIGURES: usize = 60;

/// The most rows of a list.
const MAX_ROWS: usize = 500;

/// Hops of a list unless they are asked for.
const LIST_HOPS: u32 = 50;

/// A trace, and what is drawn of it.
pub(super) struct Drawn {
    pub lineage: TracedLineage,
    /// What was drawn before each opening.
    earlier: Vec<Scene>,
    pub scene: Scene,
    pub hops: u32,
    /// The time as of which it is, in milliseconds since epoch; `None` for now.
    pub at: Option<i64>,
}

impl Drawn {
    /// Traces a hop further than it draws, to count what is not drawn.
    pub async fn new(call: &Call, subject: &LineageSubject, view: &LineageView) -> Result<Self> {
        let lineage = traced(call, &subject.starts, view, view.at).await?;
        Ok(Self::of(lineage, &subject.focus(), view, hops_of(view)))
    }

    /// The executions of the lineage over time, as a strip: those of now, so that it leads to later
    /// times too.
    pub async fn strip(
        &self,
        call: &Call,
        subject: &LineageSubject,
        view: &LineageView,
    ) -> Result<Vec<StripColumn>> {
        if view.at.is_none() {
            return Ok(strip::columns(&self.lineage.nodes));
        }
        let starts = subject.starts_at(call, None).await?;
        let lineage = traced(call, &starts, view, None).await?;
        Ok(strip::columns(&lineage.nodes))
    }

    /// What a view draws of a trace. `most_hops` are those of the view, or the most that it draws.
    fn of(
        lineage: TracedLineage,
        focus: &BTreeSet<FigureKey>,
        view: &LineageView,
        most_hops: u32,
    ) -> Self {
        let rules = |hops, openings| FoldRules {
            hops,
            ..view.rules(focus, openings)
        };
        let folder = LineageFolder::new(&lineage);
        if view.is_list {
            let rules = FoldRules {
                max_figures: MAX_ROWS,
                ..rules(most_hops, view.open.len())
            };
            let scene = folder.fold(&rules);
            return Self {
                lineage,
                earlier: Vec::new(),
                scene,
                hops: most_hops,
                at: view.at,
            };
        }
        let (mut scene, hops) = if view.hops.is_some() {
            (folder.fold(&rules(most_hops, 0)), most_hops)
        } else {
            folder.fold_within(&rules(0, 0), most_hops, MAX_AUTO_FIGURES)
        };
        let mut earlier = Vec::with_capacity(view.open.len());
        for openings in 1..=view.open.len() {
            let next = folder.fold(&rules(hops, openings));
            earlier.push(std::mem::replace(&mut scene, next));
        }
        Self {
            lineage,
            earlier,
            scene,
            hops,
            at: view.at,
        }
    }

    /// Where everything stands. Each opening keeps the order of what was drawn before it.
    pub fn layout(&self) -> PictureLayout {
        let mut before: Option<(&Scene, PictureLayout)> = None;
        for scene in self.earlier.iter().chain([&self.scene]) {
            let seeds = before.as_ref().map(|(scene, layout)| (*scene, layout));
            before = Some((scene, scene.layout(seeds)));
        }
        before.map(|(_, layout)| layout).unwrap_or_default()
    }

    /// How much is drawn, as a sentence.
    pub fn summary(&self) -> String {
        let nodes = self.lineage.nodes.len() - self.scene.hidden;
        let figures = text::count(self.scene.figures.len(), "figure");
        let nodes = text::count(nodes, "node");
        let mut summary = if self.scene.hidden == 0 {
            format!("{figures} for {nodes}, all that was found")
        } else {
            let hidden = text::count(self.scene.hidden, "node");
            format!("{figures} for {nodes}; {hidden} further away or not drawn")
        };
        if let Some(time) = self.at {
            summary.push_str("; as of ");
            summary.push_str(&utc_text(time));
        }
        summary
    }

    /// How much is in the state of today nevertheless, as a sentence; empty if nothing is.
    pub fn present_states(&self) -> String {
        match self.lineage.present.len() {
            0 => String::new(),
            count => format!(
                "The history lacks the earlier states of {}: today's are shown.",
                text::count(count, "node")
            ),
        }
    }
}

/// The hops that are drawn, or the most of them.
fn hops_of(view: &LineageView) -> u32 {
    let auto = if view.is_list {
        LIST_HOPS
    } else {
        MAX_AUTO_HOPS
    };
    view.hops.unwrap_or(auto)
}

/// What a view draws, and a hop further.
async fn traced(
    call: &Call,
    starts: &[FigureKey],
    view: &LineageView,
    as_of: Option<i64>,
) -> Result<TracedLineage> {
    if starts.is_empty() {
        return Ok(TracedLineage::default());
    }
    let openings = u32::try_from(view.open.len()).unwrap_or(u32::MAX);
    let walk = WalkPlan {
        starts: starts.to_vec(),
        direction: view.direction,
        hops: hops_of(view) + openings + 1,
        max_nodes: MAX_TRACED_NODES,
        as_of,
    };
    walk::trace(call, &walk).await
}
