//! The URL of a comparison, both ways.

use url::form_urlencoded;

use crate::error::{Error, Result};
use crate::model::Side;

/// The most nodes that are compared.
pub const MAX_COMPARED_NODES: usize = 100;

/// The most metrics whose curves are asked for at once, and the most bytes of a key.
const MAX_ASKED_METRICS: usize = 12;
const MAX_KEY_BYTES: usize = 500;

/// What curves are drawn along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CurveX {
    #[default]
    Step,
    Time,
    /// The time since the first point of a curve.
    Relative,
}

impl CurveX {
    pub const ALL: [(&'static str, Self); 3] = [
        ("step", Self::Step),
        ("time", Self::Time),
        ("relative", Self::Relative),
    ];
}

/// What is compared, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompareQuery {
    pub side: Side,
    /// In the order of the columns, each once.
    pub ids: Vec<i64>,
    /// Whether rows are shown that are the same everywhere.
    pub is_all: bool,
    /// Metrics whose curves are asked for; empty for some of them.
    pub metrics: Vec<String>,
    pub x: CurveX,
    pub is_log: bool,
}

impl Default for CompareQuery {
    fn default() -> Self {
        Self {
            side: Side::Execution,
            ids: Vec::new(),
            is_all: false,
            metrics: Vec::new(),
            x: CurveX::default(),
            is_log: false,
        }
    }
}

impl CompareQuery {
    /// The comparison of the pairs of a query. Names that it does not know mean nothing. Ids may be
    /// in one text, with commas between, and in several.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, which names the field, for a text that it cannot have.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self> {
        let mut query = Self::default();
        for (name, text) in pairs {
            let text = text.trim();
            match name.as_str() {
                "executions" => query.add_ids(Side::Execution, name, text)?,
                "artifacts" => query.add_ids(Side::Artifact, name, text)?,
                "show" => {
                    query.is_all = match text {
                        "differences" => false,
                        "all" => true,
                        _ => return Err(Error::invalid("show: must be differences or all")),
                    };
                }
                "metric" => {
                    if text.len() > MAX_KEY_BYTES || query.metrics.len() >= MAX_ASKED_METRICS {
                        let rule = format!("metric: at most {MAX_ASKED_METRICS} names of metrics");
                        return Err(Error::invalid(rule));
                    }
                    if !query.metrics.iter().any(|known| known == text) {
                        query.metrics.push(text.to_owned());
                    }
                }
                "x" => {
                    let found = CurveX::ALL.iter().find(|(word, _)| *word == text);
                    let rule = "x: must be step, time or relative";
                    query.x = found.ok_or_else(|| Error::invalid(rule))?.1;
                }
                "scale" => {
                    query.is_log = match text {
                        "linear" => false,
                        "log" => true,
                        _ => return Err(Error::invalid("scale: must be linear or log")),
                    };
                }
                _ => {}
            }
        }
        Ok(query)
    }

    fn add_ids(&mut self, side: Side, name: &str, text: &str) -> Result<()> {
        if !self.ids.is_empty() && self.side != side {
            return Err(Error::invalid(
                "executions, artifacts: nodes of one kind are compared",
            ));
        }
        self.side = side;
        for part in text.split(',').map(str::trim) {
            let part = part.strip_prefix('#').unwrap_or(part);
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let id = if is_number { part.parse().ok() } else { None };
            let rule = || Error::invalid(format!("{name}: must be ids with commas between"));
            let id = id.ok_or_else(rule)?;
            if !self.ids.contains(&id) {
                self.ids.push(id);
            }
            if self.ids.len() > MAX_COMPARED_NODES {
                return Err(Error::invalid(format!(
                    "{name}: at most {MAX_COMPARED_NODES} nodes are compared"
                )));
            }
        }
        Ok(())
    }

    /// The name of the field with the ids.
    pub const fn ids_name(&self) -> &'static str {
        self.side.kind().plural()
    }

    /// The ids with commas between.
    pub fn ids_text(&self) -> String {
        let ids: Vec<String> = self.ids.iter().map(i64::to_string).collect();
        ids.join(",")
    }

    /// The query that [`Self::parse`] reads.
    pub fn write(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.ids.is_empty() {
            query.append_pair(self.ids_name(), &self.ids_text());
        }
        if self.is_all {
            query.append_pair("show", "all");
        }
        for metric in &self.metrics {
            query.append_pair("metric", metric);
        }
        let word = CurveX::ALL.iter().find(|(_, x)| *x == self.x);
        if let Some((word, _)) = word.filter(|_| self.x != CurveX::default()) {
            query.append_pair("x", word);
        }
        if self.is_log {
            query.append_pair("scale", "log");
        }
        query.finish()
    }
}

#[cfg(test)]
mod compare_url_tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(query: &str) -> Result<CompareQuery> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        CompareQuery::parse(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn ids_of_forms_and_links_are_read() {
        let query = parse("executions=3,1&executions=%232&executions=1").unwrap();
        assert_eq!(query.ids, [3, 1, 2]);
        assert_eq!(parse("artifacts=7").unwrap().side, Side::Artifact);
        assert_eq!(parse("unknown=1").unwrap(), CompareQuery::default());
    }

    #[test]
    fn wrong_texts_are_refused_by_their_fields() {
        for query in [
            "executions=x",
            "executions=1,,2",
            "artifacts=-1",
            "artifacts=99999999999999999999",
            "show=some",
            "x=up",
            "scale=2",
        ] {
            let field = query.split('=').next().unwrap();
            let error = parse(query).unwrap_err().to_string();
            assert!(error.starts_with(field), "{query}: {error}");
        }
        assert!(parse("executions=1&artifacts=2").is_err());
        let many = |last: usize| (0..=last).map(|id| id.to_string()).collect::<Vec<_>>();
        let ids = |last| format!("executions={}", many(last).join(","));
        assert_eq!(parse(&ids(99)).unwrap().ids.len(), 100);
        assert!(parse(&ids(100)).is_err());
        let metrics: Vec<String> = (0..13).map(|number| format!("metric={number}")).collect();
        assert!(parse(&metrics.join("&")).is_err());
    }

    proptest! {
        #[test]
        fn comparisons_survive_a_url(
            is_artifact in any::<bool>(),
            ids in proptest::collection::btree_set(0..i64::MAX, 1..100),
            is_all in any::<bool>(),
            metrics in proptest::collection::btree_set("[^\\s\\x00](.{0,30}[^\\s])?", 0..12),
            x in 0..3_usize,
            is_log in any::<bool>(),
        ) {
            let query = CompareQuery {
                side: if is_artifact { Side::Artifact } else { Side::Execution },
                ids: ids.into_iter().collect(),
                is_all,
                metrics: metrics.into_iter().map(|text| text.trim().to_owned()).collect(),
                x: CurveX::ALL[x].1,
                is_log,
            };
            let mut once = query.clone();
            once.metrics.dedup();
            prop_assert_eq!(parse(&query.write()).unwrap(), once);
        }
    }
}
