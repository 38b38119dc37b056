//! Lineage as files: what is drawn as SVG and DOT, what was found as JSON and CSV.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Value as Json, json};

use super::draw::Drawn;
use crate::api::ui::page::set_safety_headers;
use crate::api::ui::text::{csv_cell, time};
use crate::picture::{Figure, Mark, TracedNode, dot, svg};
use crate::utc::utc_text;

/// A drawing may load nothing; its only style is the one that we wrote.
static DRAWING_POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, svg::DOCUMENT_STYLE.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'");
    HeaderValue::try_from(policy).ok()
});

/// A format, by the end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Svg,
    Json,
    Dot,
    Csv,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Svg, Self::Json, Self::Dot, Self::Csv];

    pub const fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Json => "json",
            Self::Dot => "dot",
            Self::Csv => "csv",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Svg => "SVG",
            Self::Json => "JSON",
            Self::Dot => "DOT",
            Self::Csv => "CSV",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Json => "application/json",
            Self::Dot => "text/vnd.graphviz; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The id in the last segment of a path, and the format behind it.
    pub fn split(segment: &str) -> (&str, Option<Self>) {
        let Some((id, ending)) = segment.rsplit_once('.') else {
            return (segment, None);
        };
        let format = Self::ALL
            .into_iter()
            .find(|format| format.ending() == ending);
        // What has another ending is no id.
        format.map_or((segment, None), |format| (id, Some(format)))
    }

    /// The file.
    pub fn answer(self, drawn: &Drawn, label: &str) -> Response {
        let text = match self {
            Self::Svg => {
                let title = format!("Lineage of {label}");
                svg::document(&drawn.scene, &drawn.layout(), &title, &drawn.summary())
            }
            Self::Json => json_text(drawn).to_string(),
            Self::Dot => dot::document(&drawn.scene),
            Self::Csv => csv_text(drawn),
        };
        self.response(text)
    }

    /// A file with a text of this format.
    pub fn response(self, text: String) -> Response {
        let mut response = text.into_response();
        let headers = response.headers_mut();
        let content_type = HeaderValue::from_static(self.content_type());
        headers.insert(CONTENT_TYPE, content_type);
        let kept = HeaderValue::from_static("private, no-cache");
        headers.insert(CACHE_CONTROL, kept);
        if let Some(policy) = &*DRAWING_POLICY {
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        }
        set_safety_headers(headers);
        response
    }
}

fn json_text(drawn: &Drawn) -> Json {
    let node = |node: &TracedNode| {
        json!({
            "key": node.key.to_string(),
            "kind": node.key.kind.noun().to_lowercase(),
            "id": node.key.id,
            "label": node.label,
            "type": node.type_name,
            "state": node.mark.map(Mark::word),
            "hop": node.hop,
            "createTime": node.time,
        })
    };
    let figure = |figure: &Figure| {
        let members = figure.members.iter().map(ToString::to_string);
        json!({
            "key": figure.key.to_string(),
            "label": figure.label,
            "members": members.collect::<Vec<_>>(),
            "moreBefore": figure.more_before,
            "moreAfter": figure.more_after,
        })
    };
    let edges = drawn.lineage.edges.iter().map(|edge| {
        json!({
            "from": edge.from.to_string(),
            "to": edge.to.to_string(),
            "role": edge.role,
        })
    });
    let mut json = json!({
        "nodes": drawn.lineage.nodes.iter().map(node).collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "figures": drawn.scene.figures.iter().map(figure).collect::<Vec<_>>(),
        "hidden": drawn.scene.hidden,
        "hops": drawn.hops,
        "isCut": drawn.lineage.is_cut,
    });
    if let Some(time) = drawn.at {
        let present = drawn.lineage.present.iter().map(ToString::to_string);
        json["asOf"] = json!(utc_text(time));
        json["presentStates"] = json!(present.collect::<Vec<_>>());
    }
    json
}

/// A row for each node that was found, the nearest first.
fn csv_text(drawn: &Drawn) -> String {
    let mut nodes: Vec<&TracedNode> = drawn.lineage.nodes.iter().collect();
    nodes.sort_by_key(|node| (node.hop.unsigned_abs(), node.hop, node.key));
    let mut text = String::from("kind,id,name,type,state,hop,created\r\n");
    for node in nodes {
        let cells = [
            node.key.kind.noun().to_lowercase(),
            node.key.id.to_string(),
            csv_cell(&node.label),
            csv_cell(&node.type_name),
            node.mark.map(Mark::word).unwrap_or_default().to_owned(),
            node.hop.to_string(),
            time(node.time),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}
