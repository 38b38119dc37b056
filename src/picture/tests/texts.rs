//! Scenes as texts, with names that are hostile.

use std::collections::BTreeSet;

use super::generate::Pipeline;
use crate::picture::{FoldRules, Scene, dot, fold, svg};

const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&\u{202e}\\";

fn hostile() -> Scene {
    let mut pipeline = Pipeline::default();
    let data = pipeline.artifact(HOSTILE, "]]><script>");
    let model = pipeline.step(HOSTILE, &[data], "Model");
    let lineage = pipeline.around(model);
    let rules = FoldRules {
        hops: 3,
        focus: BTreeSet::from([model]),
        ..FoldRules::default()
    };
    fold(&lineage, &rules)
}

#[test]
fn names_are_texts_in_a_document() {
    let scene = hostile();
    let drawn = svg::document(&scene, &scene.layout(None), HOSTILE, HOSTILE);
    for markup in ["<img", "<script", "\u{202e}"] {
        assert!(!drawn.contains(markup), "{markup}: {drawn}");
    }
    assert!(drawn.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
    let opening = drawn.matches("<g").count();
    assert_eq!(opening, drawn.matches("</g>").count());
    let style = drawn.find("<style>").unwrap();
    assert!(drawn[..style].ends_with('>') && style < drawn.find("<title>").unwrap());
}

#[test]
fn names_are_texts_in_a_graph_for_graphviz() {
    let text = dot::document(&hostile());
    for line in text.lines().filter(|line| line.contains("label=")) {
        let quotes = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(quotes.matches('"').count(), 2, "{line}");
    }
}
