//! Nodes, states and values as texts for templates.

use super::page::Links;
use super::text;
use crate::api::openlineage::out::value as json_value;
use crate::model::{ExecutionState, Kind, Node, NodeState, Value};
use crate::picture::Mark;
use crate::picture::glyph::has_id;

/// The most letters of a value that are shown at once, and behind "more".
const MAX_SHOWN_LETTERS: usize = 200;
const MAX_WHOLE_LETTERS: usize = 20_000;

/// The properties that name a node, where it has no name.
pub(super) const NAMING_PROPERTIES: [&str; 5] = [
    "display_name",
    "task_name",
    "run_name",
    "name",
    "component_id",
];

/// What a node is called: its name, or a property that names it, or the end of its URI, or its type
/// and its id. A property comes before a name that has an id in it, as those of runs of pipelines.
pub(super) fn label(node: &Node) -> String {
    let content = &node.content;
    let filled = |text: &&str| !text.trim().is_empty();
    let name = content.name.as_deref().filter(filled);
    if let Some(name) = name.filter(|name| !has_id(name)) {
        return text::cell(name);
    }
    let properties = [&content.custom_properties, &content.properties];
    for name in NAMING_PROPERTIES {
        let mut values = properties.iter().filter_map(|it| it.get(name));
        let text = values.find_map(|value| match value {
            Value::String(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        });
        if let Some(text) = text {
            return text::cell(text);
        }
    }
    if let Some(name) = name {
        return text::cell(name);
    }
    let uri = content.uri.as_deref().unwrap_or_default();
    let last = uri.rsplit('/').find(filled);
    let type_name = node.type_name.as_deref().unwrap_or("node");
    last.map_or_else(
        || format!("{} #{}", text::cell(type_name), node.id),
        text::cell,
    )
}

/// The state of a node, if it has any.
pub(super) fn mark(node: &Node) -> Option<Mark> {
    match node.content.state? {
        NodeState::Artifact(state) => Mark::of_artifact(state.number()),
        NodeState::Execution(state) => mark_of_execution(state),
    }
}

/// A state of an execution.
pub(super) fn mark_of_execution(state: ExecutionState) -> Option<Mark> {
    Mark::of_execution(state.number())
}

/// The outline of the glyph of a kind, an SVG path in a box of 16 by 16.
pub(super) const fn kind_glyph(kind: Kind) -> &'static str {
    use crate::picture::FigureKind::{Artifact, Execution};
    use crate::picture::svg::kind_glyph;
    match kind {
        Kind::Artifact => kind_glyph(Artifact),
        Kind::Execution => kind_glyph(Execution),
        Kind::Context => "M1.5 3.5h5l1.5 2h6.5v8h-13z",
    }
}

/// A node in a table or a sentence.
#[derive(Clone, Debug)]
pub(super) struct NodeView {
    pub kind: &'static str,
    pub glyph: &'static str,
    pub id: i64,
    pub link: String,
    pub label: String,
    pub type_name: String,
    pub type_link: String,
    pub mark: Option<Mark>,
    pub created: String,
    pub changed: String,
    /// How long an execution took; empty where it is not known.
    pub took: String,
}

impl NodeView {
    pub fn new(links: &Links, kind: Kind, node: &Node) -> Self {
        let type_name = node.type_name.as_deref().unwrap_or_default();
        Self {
            kind: kind.noun(),
            glyph: kind_glyph(kind),
            id: node.id,
            link: links.node(kind, node.id),
            label: label(node),
            type_name: text::cell(type_name),
            type_link: links.node_type(kind, type_name),
            mark: mark(node),
            created: text::time(node.create_time),
            changed: text::time(node.update_time),
            took: took(node).unwrap_or_default(),
        }
    }
}

/// How long a run took, by its properties `started_at` and `ended_at`, in milliseconds since epoch.
fn took(node: &Node) -> Option<String> {
    let time = |name| match json_value::property(&node.content, name)? {
        Value::Int(time) => Some(*time),
        _ => None,
    };
    let passed = time("ended_at")?.checked_sub(time("started_at")?)?;
    Some(text::duration(passed))
}

/// A property.
#[derive(Clone, Debug)]
pub(super) struct PropertyView {
    pub name: String,
    /// Cut if it is long.
    pub value: String,
    /// All of it, if that is more.
    pub whole: String,
    /// A link of the web, for what is one.
    pub link: Option<String>,
    pub sort: &'static str,
    pub is_custom: bool,
}

/// The properties of a node: those of its type, then the custom ones, by name.
pub(super) fn properties(node: &Node) -> Vec<PropertyView> {
    let content = &node.content;
    let own = content.properties.iter().map(|entry| (entry, false));
    let custom = content.custom_properties.iter().map(|entry| (entry, true));
    let view = |((name, value), is_custom): ((&String, &Value), bool)| {
        let (whole, sort) = value_text(value);
        let letters = whole.chars().count();
        let is_long = letters > MAX_SHOWN_LETTERS;
        let begin = |most: usize| whole.chars().take(most).collect::<String>();
        PropertyView {
            name: text::cell(name),
            value: if is_long {
                format!("{}…", begin(MAX_SHOWN_LETTERS))
            } else {
                whole.clone()
            },
            link: web_link(&whole),
            sort,
            is_custom,
            whole: if letters > MAX_WHOLE_LETTERS {
                let begin = begin(MAX_WHOLE_LETTERS);
                format!("{begin}…\n({letters} letters in all)")
            } else if is_long {
                whole
            } else {
                String::new()
            },
        }
    };
    own.chain(custom).map(view).collect()
}

/// A value as text, and what it is.
pub(super) fn value_text(value: &Value) -> (String, &'static str) {
    match value {
        Value::Int(number) => (number.to_string(), "int"),
        Value::Double(number) => (number.to_string(), "double"),
        Value::String(given) => (text::visible(given), "string"),
        Value::Bool(value) => (value.to_string(), "bool"),
        Value::Struct(_) => {
            let json = json_value::json(value).unwrap_or_default();
            (text::visible(&json.to_string()), "struct")
        }
        Value::Proto(message) => {
            let name = text::visible(&message.type_url);
            (format!("{name}, {} bytes", message.value.len()), "proto")
        }
        Value::Empty => (String::new(), "none"),
    }
}

/// A text that is the address of a page of the web. Other schemes are never links.
pub(super) fn web_link(text: &str) -> Option<String> {
    let is_of_web = text.starts_with("https://") || text.starts_with("http://");
    let is_plain = text.len() < 2048 && !text.contains(char::is_whitespace);
    (is_of_web && is_plain && url::Url::parse(text).is_ok()).then(|| text.to_owned())
}

#[cfg(test)]
mod label_tests {
    use super::*;
    use crate::model::NodeContent;

    fn node(content: NodeContent) -> Node {
        Node {
            id: 7,
            type_id: 1,
            type_name: Some("Model".to_owned()),
            content,
            create_time: 0,
            update_time: 0,
        }
    }

    #[test]
    fn a_node_is_called_by_the_first_of_what_it_has() {
        let mut content = NodeContent::default();
        assert_eq!(label(&node(content.clone())), "Model #7");
        content.uri = Some("s3://models/churn/218/".to_owned());
        assert_eq!(label(&node(content.clone())), "218");
        let named = Value::String("train".to_owned());
        content.properties.insert("task_name".to_owned(), named);
        assert_eq!(label(&node(content.clone())), "train");
        content.name = Some(" ".to_owned());
        assert_eq!(label(&node(content.clone())), "train");
        content.name = Some("churn".to_owned());
        assert_eq!(label(&node(content.clone())), "churn");
        // Kubeflow's and MLflow's runs have ids for names.
        for id in [
            "run/6fa459ea-ee8a-3ca4-894e-db77e160355e",
            "0123456789abcdef0123456789abcdef",
        ] {
            content.name = Some(id.to_owned());
            assert_eq!(label(&node(content.clone())), "train");
        }
        content.properties.clear();
        assert_eq!(label(&node(content)), "0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for text in [
            "javascript:alert(1)",
            "data:text/html,x",
            "s3://b/k",
            "http://a b",
            "",
        ] {
            assert_eq!(web_link(text), None, "{text}");
        }
        assert!(web_link("https://example.com/run/7").is_some());
    }
}
