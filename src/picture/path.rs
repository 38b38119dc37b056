//! A path as wrapped rows of artifacts: the runs between them are the labels of edges, so that a
//! long path is readable on one screen.

use std::fmt::Write;

use super::glyph::push_escaped;
use super::layout::NodePlace;
use super::svg::{
    ARTIFACT_WIDTH, FIGURE_HEIGHT, LABEL_PEN, SceneLinks, TYPE_PEN, write_figure, write_head,
};
use super::{Figure, FigureKind, TracedNode};

/// How many figures a row has.
const ROW_FIGURES: usize = 3;

/// The space between figures of a row, and between rows, in pixels.
const LABEL_GAP: f64 = 132.0;
const ROW_GAP: f64 = 62.0;

/// How far an edge to the next row goes beyond the figures, in pixels.
const TURN_WIDTH: f64 = 32.0;

/// An edge between two figures, with the run that it stands for.
struct PathEdge<'n> {
    from: usize,
    run: Option<&'n TracedNode>,
}

/// A path as an element `svg` of a page. The nodes are those of the path in its order; `title` is a
/// text of a user.
#[must_use]
pub fn element(nodes: &[TracedNode], title: &str, links: &dyn SceneLinks) -> String {
    let (figures, edges) = figures_and_edges(nodes);
    let columns = figures.len().min(ROW_FIGURES);
    let rows = figures.len().div_ceil(ROW_FIGURES);
    let (right, bottom) = corner(columns.saturating_sub(1), rows.saturating_sub(1));
    let mut out = String::new();
    let size = (right + ARTIFACT_WIDTH, bottom + FIGURE_HEIGHT);
    write_head(&mut out, (0.0, 0.0), size, (title, ""));
    out.push_str("<g aria-hidden=\"true\">");
    for edge in &edges {
        push!(
            out,
            "<path class=\"edge\" data-from=\"{}\" data-to=\"{}\" d=\"{}\" \
             marker-end=\"url(#arrow)\"/>",
            figures[edge.from].key,
            figures[edge.from + 1].key,
            outline(edge.from)
        );
    }
    out.push_str("</g>");
    for edge in &edges {
        if let Some(run) = edge.run {
            write_run(&mut out, edge.from, run, links);
        }
    }
    for (number, figure) in figures.iter().enumerate() {
        let (x, y) = place(number);
        let place = NodePlace {
            x,
            y,
            ..NodePlace::default()
        };
        write_figure(&mut out, figure, place, links);
    }
    out.push_str("</svg>");
    out
}

/// What is drawn as figures: artifacts, and runs at the ends; and the edges between them.
fn figures_and_edges(nodes: &[TracedNode]) -> (Vec<Figure>, Vec<PathEdge<'_>>) {
    let last = nodes.len().saturating_sub(1);
    let mut figures: Vec<Figure> = Vec::new();
    let mut edges = Vec::new();
    let mut run = None;
    for (number, node) in nodes.iter().enumerate() {
        if node.key.kind == FigureKind::Execution && number > 0 && number < last {
            run = Some(node);
            continue;
        }
        if let Some(from) = figures.len().checked_sub(1) {
            edges.push(PathEdge {
                from,
                run: run.take(),
            });
        }
        figures.push(Figure::from(node));
    }
    (figures, edges)
}

/// The upper left corner of a column and a row.
fn corner(column: usize, row: usize) -> (f64, f64) {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    (
        number(column) * (ARTIFACT_WIDTH + LABEL_GAP),
        number(row) * (FIGURE_HEIGHT + ROW_GAP),
    )
}

/// The upper left corner of a figure by its number.
fn place(number: usize) -> (f64, f64) {
    corner(number % ROW_FIGURES, number / ROW_FIGURES)
}

const fn ends_row(number: usize) -> bool {
    number % ROW_FIGURES == ROW_FIGURES - 1
}

/// The outline of the edge from a figure to the next one, which may be in the next row.
fn outline(from: usize) -> String {
    let middle = FIGURE_HEIGHT / 2.0;
    let (x, y) = place(from);
    let (to, below) = place(from + 1);
    let (start, y) = (x + ARTIFACT_WIDTH, y + middle);
    if !ends_row(from) {
        return format!("M{start} {y}H{to}");
    }
    let (right, left) = (start + TURN_WIDTH, to - TURN_WIDTH);
    let between = below - ROW_GAP / 2.0;
    format!(
        "M{start} {y}H{}q10 0 10 10V{}q0 10 -10 10H{}q-10 0 -10 10V{}q0 10 10 10H{to}",
        right - 10.0,
        between - 10.0,
        left + 10.0,
        below + middle - 10.0
    )
}

/// The name and the state of a run at the middle of its edge, as a link to it.
fn write_run(out: &mut String, from: usize, run: &TracedNode, links: &dyn SceneLinks) {
    let (x, y) = place(from);
    let (middle, height, room) = if ends_row(from) {
        let (left, below) = place(from + 1);
        let middle = f64::midpoint(left, x + ARTIFACT_WIDTH);
        (middle, below - ROW_GAP / 2.0, 2.0 * ARTIFACT_WIDTH)
    } else {
        let middle = x + ARTIFACT_WIDTH + LABEL_GAP / 2.0;
        (middle, y + FIGURE_HEIGHT / 2.0, LABEL_GAP - 12.0)
    };
    let figure = Figure::from(run);
    let address = links.of_figure(&figure);
    if let Some(link) = &address {
        out.push_str("<a class=\"run\" href=\"");
        push_escaped(out, link);
        out.push_str("\"><title>");
        push_escaped(out, &figure.description());
        out.push_str("</title>");
    }
    push!(
        out,
        "<text class=\"label run\" x=\"{middle:.1}\" y=\"{:.1}\">",
        height - 7.0
    );
    push_escaped(out, &LABEL_PEN.cut_middle(&run.label, room));
    out.push_str("</text>");
    let (tone, word) = run.mark.map_or(("idle", run.type_name.as_str()), |mark| {
        (mark.tone(), mark.word())
    });
    push!(
        out,
        "<text class=\"type run {tone}\" x=\"{middle:.1}\" y=\"{:.1}\">",
        height + 16.0
    );
    push_escaped(out, &TYPE_PEN.cut_middle(word, room));
    out.push_str("</text>");
    out.push_str(if address.is_some() { "</a>" } else { "" });
}

#[cfg(test)]
mod row_tests {
    use super::*;
    use crate::picture::svg::NoLinks;
    use crate::picture::{FigureKey, Mark};

    #[test]
    fn a_path_is_rows_of_artifacts_with_runs_between() {
        let node = |id: i64| TracedNode {
            key: if id % 2 == 0 {
                FigureKey::artifact(id)
            } else {
                FigureKey::execution(id)
            },
            label: format!("node {id}"),
            type_name: "T".to_owned(),
            mark: Mark::of_execution(3),
            hop: 0,
            time: 0,
        };
        let nodes: Vec<TracedNode> = (0..=8).map(node).collect();
        let drawn = element(&nodes, "a path", &NoLinks);
        // Five artifacts in two rows, and four runs at edges.
        assert_eq!(drawn.matches("class=\"figure").count(), 5, "{drawn}");
        assert_eq!(drawn.matches("class=\"label run\"").count(), 4, "{drawn}");
        assert!(drawn.contains("translate(0.0 108.0)"), "{drawn}");
        // A run at an end is a figure.
        let drawn = element(&nodes[1..], "a path", &NoLinks);
        assert_eq!(drawn.matches("figure execution").count(), 1, "{drawn}");
        assert!(element(&[], "nothing", &NoLinks).ends_with("</svg>"));
    }
}
