//! Pictures of lineage: what of a trace is drawn, where it stands, and the texts that draw it.
//! Everything here is a pure function. It knows neither storage nor protocols, so that pages,
//! exports and commands draw alike.
//!
//! * `lineage`: traced nodes and edges; `mark`: the states of nodes.
//! * `fold`: which nodes are drawn, and which of them as one; `scene`: what is drawn.
//! * `diff`: two lineages as one, with what only one of them has.
//! * `layout`: from sizes and edges to positions and routes.
//! * `glyph`: widths of texts, and texts that are cut; `svg`, `dot`: a scene as a text.
//! * `chart`: curves of numbers; `ticks`: the ticks of their axes.
//! * `path`: a path as rows of artifacts; `strip`: executions over time, as columns.

/// Appends formatted text. Writing to a string does not fail.
macro_rules! push {
    ($out:expr, $($text:tt)*) => {
        let _ = write!($out, $($text)*);
    };
}

pub mod chart;
pub mod diff;
pub mod dot;
pub mod fold;
pub mod glyph;
pub mod layout;
pub mod lineage;
pub mod mark;
pub mod path;
pub mod scene;
pub mod strip;
pub mod svg;
pub mod ticks;

#[cfg(test)]
mod tests;

pub use fold::{FoldRules, Grouping, LineageFolder, fold};
pub use lineage::{FigureKey, FigureKind, TracedEdge, TracedLineage, TracedNode};
pub use mark::Mark;
pub use scene::{Figure, Scene, SceneEdge};
