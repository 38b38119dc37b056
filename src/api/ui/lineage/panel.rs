//! The panel beside a picture: the selected node, or what the members of a fold differ in.

use std::collections::{BTreeMap, BTreeSet};

use super::query::{AskedPath, FigureOpening, LineageView, OpenPart};
use super::{LineageSubject, centred, changed, nodes_at, with_query};
use crate::api::ui::page::kind_of;
use crate::api::ui::text;
use crate::api::ui::views::{NodeView, PropertyView, kind_glyph, properties, value_text};
use crate::api::ui::visit::Visit;
use crate::error::Result;
use crate::model::Node;
use crate::picture::fold::MAX_FIGURES;
use crate::picture::{Figure, Mark};

/// The most members of a fold that are compared, and that are listed.
const MAX_COMPARED_NODES: usize = 200;
const MAX_LISTED_NODES: usize = 10;

/// The most properties that are shown.
const MAX_PROPERTIES: usize = 12;

/// How many members have a state.
pub(super) struct StateCount {
    pub mark: Mark,
    pub count: usize,
}

/// A property in which the members of a fold differ, or not.
pub(super) struct Difference {
    pub name: String,
    pub values: String,
    pub is_same: bool,
}

/// What the panel shows.
pub(super) struct Panel {
    pub kind: &'static str,
    pub glyph: &'static str,
    pub label: String,
    pub type_name: String,
    pub members: usize,
    /// The node, if it is one.
    pub node: Option<NodeView>,
    pub centre: String,
    /// The path between the node that the picture is about and this one, where that is another one.
    pub path: Option<String>,
    pub properties: Vec<PropertyView>,
    pub has_more_properties: bool,
    pub states: Vec<StateCount>,
    pub differences: Vec<Difference>,
    pub compared: usize,
    pub latest: Vec<NodeView>,
    /// The picture with the members of the fold, or the list of more than a picture has.
    pub unfold: String,
    pub unfold_words: &'static str,
    /// The pictures with what is not drawn around it, each with its words.
    pub openings: Vec<(String, String)>,
}

impl Panel {
    pub async fn new(
        visit: &Visit,
        subject: &LineageSubject,
        figure: &Figure,
        (base, view): (&str, &LineageView),
    ) -> Result<Self> {
        let kind = kind_of(figure.key);
        let newest = figure.members.iter().rev().take(MAX_COMPARED_NODES);
        let ids: Vec<i64> = newest.map(|key| key.id).collect();
        let mut nodes = nodes_at(visit, kind, &ids, view.at).await?;
        nodes.reverse();
        let links = visit.links();
        let single = nodes.first().filter(|_| !figure.is_fold());
        let mut properties = single.map(properties).unwrap_or_default();
        let has_more_properties = properties.len() > MAX_PROPERTIES;
        properties.truncate(MAX_PROPERTIES);
        let listed = nodes.iter().take(MAX_LISTED_NODES);
        let listed = listed.filter(|_| figure.is_fold());
        let is_for_list = figure.members.len() > MAX_FIGURES;
        let open = |part| {
            let key = figure.key;
            let opened = view.toggled(FigureOpening { key, part });
            let opened = changed(&opened, |view| {
                view.is_list |= is_for_list && part == OpenPart::Members;
            });
            with_query(base, &opened)
        };
        let more = [
            (figure.more_before, OpenPart::Before, "before"),
            (figure.more_after, OpenPart::After, "after"),
        ];
        let more = more
            .into_iter()
            .filter(|(count, ..)| *count > 0 && !figure.is_fold());
        Ok(Self {
            kind: kind.noun(),
            glyph: kind_glyph(kind),
            label: figure.label.clone(),
            type_name: text::cell(&figure.type_name),
            members: figure.members.len(),
            node: single.map(|node| NodeView::new(links, kind, node)),
            centre: centred(links, figure, view),
            path: subject.focus().first().and_then(|focus| {
                let ends = (*focus, figure.key);
                let (from, to) = if figure.hop < 0 {
                    (ends.1, ends.0)
                } else {
                    ends
                };
                let number = 1;
                let path = AskedPath { from, to, number };
                let view = changed(view, |view| view.path = Some(path));
                let is_shown = from != to && single.is_some() && view.at.is_none();
                is_shown.then(|| with_query(base, &view))
            }),
            properties,
            has_more_properties,
            states: figure
                .marks
                .iter()
                .map(|(mark, count)| StateCount {
                    mark: *mark,
                    count: *count,
                })
                .collect(),
            differences: if figure.is_fold() {
                differences(&nodes)
            } else {
                Vec::new()
            },
            compared: nodes.len(),
            latest: listed
                .map(|node| NodeView::new(links, kind, node))
                .collect(),
            unfold: open(OpenPart::Members),
            unfold_words: if is_for_list { "List all" } else { "Show all" },
            openings: more
                .map(|(count, part, word)| (open(part), format!("{count} more {word} it")))
                .collect(),
        })
    }
}

/// The properties of nodes: first those in which they differ.
fn differences(nodes: &[Node]) -> Vec<Difference> {
    let mut values: BTreeMap<&str, (BTreeSet<String>, usize)> = BTreeMap::new();
    for node in nodes {
        let content = &node.content;
        for (name, value) in content.properties.iter().chain(&content.custom_properties) {
            let (texts, count) = values.entry(name).or_default();
            texts.insert(value_text(value).0);
            *count += 1;
        }
    }
    let mut found: Vec<Difference> = values
        .into_iter()
        .map(|(name, (texts, count))| {
            let is_same = texts.len() == 1 && count >= nodes.len();
            let first = texts
                .first()
                .map(|text| text::cell(text))
                .unwrap_or_default();
            let last = texts
                .last()
                .map(|text| text::cell(text))
                .unwrap_or_default();
            Difference {
                name: text::cell(name),
                values: match texts.len() {
                    1 if is_same => first,
                    1 => format!("{first}, or none"),
                    2 => format!("{first}, {last}"),
                    number => format!("{number} values"),
                },
                is_same,
            }
        })
        .collect();
    found.sort_by_key(|it| it.is_same);
    found.truncate(MAX_PROPERTIES);
    found
}
