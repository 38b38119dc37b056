//! `/lineage/{kind}/{id}`: where a node came from and what depends on it, as a picture, as a list,
//! and as files.
//!
//! * `query`: the URL, both ways; `walk`: the traces; `draw`: what is drawn of them.
//! * `diff`: the lineage beside another one, `against=`.
//! * `path`: the way of data between two nodes, instead of the lineage.
//! * `highlight`: what stands out in the picture; `as_of`: the lineage of an earlier time.
//! * `panel`: the selected node or fold; `list`: the same lineage as a tree of rows.
//! * `export`: `.svg`, `.json`, `.dot` and `.csv` behind the id.

mod as_of;
pub(super) mod diff;
mod draw;
mod export;
mod highlight;
mod list;
mod panel;
mod path;
pub(super) mod query;
pub(super) mod walk;

use std::collections::BTreeSet;

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::choices::{LinkChoice, ValueChoice};
use super::node;
use super::page::{Links, Section, Shell, html, kind_of};
use super::text;
use super::views::{NodeView, kind_glyph, label};
use super::visit::{Visit, parse_id};
use crate::api::call::Call;
use crate::api::http::problem::Problem;
use crate::error::{Error, Result};
use crate::model::{Event, Kind, Node, Step};
use crate::picture::svg::{MoreSide, SceneLinks};
use crate::picture::{Figure, FigureKey, Grouping, svg};
use crate::utc::utc_text;
use as_of::{AsOfNotice, TimeStrip, nodes_at};
use draw::Drawn;
use export::Format;
use highlight::Highlight;
use list::{Card, ListRow};
use panel::Panel;
use path::PathPage;
use query::{FigureOpening, LineageView, OpenPart};
use walk::WalkDirection;

/// The keys of the path of an event, with slashes between.
pub(super) fn event_role(event: &Event) -> String {
    let keys = event.path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(text::cell(key)),
        Step::Index(_) => None,
    });
    keys.collect::<Vec<_>>().join("/")
}

/// Links of figures to their nodes; folds are no links, nor is what is not drawn.
pub(super) struct NodeLinks<'l>(pub &'l Links);

impl SceneLinks for NodeLinks<'_> {
    fn of_figure(&self, figure: &Figure) -> Option<String> {
        let is_single = !figure.is_fold();
        is_single.then(|| self.0.node(kind_of(figure.key), figure.key.id))
    }

    fn of_more(&self, _: &Figure, _: MoreSide) -> Option<String> {
        None
    }
}

/// The node or the context whose lineage is shown.
struct LineageSubject {
    kind: Kind,
    node: Node,
    starts: Vec<FigureKey>,
}

impl LineageSubject {
    async fn find(visit: &Visit, id: i64, at: Option<i64>) -> Result<Self> {
        let kinds = Kind::ALL.into_iter();
        let kind = kinds.clone().find(|kind| kind.plural() == visit.segment(0));
        let kind = kind.ok_or_else(|| Error::NotFound("no such kind of node".into()))?;
        Self::of(visit, kind, id, at).await
    }

    /// A node or a context, as it is or as it was at a time.
    async fn of(visit: &Visit, kind: Kind, id: i64, at: Option<i64>) -> Result<Self> {
        let mut node = node::find(visit, kind, id).await?;
        if let Some(time) = at {
            let earlier = nodes_at(visit, kind, &[id], at).await?.pop();
            let noun = kind.noun();
            let younger = || format!("{noun} {id} was created after {}", utc_text(time));
            node = earlier.ok_or_else(|| Error::NotFound(younger()))?;
        }
        let mut subject = Self {
            kind,
            node,
            starts: Vec::new(),
        };
        subject.starts = subject.starts_at(&visit.call, at).await?;
        Ok(subject)
    }

    /// Where walks begin, now or at a time.
    async fn starts_at(&self, call: &Call, at: Option<i64>) -> Result<Vec<FigureKey>> {
        let id = self.node.id;
        Ok(match self.kind {
            Kind::Artifact => vec![FigureKey::artifact(id)],
            Kind::Execution => vec![FigureKey::execution(id)],
            Kind::Context => walk::members(call, id, at).await?,
        })
    }

    /// The figures that are never folded: a node, but not the members of a context.
    fn focus(&self) -> BTreeSet<FigureKey> {
        let starts = self.starts.iter().copied();
        starts.filter(|_| self.kind != Kind::Context).collect()
    }
}

#[derive(Template)]
#[template(path = "ui/lineage.html")]
struct LineagePage {
    page: Shell,
    node: NodeView,
    title: String,
    list_link: String,
    list_word: &'static str,
    directions: Vec<LinkChoice>,
    views: Vec<LinkChoice>,
    exports: Vec<LinkChoice>,
    hops: Vec<ValueChoice>,
    groups: Vec<ValueChoice>,
    action: String,
    direction: &'static str,
    open: String,
    highlight: String,
    /// How much stands out.
    highlighted: String,
    is_list: bool,
    reset: Option<String>,
    /// An `svg` element, made of escaped texts only.
    picture: String,
    panel: Option<Panel>,
    cards: Vec<Card>,
    rows: Vec<ListRow>,
    is_empty: bool,
    summary: String,
    /// The stream of changes, and the keys of the nodes whose changes matter here.
    stream: String,
    traced: String,
    cut: String,
    as_of: Option<AsOfNotice>,
    /// The time of the page, for the form; empty for now.
    at: String,
    strip: Option<TimeStrip>,
    artifact_glyph: &'static str,
    execution_glyph: &'static str,
}

/// The panel alone.
#[derive(Template)]
#[template(path = "ui/panel.html")]
struct PanelPart {
    panel: Panel,
}

/// The page of a picture: where its figures lead.
struct PageLinks<'p> {
    links: &'p Links,
    base: &'p str,
    view: &'p LineageView,
    selected: Option<FigureKey>,
    highlight: &'p Highlight,
}

impl PageLinks<'_> {
    fn link(&self, view: &LineageView) -> String {
        with_query(self.base, view)
    }
}

impl SceneLinks for PageLinks<'_> {
    fn of_figure(&self, figure: &Figure) -> Option<String> {
        let view = LineageView {
            selected: Some(figure.key),
            ..self.view.clone()
        };
        Some(self.link(&view))
    }

    fn of_more(&self, figure: &Figure, side: MoreSide) -> Option<String> {
        // A fold is opened first: its members differ in what is around them.
        let part = match side {
            _ if figure.is_fold() => OpenPart::Members,
            MoreSide::Before => OpenPart::Before,
            MoreSide::After => OpenPart::After,
        };
        let key = figure.key;
        Some(self.link(&self.view.toggled(FigureOpening { key, part })))
    }

    fn of_node(&self, figure: &Figure) -> Option<(String, String)> {
        if figure.is_fold() {
            return None;
        }
        let (kind, id) = (kind_of(figure.key), figure.key.id);
        Some((
            self.links.node(kind, id),
            centred(self.links, figure, self.view),
        ))
    }

    fn selected(&self) -> Option<FigureKey> {
        self.selected
    }

    fn is_faded(&self, figure: &Figure) -> bool {
        self.highlight.is_faded(figure)
    }
}

/// The same view of the lineage of another node.
fn centred(links: &Links, figure: &Figure, view: &LineageView) -> String {
    let view = changed(view, |view| {
        view.selected = None;
        view.open.clear();
    });
    with_query(&links.lineage(kind_of(figure.key), figure.key.id), &view)
}

/// The address of a view.
fn with_query(base: &str, view: &LineageView) -> String {
    match view.write().as_str() {
        "" => base.to_owned(),
        query => format!("{base}?{query}"),
    }
}

/// As [`with_query`], where a picture is looked at from its focus.
fn at_focus(base: &str, view: &LineageView) -> String {
    let end = if view.is_list { "" } else { "#focus" };
    with_query(base, view) + end
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let (id, format) = Format::split(visit.segment(1));
    let view = LineageView::parse(visit.query())?;
    let subject = LineageSubject::find(&visit, parse_id(id)?, view.at).await?;
    if let Some(other) = visit.asked("against") {
        if view.at.is_some() {
            return Err(Error::invalid("against: compares lineages of now, without at").into());
        }
        return Ok(diff::answer(&visit, &subject, &view, (other, format)).await?);
    }
    let base = visit.links().lineage(subject.kind, subject.node.id);
    if let (Some(asked), None) = (view.path, format) {
        let shown = PathPage::new(&visit, &subject, (&base, &view), asked).await?;
        return Ok(html(StatusCode::OK, &shown)?);
    }
    let drawn = Drawn::new(&visit.call, &subject, &view).await?;
    let label = label(&subject.node);
    if let Some(format) = format {
        return Ok(format.answer(&drawn, &label));
    }
    let shown = show(&visit, &subject, &view, &drawn, (&base, &label)).await?;
    Ok(html(StatusCode::OK, &shown)?)
}

/// `GET /lineage/{kind}/{id}/panel`: the panel of the page with the same query.
pub(super) async fn panel_part(visit: Visit) -> Result<Response, Problem> {
    let view = LineageView::parse(visit.query())?;
    let subject = LineageSubject::find(&visit, parse_id(visit.segment(1))?, view.at).await?;
    let drawn = Drawn::new(&visit.call, &subject, &view).await?;
    let base = visit.links().lineage(subject.kind, subject.node.id);
    let figure = selected(&subject, &view, &drawn)
        .ok_or_else(|| Error::NotFound("nothing in this picture is selected".into()))?;
    let panel = Panel::new(&visit, &subject, figure, (&base, &view)).await?;
    Ok(html(StatusCode::OK, &PanelPart { panel })?)
}

/// The figure that the panel describes: the selected one, or that of the node in focus.
fn selected<'d>(
    subject: &LineageSubject,
    view: &LineageView,
    drawn: &'d Drawn,
) -> Option<&'d Figure> {
    let figure_of = |key| drawn.scene.figure_of(key);
    let selected = view.selected.and_then(figure_of);
    let default = || subject.focus().first().copied().and_then(figure_of);
    let place = selected.or_else(default)?;
    drawn.scene.figures.get(place)
}

async fn show(
    visit: &Visit,
    subject: &LineageSubject,
    view: &LineageView,
    drawn: &Drawn,
    (base, label): (&str, &str),
) -> Result<LineagePage> {
    let links = visit.links();
    let selected = selected(subject, view, drawn);
    let asked = if view.is_list { "" } else { &view.highlight };
    let highlight = Highlight::of(visit, asked, &drawn.scene).await?;
    let page_links = PageLinks {
        links,
        base,
        view,
        selected: selected.map(|figure| figure.key),
        highlight: &highlight,
    };
    let title = match view.direction {
        WalkDirection::Both => "Lineage of",
        WalkDirection::Provenance => "Provenance of",
        WalkDirection::Impact => "Impact of",
    };
    let panel = match selected.filter(|_| !view.is_list) {
        Some(figure) => Some(Panel::new(visit, subject, figure, (base, view)).await?),
        None => None,
    };
    let section = Section::Nodes(subject.kind);
    Ok(LineagePage {
        page: visit.page(section),
        node: NodeView::new(links, subject.kind, &subject.node),
        title: format!("{title} {label}"),
        list_link: links.to(section.path()),
        list_word: match subject.kind {
            Kind::Artifact => "Artifacts",
            Kind::Execution => "Executions",
            Kind::Context => "Contexts",
        },
        directions: directions(base, view),
        views: views(base, view),
        exports: Format::ALL
            .map(|format| export_choice(format, base, view))
            .into(),
        hops: hop_choices(view, drawn),
        groups: group_choices(view),
        action: base.to_owned(),
        direction: view.direction_name(),
        open: view.open_text(),
        highlight: text::visible(&view.highlight),
        highlighted: highlight.summary(&drawn.scene),
        is_list: view.is_list,
        reset: (!view.open.is_empty()).then(|| {
            let closed = LineageView {
                open: Vec::new(),
                ..view.clone()
            };
            with_query(base, &closed)
        }),
        picture: if view.is_list {
            String::new()
        } else {
            svg::element(
                &drawn.scene,
                &drawn.layout(),
                &format!("{title} {label}"),
                &page_links,
            )
        },
        panel,
        cards: if view.is_list {
            list::cards(drawn)
        } else {
            Vec::new()
        },
        rows: if view.is_list {
            list::rows(links, drawn)
        } else {
            Vec::new()
        },
        is_empty: drawn.lineage.nodes.len() <= 1,
        summary: drawn.summary(),
        stream: links.to("/activity/stream"),
        traced: drawn.lineage.key_ranges(),
        cut: if drawn.lineage.is_cut {
            let most = text::number(walk::MAX_TRACED_NODES);
            format!("There is more: a walk ends after {most} nodes. What is nearest is shown.")
        } else {
            String::new()
        },
        as_of: AsOfNotice::of(drawn, (base, view)),
        at: view.at.map(utc_text).unwrap_or_default(),
        strip: TimeStrip::of(
            &drawn.strip(&visit.call, subject, view).await?,
            (base, view),
        ),
        artifact_glyph: kind_glyph(Kind::Artifact),
        execution_glyph: kind_glyph(Kind::Execution),
    })
}

/// A view with a change.
fn changed(view: &LineageView, change: impl FnOnce(&mut LineageView)) -> LineageView {
    let mut view = view.clone();
    change(&mut view);
    view
}

fn directions(base: &str, view: &LineageView) -> Vec<LinkChoice> {
    let choices = [
        ("Provenance", WalkDirection::Provenance),
        ("Both", WalkDirection::Both),
        ("Impact", WalkDirection::Impact),
    ];
    let choice = |(word, direction)| LinkChoice {
        word,
        link: at_focus(base, &changed(view, |view| view.direction = direction)),
        is_taken: view.direction == direction,
    };
    choices.map(choice).into()
}

fn views(base: &str, view: &LineageView) -> Vec<LinkChoice> {
    let choice = |(word, is_list)| LinkChoice {
        word,
        link: at_focus(base, &changed(view, |view| view.is_list = is_list)),
        is_taken: view.is_list == is_list,
    };
    [("Graph", false), ("List", true)].map(choice).into()
}

fn export_choice(format: Format, base: &str, view: &LineageView) -> LinkChoice {
    let graph = changed(view, |view| {
        view.is_list = false;
        view.selected = None;
    });
    LinkChoice {
        word: format.word(),
        link: with_query(&format!("{base}.{}", format.ending()), &graph),
        is_taken: false,
    }
}

fn hop_choices(view: &LineageView, drawn: &Drawn) -> Vec<ValueChoice> {
    let auto = ValueChoice {
        word: format!("auto ({})", drawn.hops),
        value: "auto".to_owned(),
        is_taken: view.hops.is_none(),
    };
    let mut numbers = vec![1, 2, 3, 4, 6, 8, 12, 20, 50];
    numbers.extend(view.hops.filter(|hops| !numbers.contains(hops)));
    numbers.sort_unstable();
    let number = |hops: u32| ValueChoice {
        word: hops.to_string(),
        value: hops.to_string(),
        is_taken: view.hops == Some(hops),
    };
    std::iter::once(auto)
        .chain(numbers.into_iter().map(number))
        .collect()
}

fn group_choices(view: &LineageView) -> Vec<ValueChoice> {
    let choices = [
        ("repeated steps", "steps", Grouping::RepeatedSteps),
        ("type", "type", Grouping::Type),
        ("nothing", "nothing", Grouping::Nothing),
    ];
    let choice = |(word, value, group): (&str, &str, Grouping)| ValueChoice {
        word: word.to_owned(),
        value: value.to_owned(),
        is_taken: view.group == group,
    };
    choices.map(choice).into()
}
