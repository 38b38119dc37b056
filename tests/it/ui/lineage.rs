//! Lineage as a picture, as a list and as files.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::{links, page, put_tour, visit};
use crate::serving::get;
use crate::support::prelude::*;

on_every_database! {
    repeated_steps_are_one_figure_that_opens,
    directions_and_hops_decide_what_is_drawn,
    filters_highlight,
    what_is_not_drawn_is_a_link,
    a_fold_of_many_opens_as_a_list,
    the_panel_is_a_part_of_its_own,
    a_path_is_the_shortest_way,
    a_list_has_the_same_nodes,
    files_have_what_was_found,
    a_context_has_lineage,
    a_node_without_events_has_a_picture,
    wrong_views_are_refused_by_their_fields,
}

/// How many figures a picture has.
fn figures(text: &str) -> usize {
    text.matches("data-key=\"").count()
}

/// How many figures of a picture do not stand back.
fn bright_figures(text: &str) -> usize {
    let figures = text.split(" class=\"figure ").skip(1);
    let classes = figures.filter_map(|figure| figure.split('"').next());
    classes.filter(|class| !class.contains("faded")).count()
}

/// The key of the figure that stands for this many executions.
fn fold_key(text: &str, members: &str) -> String {
    let mut figures = text.split("data-key=\"").skip(1);
    let badge = format!(">×{members}</text>");
    let figure = figures.find(|figure| figure.starts_with('e') && figure.contains(&badge));
    let figure = figure.unwrap_or_else(|| panic!("no {badge} in {text}"));
    figure.split('"').next().unwrap().to_owned()
}

async fn repeated_steps_are_one_figure_that_opens(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}");
    let folded = page(&store, &path).await;
    // Two datasets, train, the model, evaluate, its report, twelve runs, twelve scores.
    assert_eq!(figures(&folded), 8, "{folded}");
    let runs = fold_key(&folded, "12");
    let selected = page(&store, &format!("{path}?selected={runs}")).await;
    for part in [
        "Show all 12",
        "What differs between 12",
        "day",
        "12 values",
        "Failed",
    ] {
        assert!(selected.contains(part), "{part}: {selected}");
    }
    let opened = page(&store, &format!("{path}?open={runs}")).await;
    assert_eq!(figures(&opened), 19, "{opened}");
    let all = page(&store, &format!("{path}?group=nothing")).await;
    assert_eq!(figures(&all), 30, "{all}");
    // The same URL is the same picture.
    assert_eq!(all, page(&store, &format!("{path}?group=nothing")).await);
}

async fn directions_and_hops_decide_what_is_drawn(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}");
    for (query, expected) in [
        ("direction=provenance", 4),
        ("direction=impact", 5),
        ("direction=both&hops=1", 4),
        ("hops=50", 8),
        ("highlight=nightly&unknown=1", 8),
    ] {
        let shown = page(&store, &format!("{path}?{query}")).await;
        assert_eq!(figures(&shown), expected, "{query}: {shown}");
    }
    let faded = page(&store, &format!("{path}?highlight=train&hops=1")).await;
    assert!(faded.matches(" faded\"").count() > 0, "{faded}");
}

async fn filters_highlight(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}?highlight=");
    for (asked, bright, words) in [
        // A fold stands out for one of its members.
        (
            "last_known_state = FAILED",
            1,
            "1 figure with 1 node that match",
        ),
        ("type = 'Model'", 1, "1 figure with 1 node that match"),
        // Only some have such a property.
        (
            "properties.day.int_value > 3",
            1,
            "1 figure with 9 nodes that match",
        ),
        ("name = 'nothing'", 0, "0 figures with 0 nodes that match"),
        // What is no filter is a part of a name.
        ("score", 2, "2 figures with this text"),
        ("date = 2024", 0, "0 figures with this text"),
    ] {
        let encoded = utf8_percent_encode(asked, NON_ALPHANUMERIC).to_string();
        let shown = page(&store, &format!("{path}{encoded}")).await;
        assert_eq!(bright_figures(&shown), bright, "{asked}: {shown}");
        assert!(shown.contains(words), "{asked}: {shown}");
    }
}

async fn what_is_not_drawn_is_a_link(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}?hops=1&direction=provenance");
    let near = page(&store, &path).await;
    assert_eq!(figures(&near), 2, "{near}");
    let more = links(&near).into_iter().find(|link| link.contains("open="));
    let more = more.unwrap_or_else(|| panic!("{near}"));
    let opened = page(&store, &more).await;
    assert_eq!(figures(&opened), 4, "{opened}");
    let closed = links(&opened).into_iter().find(|link| {
        link.starts_with(&format!("/lineage/artifacts/{model}?")) && !link.contains("open=")
    });
    assert!(closed.is_some(), "Fold again: {opened}");
}

async fn a_fold_of_many_opens_as_a_list(store: Store) {
    let type_id = store.put_type::<Artifact>("Model", &[]).await;
    let model = store.put_named::<Artifact>(type_id, &["model"]).await[0];
    let type_id = store.put_type::<Execution>("Score", &[]).await;
    let names: Vec<String> = (0..160).map(|run| format!("score {run}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let runs = store.put_named::<Execution>(type_id, &names).await;
    let input = pb::event::Type::Input;
    let events = runs.iter().map(|run| event(model, *run, input));
    store.ask(put_events(events.collect())).await;
    let path = format!("/lineage/artifacts/{model}");
    let folded = page(&store, &path).await;
    assert_eq!(figures(&folded), 2, "{folded}");
    let selected = format!("{path}?selected={}", fold_key(&folded, "160"));
    let selected = page(&store, &selected).await;
    assert!(selected.contains("List all 160"), "{selected}");
    let list = links(&selected)
        .into_iter()
        .find(|link| link.contains("open=") && link.contains("view=list"));
    let list = page(&store, &list.unwrap()).await;
    assert_eq!(list.matches("<tr><td class=\"d").count(), 161, "{list}");
}

async fn the_panel_is_a_part_of_its_own(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}");
    let runs = fold_key(&page(&store, &path).await, "12");
    let shown = page(&store, &format!("{path}?selected={runs}")).await;
    let part = page(&store, &format!("{path}/panel?selected={runs}")).await;
    assert!(part.starts_with("<aside"), "{part}");
    assert!(shown.contains(part.trim_end()), "{part} is not in {shown}");
    let nothing = format!("/lineage/artifacts/{}/panel", model + 1000);
    assert_eq!(visit(store.port(), &nothing).await.status, 404);
}

async fn a_path_is_the_shortest_way(store: Store) {
    let model = put_tour(&store).await;
    let raw = store.find::<Artifact>("name = 'events'").await[0];
    let report = store.find::<Artifact>("name = 'report'").await[0];
    let scores = store.find::<Artifact>("name = 'scores-1'").await[0];
    let run = store.find::<Execution>("name = 'score-nightly 1'").await[0];
    let base = format!("/lineage/artifacts/{model}?path=");
    for (path, expected, ends) in [
        (format!("a{raw}.a{report}"), "4 events", 3),
        // The other way round it is the same one.
        (format!("a{report}.a{raw}"), "4 events", 3),
        (format!("a{model}.e{run}"), "1 event", 2),
        (format!("a{model}.a{model}"), "0 events", 1),
        (format!("a{report}.a{scores}"), "No data went", 0),
    ] {
        let shown = page(&store, &format!("{base}{path}")).await;
        assert!(shown.contains(expected), "{path}: {shown}");
        assert_eq!(figures(&shown), ends, "{path}: {shown}");
    }
    // Two runs made the report from the model: two ways of the same length.
    let type_id = store.put_type::<Execution>("Review", &[]).await;
    let review = store.put_named::<Execution>(type_id, &["review"]).await[0];
    let ends = [
        event(model, review, pb::event::Type::Input),
        event(report, review, pb::event::Type::Output),
    ];
    store.ask(put_events(ends.into())).await;
    let path = format!("{base}a{raw}.a{report}");
    let first = page(&store, &path).await;
    assert!(first.contains("1 of 2 paths"), "{first}");
    let next = links(&first).into_iter().find(|link| link.ends_with(".2"));
    let second = page(&store, &next.unwrap()).await;
    assert!(second.contains("2 of 2 paths"), "{second}");
    assert_ne!(first.contains(">review<"), second.contains(">review<"));
    let missing = format!("{base}a{raw}.a999999");
    assert_eq!(visit(store.port(), &missing).await.status, 404);
}

async fn a_list_has_the_same_nodes(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}?view=list");
    let list = page(&store, &path).await;
    assert_eq!(list.matches("<tr><td class=\"d").count(), 8, "{list}");
    for part in [
        "×12",
        "1 failed",
        "2 hops",
        "provenance",
        "impact",
        "Level 3",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let all = page(&store, &format!("{path}&group=nothing&direction=impact")).await;
    assert_eq!(all.matches("<tr><td class=\"d").count(), 27, "{all}");
}

async fn files_have_what_was_found(store: Store) {
    let model = put_tour(&store).await;
    let path = format!("/lineage/artifacts/{model}");
    let shown = page(&store, &path).await;
    for ending in ["svg", "json", "dot", "csv"] {
        let file = format!("{path}.{ending}");
        assert!(links(&shown).contains(&file), "{file}: {shown}");
    }
    let drawing = get(store.port(), &format!("{path}.svg")).await;
    assert_eq!(drawing.header("content-type"), Some("image/svg+xml"));
    let policy = drawing.header("content-security-policy").unwrap();
    assert!(policy.contains("style-src 'sha256-"), "{policy}");
    assert_eq!(figures(&drawing.text()), 8);
    assert!(!drawing.text().contains("href="), "a file has no links");
    let json = get(store.port(), &format!("{path}.json")).await;
    let json: Json = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 30, "{json}");
    assert_eq!(json["edges"].as_array().unwrap().len(), 29, "{json}");
    assert_eq!(json["figures"].as_array().unwrap().len(), 8, "{json}");
    let graph = get(store.port(), &format!("{path}.dot")).await.text();
    assert!(graph.starts_with("digraph lineage {"), "{graph}");
    let table = get(store.port(), &format!("{path}.csv")).await.text();
    assert_eq!(table.lines().count(), 31, "{table}");
    assert_eq!(
        visit(store.port(), &format!("{path}.exe")).await.status,
        400
    );
}

async fn a_context_has_lineage(store: Store) {
    put_tour(&store).await;
    let context = store.find::<Context>("name = 'churn'").await[0];
    let shown = page(&store, &format!("/lineage/contexts/{context}")).await;
    assert!(shown.contains(">×12</text>"), "{shown}");
    let type_id = store.put_type::<Context>("Empty", &[]).await;
    let empty = store.put_named::<Context>(type_id, &["empty"]).await[0];
    let shown = page(&store, &format!("/lineage/contexts/{empty}")).await;
    assert_eq!(figures(&shown), 0);
}

async fn a_node_without_events_has_a_picture(store: Store) {
    let [artifacts, executions, _] = store.put_two_of_each().await;
    for path in [
        format!("/lineage/artifacts/{}", artifacts[0]),
        format!("/lineage/executions/{}", executions[0]),
    ] {
        let shown = page(&store, &path).await;
        assert_eq!(figures(&shown), 1, "{shown}");
        assert!(shown.contains("Nothing is linked to it"), "{shown}");
    }
}

async fn wrong_views_are_refused_by_their_fields(store: Store) {
    let model = put_tour(&store).await;
    for query in [
        "direction=up",
        "hops=0",
        "hops=99999999999999999999",
        "group=x",
        "open=x",
        "selected=c1",
        "view=map",
        "path=a1",
        "zoom=500",
        "at=yesterday",
        "path=a1.a2&at=2026-11-29",
        "against=1&at=2999-01-01",
    ] {
        let answer = visit(store.port(), &format!("/lineage/artifacts/{model}?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        let field = query.split('=').next().unwrap();
        assert!(
            answer.text().contains(&format!("{field}: ")),
            "{}",
            answer.text()
        );
    }
    let unknown = format!("/lineage/artifacts/{model}?open=e999999r.a5&selected=e99999");
    assert_eq!(visit(store.port(), &unknown).await.status, 200);
}
