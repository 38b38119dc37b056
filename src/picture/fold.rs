//! Which nodes of a trace are drawn, and which of them as one.
//!
//! Nodes of one colour are drawn as one, if they are at least [`MIN_FOLD_MEMBERS`]. The colour is
//! the kind, the type, the label without digits and hashes, and the signed hop; one round of colour
//! refinement adds the directions, the roles and the colours of the neighbours that are nearer to
//! the start. So the forty runs of a step become one, with the one that failed and wrote nothing,
//! and so do the datasets that they wrote.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use super::glyph::without_uuids;
use super::lineage::{FigureKey, FigureKind, TracedLineage, TracedNode};
use super::{Figure, Scene, SceneEdge};

/// Fewer nodes than this are not worth a fold.
pub const MIN_FOLD_MEMBERS: usize = 4;

/// The most figures of a picture, and of one in which nothing is to be folded.
pub const MAX_FIGURES: usize = 150;
pub const MAX_UNFOLDED_FIGURES: usize = 500;

/// What an opened side adds is folded by type alone if it is more figures than this.
pub const MAX_OPENED_FIGURES: usize = 30;

/// Which nodes become one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nodes that look alike and are linked alike.
    #[default]
    RepeatedSteps,
    /// All nodes of a type at the same hop.
    Type,
    Nothing,
}

/// What is drawn of a trace.
#[derive(Clone, Debug)]
pub struct FoldRules {
    pub grouping: Grouping,
    /// Nodes further away than this are not drawn, unless something opens them.
    pub hops: u32,
    /// This many hops instead, for what came from the start.
    pub hops_after: Option<u32>,
    /// The nodes that the picture is about. They are never folded.
    pub focus: BTreeSet<FigureKey>,
    /// Folds with one of these are drawn as their members.
    pub unfolded: BTreeSet<FigureKey>,
    /// What these came from is drawn, whatever its hop.
    pub opened_before: BTreeSet<FigureKey>,
    /// What came from these is drawn, whatever its hop.
    pub opened_after: BTreeSet<FigureKey>,
    /// The most figures.
    pub max_figures: usize,
}

impl Default for FoldRules {
    fn default() -> Self {
        Self {
            grouping: Grouping::default(),
            hops: 0,
            hops_after: None,
            focus: BTreeSet::new(),
            unfolded: BTreeSet::new(),
            opened_before: BTreeSet::new(),
            opened_after: BTreeSet::new(),
            max_figures: MAX_FIGURES,
        }
    }
}

impl FoldRules {
    /// Whether a node is drawn although nothing is opened.
    fn is_near(&self, node: &TracedNode) -> bool {
        let before = -i64::from(self.hops);
        let after = i64::from(self.hops_after.unwrap_or(self.hops));
        (before..=after).contains(&node.hop)
    }

    fn has_opened(&self, key: FigureKey) -> bool {
        self.focus.contains(&key)
            || self.unfolded.contains(&key)
            || self.opened_before.contains(&key)
            || self.opened_after.contains(&key)
    }
}

/// The scene of a normalized trace. The members of all figures and the hidden nodes are the nodes
/// of the trace.
#[must_use]
pub fn fold(lineage: &TracedLineage, rules: &FoldRules) -> Scene {
    LineageFolder::new(lineage).fold(rules)
}

/// What the names of nodes of one step have in common. `MLflow` calls a run by two words and a
/// number unless it is given a name: these say nothing.
pub(super) fn name_stem(node: &TracedNode) -> String {
    let is_generated = node.key.kind == FigureKind::Execution && has_generated_name(&node.label);
    if is_generated {
        String::new()
    } else {
        stem(&node.label)
    }
}

/// Whether a label is like `bold-fox-217`.
fn has_generated_name(label: &str) -> bool {
    let is_word = |part: &str| part.len() > 2 && part.bytes().all(|it| it.is_ascii_lowercase());
    let is_number = |part: &str| part.len() < 4 && part.bytes().all(|it| it.is_ascii_digit());
    match label.split('-').collect::<Vec<_>>()[..] {
        [first, second, number] => is_word(first) && is_word(second) && is_number(number),
        _ => false,
    }
}

/// A label without what differs from run to run: UUIDs, digits, and words that are hexadecimal
/// numbers.
pub(super) fn stem(label: &str) -> String {
    let label = without_uuids(label);
    let words = label.split_inclusive(|letter: char| !letter.is_alphanumeric());
    let is_hash = |word: &str| {
        let word = word.trim_end_matches(|letter: char| !letter.is_alphanumeric());
        word.len() >= 7
            && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            && word.bytes().any(|byte| byte.is_ascii_digit())
    };
    let words = words.filter(|word| !is_hash(word));
    let letters = words.flat_map(str::chars);
    letters.filter(|letter| !letter.is_numeric()).collect()
}

/// Numbers for values: equal ones for equal values.
fn numbered<T: Eq + Hash>(values: impl IntoIterator<Item = T>) -> Vec<usize> {
    let mut numbers = HashMap::new();
    let number = |value| {
        let next = numbers.len();
        *numbers.entry(value).or_insert(next)
    };
    values.into_iter().map(number).collect()
}

/// A normalized trace that is folded by one or by several rules.
#[derive(Debug)]
pub struct LineageFolder<'t> {
    nodes: &'t [TracedNode],
    /// Ends as indexes, and the number of the role.
    edges: Vec<(usize, usize, usize)>,
    /// The colours by kind, type, name and hop.
    coarse: Vec<usize>,
}

impl<'t> LineageFolder<'t> {
    #[must_use]
    pub fn new(lineage: &'t TracedLineage) -> Self {
        let places = lineage.places();
        let roles = numbered(lineage.edges.iter().map(|edge| edge.role.as_str()));
        let edges = lineage.edges.iter().zip(roles);
        let edges = edges.filter_map(|(edge, role)| {
            Some((*places.get(&edge.from)?, *places.get(&edge.to)?, role))
        });
        let coarse = lineage.nodes.iter().map(|node| {
            let stem = name_stem(node);
            (node.key.kind, node.type_name.as_str(), stem, node.hop)
        });
        Self {
            nodes: &lineage.nodes,
            edges: edges.collect(),
            coarse: numbered(coarse),
        }
    }

    /// The scene of the trace.
    #[must_use]
    pub fn fold(&self, rules: &FoldRules) -> Scene {
        let mut shown = self.shown(rules);
        let mut classes = match rules.grouping {
            Grouping::Nothing => (0..self.nodes.len()).collect(),
            Grouping::Type => self.type_colours(),
            Grouping::RepeatedSteps => self.refined(&shown),
        };
        if rules.grouping == Grouping::RepeatedSteps {
            self.widen_crowds(&mut classes, rules);
        }
        if rules.grouping == Grouping::RepeatedSteps
            && self.groups(&classes, &shown, rules).len() > rules.max_figures
        {
            classes.clone_from(&self.coarse);
            self.widen_far_classes(&mut classes, &shown, rules);
        }
        let mut groups = self.groups(&classes, &shown, rules);
        self.hide_farthest(&mut groups, &mut shown, rules);
        self.scene(&groups, &shown, rules)
    }

    /// The scene with the most hops, up to `max_hops`, that has at most `max_figures`; with two
    /// hops at least. Returns the hops, too.
    #[must_use]
    pub fn fold_within(
        &self,
        rules: &FoldRules,
        max_hops: u32,
        max_figures: usize,
    ) -> (Scene, u32) {
        let at = |hops| {
            let rules = FoldRules {
                hops,
                ..rules.clone()
            };
            self.fold(&rules)
        };
        let mut best = (at(2), 2);
        for hops in 3..=max_hops {
            let scene = at(hops);
            if scene.figures.len() > max_figures {
                break;
            }
            best = (scene, hops);
        }
        best
    }

    /// Which nodes are drawn: those that are near, and those that something opens.
    fn shown(&self, rules: &FoldRules) -> Vec<bool> {
        let is_near = |node: &TracedNode| rules.is_near(node) || rules.has_opened(node.key);
        let mut shown: Vec<bool> = self.nodes.iter().map(is_near).collect();
        for &(from, to, _) in &self.edges {
            let (before, after) = (self.nodes[from].key, self.nodes[to].key);
            shown[to] |= rules.opened_after.contains(&before);
            shown[from] |= rules.opened_before.contains(&after);
        }
        shown
    }

    fn type_colours(&self) -> Vec<usize> {
        let colour = |node: &'t TracedNode| (node.key.kind, node.type_name.as_str(), node.hop);
        numbered(self.nodes.iter().map(colour))
    }

    /// One round of colour refinement over what is drawn, by the neighbours that are nearer.
    fn refined(&self, shown: &[bool]) -> Vec<usize> {
        let colours = &self.coarse;
        let mut around = vec![BTreeSet::new(); self.nodes.len()];
        let distance = |place: usize| self.nodes[place].hop.unsigned_abs();
        for &(from, to, role) in &self.edges {
            if !shown[from] || !shown[to] {
                continue;
            }
            if distance(to) < distance(from) {
                around[from].insert((true, role, colours[to]));
            } else {
                around[to].insert((false, role, colours[from]));
            }
        }
        numbered(colours.iter().copied().zip(around))
    }

    /// Gives what an opened side adds the colours of types, if it is more than
    /// [`MAX_OPENED_FIGURES`].
    fn widen_crowds(&self, classes: &mut [usize], rules: &FoldRules) {
        if rules.opened_before.is_empty() && rules.opened_after.is_empty() {
            return;
        }
        let mut sides: BTreeMap<(usize, bool), BTreeSet<usize>> = BTreeMap::new();
        for &(from, to, _) in &self.edges {
            for (place, is_open, added, is_after) in [
                (from, &rules.opened_after, to, true),
                (to, &rules.opened_before, from, false),
            ] {
                if is_open.contains(&self.nodes[place].key) && !rules.is_near(&self.nodes[added]) {
                    sides.entry((place, is_after)).or_default().insert(added);
                }
            }
        }
        let by_type = self.type_colours();
        for added in sides.into_values() {
            let mut counts: HashMap<usize, usize> = HashMap::new();
            for place in &added {
                *counts.entry(classes[*place]).or_default() += 1;
            }
            let figures = counts.into_values();
            let figures = figures.map(|count| if count < MIN_FOLD_MEMBERS { count } else { 1 });
            if figures.sum::<usize>() > MAX_OPENED_FIGURES {
                for place in added {
                    classes[place] = self.wide_class(by_type[place]);
                }
            }
        }
    }

    /// The class of a colour of types, beyond all other colours, so that both kinds stay apart.
    const fn wide_class(&self, colour: usize) -> usize {
        self.nodes.len() + colour
    }

    /// Gives the nodes at far hops the colours of their types, from the farthest hop on, until the
    /// picture is small enough.
    fn widen_far_classes(&self, classes: &mut [usize], shown: &[bool], rules: &FoldRules) {
        let by_type = self.type_colours();
        let distances: BTreeSet<u64> = self.nodes.iter().map(|it| it.hop.unsigned_abs()).collect();
        for distance in distances.into_iter().rev() {
            if self.groups(classes, shown, rules).len() <= rules.max_figures {
                return;
            }
            for (place, node) in self.nodes.iter().enumerate() {
                if node.hop.unsigned_abs() == distance {
                    classes[place] = self.wide_class(by_type[place]);
                }
            }
        }
    }

    /// The nodes of each figure, in the order of their first members.
    fn groups(&self, classes: &[usize], shown: &[bool], rules: &FoldRules) -> Vec<Vec<usize>> {
        let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, class) in classes.iter().enumerate() {
            if shown[place] {
                by_class.entry(*class).or_default().push(place);
            }
        }
        let mut groups = Vec::new();
        for members in by_class.into_values() {
            let is_opened = |place: &usize| rules.has_opened(self.nodes[*place].key);
            let unfolds = |place: &usize| rules.unfolded.contains(&self.nodes[*place].key);
            let (single, folded): (Vec<_>, Vec<_>) = if members.iter().any(unfolds) {
                (members, Vec::new())
            } else {
                members.into_iter().partition(is_opened)
            };
            groups.extend(single.into_iter().map(|place| vec![place]));
            if folded.len() < MIN_FOLD_MEMBERS {
                groups.extend(folded.into_iter().map(|place| vec![place]));
            } else {
                groups.push(folded);
            }
        }
        groups.sort();
        groups
    }

    /// Leaves out the farthest figures of a picture that is too large.
    fn hide_farthest(&self, groups: &mut Vec<Vec<usize>>, shown: &mut [bool], rules: &FoldRules) {
        if groups.len() <= rules.max_figures {
            return;
        }
        let rank = |group: &Vec<usize>| {
            let node = &self.nodes[group[0]];
            let is_focus = rules.focus.contains(&node.key);
            (!is_focus, node.hop.unsigned_abs(), node.hop, node.key)
        };
        groups.sort_by_key(rank);
        for group in groups.drain(rules.max_figures..) {
            for place in group {
                shown[place] = false;
            }
        }
        groups.sort();
    }

    fn scene(&self, groups: &[Vec<usize>], shown: &[bool], rules: &FoldRules) -> Scene {
        let mut figure_of = vec![None; self.nodes.len()];
        for (figure, group) in groups.iter().enumerate() {
            for place in group {
                figure_of[*place] = Some(figure);
            }
        }
        let mut events: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut more: BTreeMap<(usize, bool), BTreeSet<usize>> = BTreeMap::new();
        for &(from, to, _) in &self.edges {
            match (figure_of[from], figure_of[to]) {
                (Some(before), Some(after)) if before != after => {
                    *events.entry((before, after)).or_default() += 1;
                }
                (Some(before), None) => _ = more.entry((before, true)).or_default().insert(to),
                (None, Some(after)) => _ = more.entry((after, false)).or_default().insert(from),
                _ => {}
            }
        }
        let count = |figure, after| more.get(&(figure, after)).map_or(0, BTreeSet::len);
        let figures = groups.iter().enumerate().map(|(place, group)| Figure {
            more_before: count(place, false),
            more_after: count(place, true),
            ..self.figure(group, rules)
        });
        let edge = |((from, to), events)| SceneEdge { from, to, events };
        Scene {
            figures: figures.collect(),
            edges: events.into_iter().map(edge).collect(),
            hidden: shown.iter().filter(|is_shown| !**is_shown).count(),
        }
    }

    /// The figure of some nodes, without what is around it.
    fn figure(&self, group: &[usize], rules: &FoldRules) -> Figure {
        let nodes = || group.iter().map(|place| &self.nodes[*place]);
        let first = &self.nodes[group[0]];
        let mut marks = BTreeMap::new();
        for mark in nodes().filter_map(|node| node.mark) {
            *marks.entry(mark).or_default() += 1;
        }
        let mut members: Vec<FigureKey> = nodes().map(|node| node.key).collect();
        members.sort();
        let label = if group.len() == 1 {
            first.label.clone()
        } else {
            common_label(nodes().map(|node| node.label.as_str()))
                .unwrap_or_else(|| first.type_name.clone())
        };
        Figure {
            key: members[0],
            is_focus: rules.focus.contains(&members[0]),
            members,
            label,
            type_name: first.type_name.clone(),
            marks,
            hop: first.hop,
            time: nodes().map(|node| node.time).min().unwrap_or_default(),
            more_before: 0,
            more_after: 0,
        }
    }
}

/// What the labels of a fold have in common: their beginning, without signs at its end, and what is
/// behind their numbers. `None` if that is nothing to read.
fn common_label<'l>(labels: impl Iterator<Item = &'l str>) -> Option<String> {
    let labels: Vec<&str> = labels.collect();
    let (first, others) = labels.split_first()?;
    let mut common = first.len();
    for label in others {
        let pairs = first.char_indices().zip(label.chars());
        let same = pairs.take_while(|((_, ours), theirs)| ours == theirs);
        let end = same
            .last()
            .map_or(0, |((start, ours), _)| start + ours.len_utf8());
        common = common.min(end);
    }
    let label = if common == first.len() {
        (*first).to_owned()
    } else {
        let begin = without_sign(&first[..common]);
        let end = behind_numbers(&first[common..]);
        let is_common = !end.is_empty()
            && others.iter().all(|label| {
                let rest = label.get(common..).unwrap_or_default();
                behind_numbers(rest) == end
            });
        if is_common {
            format!("{begin}…{end}")
        } else {
            begin.to_owned()
        }
    };
    (label.chars().count() >= 2).then_some(label)
}

/// A text without signs and digits at its end.
fn without_sign(text: &str) -> &str {
    text.trim_end_matches(|letter: char| !letter.is_alphabetic())
}

/// The words behind the last word of a text that has a digit, but for digits at the end of the
/// text.
fn behind_numbers(text: &str) -> &str {
    let text = without_sign(text);
    let is_sign = |letter: char| !letter.is_alphanumeric();
    let Some(digit) = text.rfind(char::is_numeric) else {
        return "";
    };
    let sign = text[digit..].find(is_sign);
    sign.map_or("", |sign| text[digit + sign..].trim_start_matches(is_sign))
}
