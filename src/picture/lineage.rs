//! Traced nodes and edges, as a picture needs them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use super::Mark;

/// What a node of a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FigureKind {
    Artifact,
    Execution,
}

impl FigureKind {
    /// Upper-case singular, as at the beginning of a sentence.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Artifact => "Artifact",
            Self::Execution => "Execution",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Artifact => 'a',
            Self::Execution => 'e',
        }
    }
}

/// A node by its kind and its id. Its text is `a42` or `e77`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FigureKey {
    pub kind: FigureKind,
    pub id: i64,
}

impl FigureKey {
    #[must_use]
    pub const fn artifact(id: i64) -> Self {
        Self {
            kind: FigureKind::Artifact,
            id,
        }
    }

    #[must_use]
    pub const fn execution(id: i64) -> Self {
        Self {
            kind: FigureKind::Execution,
            id,
        }
    }
}

impl fmt::Display for FigureKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.kind.letter(), self.id)
    }
}

/// A text that is no [`FigureKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFigureKey;

impl FromStr for FigureKey {
    type Err = NoFigureKey;

    fn from_str(text: &str) -> Result<Self, NoFigureKey> {
        let (kind, id) = if let Some(id) = text.strip_prefix('a') {
            (FigureKind::Artifact, id)
        } else {
            let id = text.strip_prefix('e').ok_or(NoFigureKey)?;
            (FigureKind::Execution, id)
        };
        let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let id = if is_number { id.parse().ok() } else { None };
        id.map(|id| Self { kind, id }).ok_or(NoFigureKey)
    }
}

/// A node of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedNode {
    pub key: FigureKey,
    pub label: String,
    pub type_name: String,
    pub mark: Option<Mark>,
    /// Hops from the nearest start: negative for what it was derived from, positive for what was
    /// derived from it.
    pub hop: i64,
    /// When the node was created, in milliseconds since epoch.
    pub time: i64,
}

/// An event of a trace, in the direction of the data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TracedEdge {
    pub from: FigureKey,
    pub to: FigureKey,
    /// The keys of the path of the event, such as `model`; empty without a path.
    pub role: String,
}

/// What a trace has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracedLineage {
    pub nodes: Vec<TracedNode>,
    pub edges: Vec<TracedEdge>,
    /// Whether a limit ended the trace.
    pub is_cut: bool,
    /// The nodes of an earlier time that have the states of today nevertheless.
    pub present: BTreeSet<FigureKey>,
}

impl TracedLineage {
    /// Sorts nodes and edges, and keeps each once: a node at its smallest distance. Edges whose
    /// ends are missing are left out.
    pub fn normalize(&mut self) {
        self.nodes
            .sort_by_key(|node| (node.key, node.hop.unsigned_abs(), node.hop));
        self.nodes.dedup_by_key(|node| node.key);
        let places = self.places();
        let is_whole = |edge: &TracedEdge| {
            edge.from != edge.to && places.contains_key(&edge.from) && places.contains_key(&edge.to)
        };
        let mut edges: Vec<_> = self.edges.drain(..).filter(is_whole).collect();
        edges.sort();
        edges.dedup();
        self.edges = edges;
    }

    /// The keys of a normalized trace, as `a1-40.a44.e7`: those with successive ids are a range.
    #[must_use]
    pub fn key_ranges(&self) -> String {
        let mut ranges: Vec<(FigureKey, i64)> = Vec::new();
        for node in &self.nodes {
            match ranges.last_mut() {
                Some((first, last)) if first.kind == node.key.kind && *last + 1 == node.key.id => {
                    *last = node.key.id;
                }
                _ => ranges.push((node.key, node.key.id)),
            }
        }
        let texts = ranges.into_iter().map(|(first, last)| {
            if first.id == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        });
        texts.collect::<Vec<_>>().join(".")
    }

    /// The index of each node.
    #[must_use]
    pub fn places(&self) -> HashMap<FigureKey, usize> {
        let keys = self.nodes.iter().map(|node| node.key);
        keys.zip(0..).collect()
    }
}

#[cfg(test)]
mod key_tests {
    use super::*;

    #[test]
    fn successive_keys_are_ranges() {
        let keys = [
            FigureKey::artifact(1),
            FigureKey::artifact(2),
            FigureKey::artifact(3),
        ];
        let keys = keys.into_iter().chain([5, 7, 8].map(FigureKey::execution));
        let node = |key| TracedNode {
            key,
            label: String::new(),
            type_name: String::new(),
            mark: None,
            hop: 0,
            time: 0,
        };
        let lineage = TracedLineage {
            nodes: keys.map(node).collect(),
            ..TracedLineage::default()
        };
        assert_eq!(lineage.key_ranges(), "a1-3.e5.e7-8");
        assert_eq!(TracedLineage::default().key_ranges(), "");
    }

    #[test]
    fn keys_have_one_text() {
        for key in [FigureKey::artifact(42), FigureKey::execution(i64::MAX)] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in [
            "",
            "a",
            "42",
            "c1",
            "a-1",
            "a+1",
            "a1r",
            "e99999999999999999999",
        ] {
            assert_eq!(text.parse::<FigureKey>(), Err(NoFigureKey), "{text}");
        }
    }
}
