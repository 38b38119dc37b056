//! The URL of a view of lineage, both ways.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use url::form_urlencoded;

use super::walk::WalkDirection;
use crate::error::{Error, Result};
use crate::picture::fold::{MAX_FIGURES, MAX_UNFOLDED_FIGURES};
use crate::picture::lineage::NoFigureKey;
use crate::picture::{FigureKey, FoldRules, Grouping};
use crate::utc::{time_of_text, utc_text};

/// The most hops that can be asked for, and that are drawn unasked.
const MAX_HOPS: u32 = 50;
pub const MAX_AUTO_HOPS: u32 = 8;

/// The most folds and sides that are open at once.
const MAX_OPENINGS: usize = 100;

/// The most letters of what is highlighted.
const MAX_HIGHLIGHT_LETTERS: usize = 200;

/// The last time that can be asked for: the end of the year 9999.
const MAX_TIME: i64 = 253_402_300_799_999;

/// The sizes of a picture on a screen, in percent.
const ZOOM_PERCENTS: RangeInclusive<u32> = 10..=200;

/// What of a figure is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenPart {
    /// A fold is drawn as its members. The text is that of a key.
    Members,
    /// What it came from is drawn: `l`, for the left side.
    Before,
    /// What came from it is drawn: `r`.
    After,
}

/// A figure that has been opened, as `e77`, `e77l` or `e77r`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FigureOpening {
    pub key: FigureKey,
    pub part: OpenPart,
}

impl fmt::Display for FigureOpening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.part {
            OpenPart::Members => "",
            OpenPart::Before => "l",
            OpenPart::After => "r",
        };
        write!(out, "{}{end}", self.key)
    }
}

impl FromStr for FigureOpening {
    type Err = NoFigureKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, part) = if let Some(key) = text.strip_suffix('l') {
            (key, OpenPart::Before)
        } else if let Some(key) = text.strip_suffix('r') {
            (key, OpenPart::After)
        } else {
            (text, OpenPart::Members)
        };
        let key = key.parse()?;
        Ok(Self { key, part })
    }
}

/// A path between two nodes, as `a42.e77`, or `a42.e77.2` for the second one of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedPath {
    pub from: FigureKey,
    pub to: FigureKey,
    /// From 1 on.
    pub number: usize,
}

impl fmt::Display for AskedPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.from, self.to)?;
        if self.number > 1 {
            write!(out, ".{}", self.number)?;
        }
        Ok(())
    }
}

impl FromStr for AskedPath {
    type Err = NoFigureKey;

    fn from_str(text: &str) -> Result<Self, NoFigureKey> {
        let mut parts = text.split('.');
        let mut key = || parts.next().ok_or(NoFigureKey)?.parse();
        let (from, to) = (key()?, key()?);
        let number = match parts.next() {
            None => 1,
            Some(number) => number.parse().map_err(|_| NoFigureKey)?,
        };
        if number == 0 || parts.next().is_some() {
            return Err(NoFigureKey);
        }
        Ok(Self { from, to, number })
    }
}

/// What a view of lineage shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineageView {
    pub direction: WalkDirection,
    /// Hops that are drawn; `None` for as many as are readable.
    pub hops: Option<u32>,
    pub group: Grouping,
    /// In the order in which they were opened.
    pub open: Vec<FigureOpening>,
    pub selected: Option<FigureKey>,
    /// A part of the names that stand out; empty for none.
    pub highlight: String,
    /// A path that is drawn instead of the lineage.
    pub path: Option<AskedPath>,
    pub is_list: bool,
    /// The time as of which the lineage is, in milliseconds since epoch; `None` for now.
    pub at: Option<i64>,
}

const DIRECTIONS: [(&str, WalkDirection); 3] = [
    ("provenance", WalkDirection::Provenance),
    ("both", WalkDirection::Both),
    ("impact", WalkDirection::Impact),
];

const GROUPS: [(&str, Grouping); 3] = [
    ("steps", Grouping::RepeatedSteps),
    ("type", Grouping::Type),
    ("nothing", Grouping::Nothing),
];

/// The value with a name.
fn named<T: Copy>(field: &str, text: &str, names: &[(&str, T)]) -> Result<T> {
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Error::invalid(format!("{field}: must be one of {}", names.join(", ")))
    })
}

fn name_of<T: PartialEq>(value: &T, names: &[(&'static str, T)]) -> &'static str {
    let found = names.iter().find(|(_, known)| known == value);
    found.map_or("", |(name, _)| name)
}

impl LineageView {
    /// The view of the pairs of a query. Names that it does not know mean nothing.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, which names the field, for a text that it cannot have.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self> {
        let mut view = Self::default();
        for (name, text) in pairs {
            let text = text.trim();
            match name.as_str() {
                "direction" => view.direction = named(name, text, &DIRECTIONS)?,
                "hops" => view.hops = hops(text)?,
                "group" => view.group = named(name, text, &GROUPS)?,
                "open" => view.open = openings(text)?,
                "selected" => {
                    let key = text.parse();
                    let rule = "selected: must be a node such as a42 or e77";
                    view.selected = Some(key.map_err(|_| Error::invalid(rule))?);
                }
                "highlight" => {
                    if text.chars().count() > MAX_HIGHLIGHT_LETTERS {
                        return Err(Error::invalid("highlight: is too long"));
                    }
                    text.clone_into(&mut view.highlight);
                }
                "path" => {
                    let rule = "path: must be two nodes with a dot between, such as a42.e77";
                    view.path = Some(text.parse().map_err(|_| Error::invalid(rule))?);
                }
                "at" => view.at = time(text)?,
                // The scripts of the page read it; links do not repeat it.
                "zoom" => check_zoom(text)?,
                "view" => {
                    view.is_list = named(name, text, &[("graph", false), ("list", true)])?;
                }
                _ => {}
            }
        }
        if view.at.is_some() && view.path.is_some() {
            return Err(Error::invalid("path: is that of now, without at"));
        }
        Ok(view)
    }

    /// The query that [`Self::parse`] reads; empty for the default view.
    pub fn write(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.direction != WalkDirection::default() {
            query.append_pair("direction", self.direction_name());
        }
        if let Some(hops) = self.hops {
            query.append_pair("hops", &hops.to_string());
        }
        if self.group != Grouping::default() {
            query.append_pair("group", self.group_name());
        }
        if !self.open.is_empty() {
            query.append_pair("open", &self.open_text());
        }
        if let Some(selected) = self.selected {
            query.append_pair("selected", &selected.to_string());
        }
        if !self.highlight.is_empty() {
            query.append_pair("highlight", &self.highlight);
        }
        if let Some(path) = self.path {
            query.append_pair("path", &path.to_string());
        }
        if self.is_list {
            query.append_pair("view", "list");
        }
        if let Some(time) = self.at {
            query.append_pair("at", &utc_text(time));
        }
        query.finish()
    }

    pub fn direction_name(&self) -> &'static str {
        name_of(&self.direction, &DIRECTIONS)
    }

    pub fn group_name(&self) -> &'static str {
        name_of(&self.group, &GROUPS)
    }

    pub fn open_text(&self) -> String {
        let texts: Vec<String> = self.open.iter().map(ToString::to_string).collect();
        texts.join(".")
    }

    /// This view with one more opening, or without it if it is open.
    pub fn toggled(&self, opening: FigureOpening) -> Self {
        let mut view = self.clone();
        if let Some(place) = view.open.iter().position(|known| *known == opening) {
            view.open.remove(place);
        } else if view.open.len() < MAX_OPENINGS {
            view.open.push(opening);
        }
        view
    }

    /// What is drawn with the first openings.
    pub fn rules(&self, focus: &BTreeSet<FigureKey>, openings: usize) -> FoldRules {
        let opened = |part| {
            let open = self.open.iter().take(openings);
            let open = open.filter(move |opening| opening.part == part);
            open.map(|opening| opening.key).collect()
        };
        FoldRules {
            grouping: self.group,
            hops: self.hops.unwrap_or(MAX_AUTO_HOPS),
            focus: focus.clone(),
            unfolded: opened(OpenPart::Members),
            opened_before: opened(OpenPart::Before),
            opened_after: opened(OpenPart::After),
            max_figures: if self.group == Grouping::Nothing {
                MAX_UNFOLDED_FIGURES
            } else {
                MAX_FIGURES
            },
            ..FoldRules::default()
        }
    }
}

fn hops(text: &str) -> Result<Option<u32>> {
    if text == "auto" {
        return Ok(None);
    }
    let hops = text
        .parse()
        .ok()
        .filter(|hops| (1..=MAX_HOPS).contains(hops));
    let rule = || Error::invalid(format!("hops: must be auto or 1 to {MAX_HOPS}"));
    hops.map(Some).ok_or_else(rule)
}

/// A time as RFC 3339, as a date, or in milliseconds since epoch; `None` for an empty text.
fn time(text: &str) -> Result<Option<i64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let time = if is_number {
        text.parse().ok()
    } else {
        time_of_text(text)
    };
    // The text of another time would be that of the nearest of these.
    let time = time.filter(|time| (0..=MAX_TIME).contains(time));
    let rule = "at: must be a time such as 2026-11-29T10:00:00Z, or milliseconds since 1970";
    time.map(Some).ok_or_else(|| Error::invalid(rule))
}

fn check_zoom(text: &str) -> Result<()> {
    let percent = text.parse().ok();
    let is_known = percent.is_some_and(|percent| ZOOM_PERCENTS.contains(&percent));
    let rule = || Error::invalid("zoom: must be 10 to 200");
    is_known.then_some(()).ok_or_else(rule)
}

fn openings(text: &str) -> Result<Vec<FigureOpening>> {
    let open: Result<Vec<FigureOpening>, _> = text.split('.').map(str::parse).collect();
    let rule = "open: must be nodes and sides such as e77, e77l or e77r, with dots between";
    let mut open = open.map_err(|_| Error::invalid(rule))?;
    let mut seen = BTreeSet::new();
    open.retain(|opening| seen.insert(*opening));
    if open.len() > MAX_OPENINGS {
        return Err(Error::invalid(format!(
            "open: has more than {MAX_OPENINGS} parts"
        )));
    }
    Ok(open)
}

#[cfg(test)]
mod url_tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(query: &str) -> Result<LineageView> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        LineageView::parse(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn wrong_texts_are_refused_by_their_fields() {
        for query in [
            "direction=up",
            "hops=0",
            "hops=51",
            "hops=99999999999999999999",
            "hops=-1",
            "group=all",
            "open=x1",
            "open=e1..e2",
            "selected=c1",
            "selected=a99999999999999999999",
            "path=a1",
            "path=a1.a2.0",
            "path=a1.a2.1.1",
            "view=map",
            "at=yesterday",
            "at=-1",
            "at=1969-12-31",
            "at=2026-02-30T00:00:00Z",
            "at=99999999999999999999",
            "at=253402300800000",
            "path=a1.a2&at=1",
            "zoom=9",
            "zoom=x",
        ] {
            let field = query.split('=').next().unwrap();
            let error = parse(query).unwrap_err().to_string();
            assert!(error.starts_with(field), "{query}: {error}");
        }
        let many: Vec<String> = (0..=MAX_OPENINGS).map(|id| format!("e{id}")).collect();
        assert!(parse(&format!("open={}", many.join("."))).is_err());
        assert!(parse(&format!("highlight={}", "x".repeat(201))).is_err());
        let unknown = parse("unknown=1&x&zoom=150").unwrap();
        assert_eq!(unknown, LineageView::default());
    }

    fn key() -> impl Strategy<Value = FigureKey> {
        let id = 0..i64::MAX;
        prop_oneof![
            id.clone().prop_map(FigureKey::artifact),
            id.prop_map(FigureKey::execution)
        ]
    }

    fn opening() -> impl Strategy<Value = FigureOpening> {
        let part = prop_oneof![
            Just(OpenPart::Members),
            Just(OpenPart::Before),
            Just(OpenPart::After)
        ];
        (key(), part).prop_map(|(key, part)| FigureOpening { key, part })
    }

    proptest! {
        #[test]
        fn views_survive_a_url(
            direction in 0..3_usize,
            hops in proptest::option::of(1..=MAX_HOPS),
            group in 0..3_usize,
            open in proptest::collection::btree_set(opening(), 0..=MAX_OPENINGS),
            selected in proptest::option::of(key()),
            highlight in "[^\\s\\x00](.{0,30}[^\\s])?",
            path in proptest::option::of((key(), key(), 1..30_usize)),
            is_list in any::<bool>(),
            at in proptest::option::of(0..=MAX_TIME),
        ) {
            let view = LineageView {
                direction: DIRECTIONS[direction].1,
                hops,
                group: GROUPS[group].1,
                open: open.into_iter().collect(),
                selected,
                highlight: highlight.trim().to_owned(),
                path: path.map(|(from, to, number)| AskedPath { from, to, number }),
                is_list,
                at: at.filter(|_| path.is_none()),
            };
            prop_assert_eq!(parse(&view.write()).unwrap(), view);
        }

        #[test]
        fn any_query_is_read_or_refused(query in ".{0,200}") {
            let _ = parse(&query);
        }
    }
}
