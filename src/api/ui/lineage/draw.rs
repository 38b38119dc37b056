//! What is drawn of a trace.

use super::LineageSubject;
use super::query::{LineageView, MAX_AUTO_HOPS};
use super::walk::{self, MAX_TRACED_NODES, WalkPlan};
use crate::api::call::Call;
use crate::api::ui::text;
use crate::error::Result;
use crate::picture::fold::fold_within;
use crate::picture::layout::PictureLayout;
use crate::picture::{FoldRules, Scene, TracedLineage, fold};

/// The most figures that are drawn unless hops are asked for.
const MAX_AUTO_FIGURES: usize = 60;

/// The most rows of a list.
const MAX_ROWS: usize = 500;

/// Hops of a list unless they are asked for.
const LIST_HOPS: u32 = 50;

/// A trace, and the picture of it.
pub(super) struct Drawn {
    pub lineage: TracedLineage,
    pub scene: Scene,
    pub layout: PictureLayout,
    pub hops: u32,
}

impl Drawn {
    /// Traces a hop further than it draws, to count what is not drawn.
    pub async fn new(call: &Call, subject: &LineageSubject, view: &LineageView) -> Result<Self> {
        let auto = if view.is_list {
            LIST_HOPS
        } else {
            MAX_AUTO_HOPS
        };
        let openings = u32::try_from(view.open.len()).unwrap_or(u32::MAX);
        let hops = view.hops.unwrap_or(auto);
        let lineage = if subject.starts.is_empty() {
            TracedLineage::default()
        } else {
            let walk = WalkPlan {
                starts: subject.starts.clone(),
                direction: view.direction,
                hops: hops + openings + 1,
                max_nodes: MAX_TRACED_NODES,
            };
            walk::trace(call, &walk).await?
        };
        let focus = subject.focus();
        let closed = FoldRules {
            hops,
            max_figures: if view.is_list {
                MAX_ROWS
            } else {
                FoldRules::default().max_figures
            },
            ..view.rules(&focus, 0)
        };
        let (mut scene, hops) = if view.hops.is_none() && !view.is_list {
            fold_within(&lineage, &closed, MAX_AUTO_HOPS, MAX_AUTO_FIGURES)
        } else {
            (fold(&lineage, &closed), hops)
        };
        if view.is_list {
            return Ok(Self {
                lineage,
                scene,
                layout: PictureLayout::default(),
                hops,
            });
        }
        // Each opening keeps the order of the picture before it.
        let mut layout = scene.layout(None);
        for openings in 1..=view.open.len() {
            let rules = FoldRules {
                hops,
                ..view.rules(&focus, openings)
            };
            let next = fold(&lineage, &rules);
            layout = next.layout(Some((&scene, &layout)));
            scene = next;
        }
        Ok(Self {
            lineage,
            scene,
            layout,
            hops,
        })
    }

    /// How much is drawn, as a sentence.
    pub fn summary(&self) -> String {
        let nodes = self.lineage.nodes.len() - self.scene.hidden;
        let figures = text::count(self.scene.figures.len(), "figure");
        let nodes = text::count(nodes, "node");
        if self.scene.hidden == 0 {
            format!("{figures} for {nodes}, all that was found")
        } else {
            let hidden = text::count(self.scene.hidden, "node");
            format!("{figures} for {nodes}; {hidden} further away or not drawn")
        }
    }
}
