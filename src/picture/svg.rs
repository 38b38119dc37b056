//! A scene as SVG: inside of a page, whose style sheet has the colours, or as a document.

use std::fmt::Write;

use super::diff::DiffMark;
use super::glyph::{Pen, push_escaped, without_run_id};
use super::layout::{NodePlace, PictureLayout, Route, Span};
use super::{Figure, FigureKey, FigureKind, Mark, Scene};

/// The sizes of figures, in pixels.
pub const ARTIFACT_WIDTH: f64 = 204.0;
pub const EXECUTION_WIDTH: f64 = 184.0;
pub const FIGURE_HEIGHT: f64 = 46.0;

/// The space around everything, in pixels.
const MARGIN_WIDTH: f64 = 48.0;

/// The width of a count of what is not drawn, in pixels.
const MORE_WIDTH: f64 = 34.0;

pub(super) const LABEL_PEN: Pen = Pen {
    font_size: 12.5,
    is_bold: true,
};
pub(super) const TYPE_PEN: Pen = Pen {
    font_size: 11.0,
    is_bold: false,
};

/// The fonts and the colours of a document, which has no style sheet beside it.
pub const DOCUMENT_STYLE: &str = include_str!("document.css");

/// On which side of a figure something is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoreSide {
    Before,
    After,
}

/// What the figures lead to, and which of them stand out.
pub trait SceneLinks {
    /// The URL of a figure; `None` for no link.
    fn of_figure(&self, figure: &Figure) -> Option<String>;

    /// The URL of the scene with what is not drawn on a side of a figure.
    fn of_more(&self, figure: &Figure, side: MoreSide) -> Option<String>;

    /// The pages of the node of a figure, and of the lineage around it; `None` for no pages.
    fn of_node(&self, _: &Figure) -> Option<(String, String)> {
        None
    }

    /// The selected figure: the page shows its details beside the picture.
    fn selected(&self) -> Option<FigureKey> {
        None
    }

    /// What a figure is, beside another lineage.
    fn diff_mark(&self, _: &Figure) -> Option<DiffMark> {
        None
    }

    /// Whether a figure stands back.
    fn is_faded(&self, _: &Figure) -> bool {
        false
    }
}

/// For a document: no links.
#[derive(Clone, Copy, Debug)]
pub struct NoLinks;

impl SceneLinks for NoLinks {
    fn of_figure(&self, _: &Figure) -> Option<String> {
        None
    }

    fn of_more(&self, _: &Figure, _: MoreSide) -> Option<String> {
        None
    }
}

/// The outline of the glyph of a kind, an SVG path in a box of 16 by 16.
#[must_use]
pub const fn kind_glyph(kind: FigureKind) -> &'static str {
    match kind {
        FigureKind::Artifact => "M3 1.5h6.5L13 5v9.5H3z M9.5 1.5V5H13",
        FigureKind::Execution => "M4.5 2h7L15 8l-3.5 6h-7L1 8z M6.5 5.5v5l4-2.5z",
    }
}

/// A scene as an element `svg` of a page. `title` is a text of a user.
#[must_use]
pub fn element(
    scene: &Scene,
    layout: &PictureLayout,
    title: &str,
    links: &dyn SceneLinks,
) -> String {
    let mut out = String::new();
    write_scene(&mut out, scene, layout, (title, ""), links);
    out
}

/// A scene as a document of its own, with the colours of the light theme. `title` and
/// `description` are texts of users.
#[must_use]
pub fn document(scene: &Scene, layout: &PictureLayout, title: &str, description: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    write_scene(&mut out, scene, layout, (title, description), &NoLinks);
    let end = out.find('>').and_then(|first| {
        let rest = &out[first + 1..];
        Some(first + 2 + rest.find('>')?)
    });
    if let Some(end) = end {
        out.insert_str(end, &format!("<style>{DOCUMENT_STYLE}</style>"));
    }
    out.push('\n');
    out
}

/// The beginning of a picture: its upper left corner and its size, without the space around it, its
/// title and its description.
pub(super) fn write_head(
    out: &mut String,
    (left, top): (f64, f64),
    (width, height): (f64, f64),
    (title, description): (&str, &str),
) {
    let (left, top) = (left - MARGIN_WIDTH, top - MARGIN_WIDTH);
    let width = width + 2.0 * MARGIN_WIDTH;
    let height = height + 2.0 * MARGIN_WIDTH;
    push!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"scene\" role=\"group\" \
         width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"{left:.1} {top:.1} {width:.1} {height:.1}\"><title>"
    );
    push_escaped(out, title);
    out.push_str("</title>");
    if !description.is_empty() {
        out.push_str("<desc>");
        push_escaped(out, description);
        out.push_str("</desc>");
    }
    out.push_str(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.2\" refY=\"4\" \
         markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
         <path class=\"arrow\" d=\"M0 .8L7.4 4L0 7.2z\"/></marker></defs>",
    );
}

fn write_scene(
    out: &mut String,
    scene: &Scene,
    layout: &PictureLayout,
    (title, description): (&str, &str),
    links: &dyn SceneLinks,
) {
    let corner = (layout.left, layout.top);
    let size = (layout.width, layout.height);
    write_head(out, corner, size, (title, description));
    out.push_str("<g aria-hidden=\"true\">");
    for (edge, route) in scene.edges.iter().zip(&layout.routes) {
        let many = if edge.events > 1 { " many" } else { "" };
        let turned = if route.is_turned { " turned" } else { "" };
        let ends = [edge.from, edge.to].map(|end| &scene.figures[end]);
        let faded = if ends.iter().any(|end| links.is_faded(end)) {
            " faded"
        } else {
            ""
        };
        let outline = outline(route);
        push!(
            out,
            "<path class=\"edge{many}{turned}{faded}\" data-from=\"{}\" data-to=\"{}\" \
             d=\"{outline}\" marker-{}=\"url(#arrow)\"/>",
            ends[0].key,
            ends[1].key,
            if route.is_turned { "start" } else { "end" }
        );
    }
    out.push_str("</g>");
    for (figure, place) in scene.figures.iter().zip(&layout.places) {
        write_figure(out, figure, *place, links);
    }
    out.push_str("</svg>");
}

/// The outline of an edge: level at nodes and bends, curved between layers.
fn outline(route: &Route) -> String {
    let mut out = String::new();
    if let Some(first) = route.spans.first() {
        push!(out, "M{:.1} {:.1}", route.start, first.y1);
    }
    for Span { x1, y1, x2, y2 } in &route.spans {
        let middle = f64::midpoint(*x1, *x2);
        push!(
            out,
            "H{x1:.1}C{middle:.1} {y1:.1} {middle:.1} {y2:.1} {x2:.1} {y2:.1}"
        );
    }
    push!(out, "H{:.1}", route.end);
    out
}

const fn figure_width(kind: FigureKind) -> f64 {
    match kind {
        FigureKind::Artifact => ARTIFACT_WIDTH,
        FigureKind::Execution => EXECUTION_WIDTH,
    }
}

/// The shape of a kind: a rounded page, or a hexagon. Grown by some pixels on each side.
fn shape(kind: FigureKind, grown: f64) -> String {
    let (left, top) = (-grown, -grown);
    let (right, bottom) = (figure_width(kind) + grown, FIGURE_HEIGHT + grown);
    match kind {
        FigureKind::Artifact => format!(
            "M{} {top}H{}a6 6 0 0 1 6 6V{}a6 6 0 0 1 -6 6H{}a6 6 0 0 1 -6 -6V{}a6 6 0 0 1 6 -6z",
            left + 6.0,
            right - 6.0,
            bottom - 6.0,
            left + 6.0,
            top + 6.0
        ),
        FigureKind::Execution => format!(
            "M{} {top}H{}L{right} {middle}L{} {bottom}H{}L{left} {middle}z",
            left + 10.0,
            right - 10.0,
            right - 10.0,
            left + 10.0,
            middle = f64::midpoint(top, bottom)
        ),
    }
}

pub(super) fn write_figure(
    out: &mut String,
    figure: &Figure,
    place: NodePlace,
    links: &dyn SceneLinks,
) {
    let kind = figure.key.kind;
    let mut class = String::from(match kind {
        FigureKind::Artifact => "figure artifact",
        FigureKind::Execution => "figure execution",
    });
    for (is_so, name) in [
        (figure.is_focus, " focus"),
        (figure.is_fold(), " fold"),
        (links.selected() == Some(figure.key), " selected"),
        (links.is_faded(figure), " faded"),
    ] {
        class.push_str(if is_so { name } else { "" });
    }
    let diff = links.diff_mark(figure);
    if let Some(mark) = diff {
        push!(class, " diff-{}", mark.word());
    }
    let id = if figure.is_focus { " id=\"focus\"" } else { "" };
    push!(
        out,
        "<g{id} class=\"{class}\" data-key=\"{}\" transform=\"translate({:.1} {:.1})\"",
        figure.key,
        place.x,
        place.y
    );
    if let Some((page, centre)) = links.of_node(figure) {
        for (name, link) in [("page", page), ("centre", centre)] {
            push!(out, " data-{name}=\"");
            push_escaped(out, &link);
            out.push('"');
        }
    }
    out.push('>');
    let link = links.of_figure(figure);
    if let Some(link) = &link {
        out.push_str("<a href=\"");
        push_escaped(out, link);
        out.push_str("\">");
    }
    // The name of the link, and what a pointer shows.
    out.push_str("<title>");
    push_escaped(out, &figure.description());
    if let Some(mark) = diff {
        push!(out, ", {}", mark.word());
    }
    out.push_str("</title>");
    if figure.is_fold() {
        let shape = shape(kind, 0.0);
        for shift in [8, 4] {
            push!(
                out,
                "<path class=\"stack\" d=\"{shape}\" transform=\"translate({shift} -{shift})\"/>"
            );
        }
    }
    push!(
        out,
        "<path class=\"halo\" d=\"{}\"/><path class=\"body\" d=\"{}\"/>",
        shape(kind, 5.0),
        shape(kind, 0.0)
    );
    write_texts(out, figure);
    if let Some(mark) = diff.filter(|mark| *mark != DiffMark::Same) {
        push!(
            out,
            "<g class=\"sign\"><circle r=\"8\"/><text y=\"4\">{}</text></g>",
            mark.sign()
        );
    }
    out.push_str(if link.is_some() { "</a>" } else { "" });
    for (side, count) in [
        (MoreSide::Before, figure.more_before),
        (MoreSide::After, figure.more_after),
    ] {
        if count > 0 {
            write_more(out, figure, side, count, links);
        }
    }
    out.push_str("</g>");
}

/// The glyph of the kind, label, type and state, and how many nodes a fold has.
fn write_texts(out: &mut String, figure: &Figure) {
    let kind = figure.key.kind;
    let width = figure_width(kind);
    let (left, right) = match kind {
        FigureKind::Artifact => (10.0, width - 10.0),
        FigureKind::Execution => (14.0, width - 14.0),
    };
    push!(
        out,
        "<path class=\"glyph\" d=\"{}\" transform=\"translate({left} 8) scale(.88)\"/>",
        kind_glyph(kind)
    );
    // That an artifact is there is not worth a glyph.
    let single = figure.marks.keys().next();
    let single = single.filter(|mark| !figure.is_fold() && **mark != Mark::Live);
    let text_left = left + 20.0;
    let glyph_room = if single.is_some() { 16.0 } else { 0.0 };
    let name = without_run_id(&figure.label);
    let label = LABEL_PEN.cut_parts(name, right - text_left - glyph_room);
    push!(out, "<text class=\"label\" x=\"{text_left}\" y=\"19\">");
    push_escaped(out, &label);
    push!(
        out,
        "</text><text class=\"type\" x=\"{text_left}\" y=\"35\">"
    );
    let bar_room = if figure.is_fold() { 48.0 } else { 0.0 };
    let type_name = TYPE_PEN.cut_parts(&figure.type_name, right - text_left - bar_room);
    push_escaped(out, &type_name);
    out.push_str("</text>");
    if let Some(mark) = single {
        push!(
            out,
            "<path class=\"mark {}\" d=\"{}\" transform=\"translate({} 7)\"/>",
            mark.tone(),
            mark.glyph(),
            right - 12.0
        );
    }
    if figure.is_fold() {
        write_state_bar(out, figure, right - 40.0);
        let count = format!("×{}", figure.members.len());
        let badge = TYPE_PEN.width(&count) * 1.2 + 12.0;
        push!(
            out,
            "<rect class=\"badge\" x=\"{:.1}\" y=\"-12\" width=\"{badge:.1}\" height=\"18\" \
             rx=\"9\"/><text class=\"count\" x=\"{:.1}\" y=\"1\">{count}</text>",
            width - badge - 4.0,
            width - badge / 2.0 - 4.0
        );
    }
}

/// How many members have each state, as a bar of 40 pixels.
fn write_state_bar(out: &mut String, figure: &Figure, left: f64) {
    let share = |count: usize| {
        let [count, all] =
            [count, figure.members.len()].map(|it| u32::try_from(it).unwrap_or(u32::MAX));
        40.0 * f64::from(count) / f64::from(all)
    };
    let mut x = left;
    for (mark, count) in &figure.marks {
        let width = share(*count);
        push!(
            out,
            "<rect class=\"part {}\" x=\"{x:.1}\" y=\"29\" width=\"{:.1}\" height=\"5\"/>",
            mark.tone(),
            (width - 1.0).max(2.0)
        );
        x += width;
    }
}

/// A count of what is not drawn on a side, as a link that draws it.
fn write_more(
    out: &mut String,
    figure: &Figure,
    side: MoreSide,
    count: usize,
    links: &dyn SceneLinks,
) {
    let (x, letter, words) = match side {
        MoreSide::Before => (-MORE_WIDTH - 4.0, 'l', "more before"),
        MoreSide::After => (figure_width(figure.key.kind) + 4.0, 'r', "more after"),
    };
    let shown = if count > 999 {
        "999+".to_owned()
    } else {
        format!("+{count}")
    };
    let link = links.of_more(figure, side);
    if let Some(link) = &link {
        out.push_str("<a class=\"more\" href=\"");
        push_escaped(out, link);
        push!(
            out,
            "\" data-side=\"{letter}\" aria-label=\"Show {count} {words} "
        );
        push_escaped(out, &figure.label);
        out.push_str("\">");
    } else {
        out.push_str("<g class=\"more\">");
    }
    push!(
        out,
        "<rect x=\"{x}\" y=\"{}\" width=\"{MORE_WIDTH}\" height=\"18\" rx=\"9\"/>\
         <text x=\"{}\" y=\"{}\">{shown}</text>",
        FIGURE_HEIGHT - 9.0,
        x + MORE_WIDTH / 2.0,
        FIGURE_HEIGHT + 4.0
    );
    out.push_str(if link.is_some() { "</a>" } else { "</g>" });
}
