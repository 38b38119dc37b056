//! A scene as a graph for Graphviz.

use std::fmt::Write;

use super::glyph::plain;
use super::{FigureKind, Scene};

/// A scene in the DOT language. Executions are boxes; arrows have the direction of the data.
#[must_use]
pub fn document(scene: &Scene) -> String {
    let mut out = String::from("digraph lineage {\n  rankdir=LR;\n");
    for figure in &scene.figures {
        let shape = match figure.key.kind {
            FigureKind::Artifact => "ellipse",
            FigureKind::Execution => "box",
        };
        let style = if figure.is_focus { ", style=bold" } else { "" };
        let mut label = format!("{}\n{}", plain(&figure.label), plain(&figure.type_name));
        if figure.is_fold() {
            let _ = write!(label, " ×{}", figure.members.len());
        }
        let label = quoted(&label);
        let _ = writeln!(
            out,
            "  {} [shape={shape}, label={label}{style}];",
            figure.key
        );
    }
    for edge in &scene.edges {
        let [from, to] = [edge.from, edge.to].map(|end| scene.figures[end].key);
        let _ = writeln!(out, "  {from} -> {to};");
    }
    out.push_str("}\n");
    out
}

/// A text in quotes, whose line ends are written `\n`.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
