//! Home, search, lists, nodes and types.

use serde_json::json;

use super::{links, page, put_tour, visit};
use crate::mlflow;
use crate::support::prelude::*;

on_every_database! {
    an_empty_store_says_how_to_fill_it,
    home_shows_what_is_new_and_what_failed,
    search_finds_by_what_a_node_has,
    search_finds_by_the_names_of_pages,
    lists_filter_and_go_on,
    a_bad_filter_stays_in_the_form,
    a_node_shows_what_it_is_and_what_is_around_it,
    a_context_shows_its_members_and_relatives,
    types_are_counted,
    many_nodes_are_estimated,
    what_is_not_there_is_a_page_too,
    names_that_pages_do_not_know_mean_nothing,
}

async fn an_empty_store_says_how_to_fill_it(store: Store) {
    let home = page(&store, "/").await;
    assert!(home.contains("Nothing is recorded yet"), "{home}");
    for path in [
        "/artifacts",
        "/executions",
        "/contexts",
        "/types",
        "/search",
        "/about",
    ] {
        page(&store, path).await;
    }
}

async fn home_shows_what_is_new_and_what_failed(store: Store) {
    put_tour(&store).await;
    let home = page(&store, "/").await;
    for word in [
        "Latest executions",
        "score-nightly 12",
        "Latest artifacts",
        "BatchScore",
    ] {
        assert!(home.contains(word), "{word}: {home}");
    }
    assert!(!home.contains("≈"), "few nodes are counted: {home}");
}

async fn search_finds_by_what_a_node_has(store: Store) {
    let model = put_tour(&store).await;
    let at = format!("/artifacts/{model}");
    for text in [
        "churn-classifier-218",
        "CLASSIFIER",
        "s3%3A%2F%2Fmodels%2Fchurn%2F218",
        "sha256%3A9f86d081",
        "+churn-classifier-218+",
    ] {
        let answer = visit(store.port(), &format!("/search?q={text}")).await;
        match answer.status {
            303 => assert_eq!(answer.header("location"), Some(at.as_str()), "{text}"),
            200 => assert!(
                links(&answer.text()).contains(&at),
                "{text}: {}",
                answer.text()
            ),
            other => panic!("{text}: {other}"),
        }
    }
    let by_id = page(&store, &format!("/search?q=%23{model}")).await;
    assert!(links(&by_id).contains(&at), "{by_id}");
    let similar = page(&store, "/search?q=nightly").await;
    assert_eq!(similar.matches("score-nightly").count(), 12, "{similar}");
    let none = page(&store, "/search?q=100%25_nothing").await;
    assert!(none.contains("Nothing has this text"), "{none}");
    let long = format!("/search?q={}", "x".repeat(3000));
    assert_eq!(visit(store.port(), &long).await.status, 400);
}

/// Runs of `MLflow` have ids as names, and pages show their other names.
async fn search_finds_by_the_names_of_pages(store: Store) {
    let number = mlflow::experiment(&store, "e").await;
    let id = mlflow::run(&store, &number, "Quiet bear", 5).await;
    let hex = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
    let dataset = json!({"name": "pds", "digest": "1", "source_type": "s3", "source": "{}"});
    let tags = json!([{"key": "pedigree.digest", "value": format!("sha256:{hex}")}]);
    let body = json!({"run_id": id, "datasets": [{"dataset": dataset, "tags": tags}]});
    mlflow::tell(&store, "/runs/log-inputs", body).await;
    for (text, place) in [
        ("Quiet+bear", "/executions/"),
        ("quiet", "/executions/"),
        ("pds", "/artifacts/"),
        (hex, "/artifacts/"),
        (&hex.to_uppercase(), "/artifacts/"),
    ] {
        let answer = visit(store.port(), &format!("/search?q={text}")).await;
        let found = match answer.header("location") {
            Some(address) => address.to_owned(),
            None => answer.text(),
        };
        assert!(found.contains(place), "{text}: {} {found}", answer.status);
    }
}

/// The ids in the rows of a list.
fn listed(text: &str) -> Vec<i64> {
    let rows = text.split("<tr><td><a class=\"name\" href=\"/").skip(1);
    let ids = rows.filter_map(|row| row.split('"').next()?.split('/').nth(1)?.parse().ok());
    ids.collect()
}

async fn lists_filter_and_go_on(store: Store) {
    let type_id = store.put_type::<Artifact>("Data", &[]).await;
    let names: Vec<String> = (0..120).map(|number| format!("d{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids = store.put_named::<Artifact>(type_id, &names).await;
    let mut found = Vec::new();
    let mut next = Some("/artifacts?type=Data&order=oldest".to_owned());
    while let Some(path) = next {
        let list = page(&store, &path).await;
        assert!(list.contains("120 found"), "{list}");
        let nodes = listed(&list);
        assert!(!nodes.is_empty() && nodes.len() <= 50, "{list}");
        found.extend(nodes);
        let link = list.split("rel=\"next\" href=\"").nth(1);
        let link = link.and_then(|rest| rest.split('"').next());
        next = link.map(|link| link.replace("&#38;", "&").replace("&amp;", "&"));
        // What comes meanwhile comes at the end.
        if found.len() == 50 {
            store.put_named::<Artifact>(type_id, &["late"]).await;
            break;
        }
    }
    assert_eq!(found, ids[..50]);
    let newest = page(&store, "/artifacts?filter=name+%3D+%27d7%27").await;
    assert_eq!(listed(&newest), [ids[7]]);
    let newest = listed(&page(&store, "/artifacts").await);
    assert!(
        newest.windows(2).all(|pair| pair[0] > pair[1]),
        "{newest:?}"
    );
    let none = page(&store, "/artifacts?type=Missing").await;
    assert!(none.contains("Nothing found"), "{none}");
}

async fn a_bad_filter_stays_in_the_form(store: Store) {
    put_tour(&store).await;
    let path = "/artifacts?filter=type+%3D+%27Model%27+AND";
    let answer = visit(store.port(), path).await;
    assert_eq!(answer.status, 400);
    let text = answer.text();
    assert!(text.contains("role=\"alert\""), "{text}");
    assert!(
        text.contains("value=\"type = &#39;Model&#39; AND\""),
        "{text}"
    );
    for path in [
        "/artifacts?order=up",
        "/artifacts?after=x",
        "/artifacts?after=1e9",
    ] {
        assert_eq!(visit(store.port(), path).await.status, 400, "{path}");
    }
    let far = "/artifacts?after=-9223372036854775808";
    assert_eq!(visit(store.port(), far).await.status, 200);
}

async fn a_node_shows_what_it_is_and_what_is_around_it(store: Store) {
    let model = put_tour(&store).await;
    let shown = page(&store, &format!("/artifacts/{model}")).await;
    for part in [
        "churn-classifier-218",
        "s3://models/churn/218",
        "0.9134",
        "Live",
        "<svg xmlns",
        "×12",
        "In contexts",
        "score-nightly 3",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let run = links(&shown)
        .into_iter()
        .find(|link| link.starts_with("/executions/"));
    let run = page(&store, &run.unwrap()).await;
    assert!(run.contains(&format!("/artifacts/{model}")), "{run}");
}

async fn a_context_shows_its_members_and_relatives(store: Store) {
    let model = put_tour(&store).await;
    let contexts = store.find::<Context>("name = 'churn'").await;
    let type_id = store.put_type::<Context>("Team", &[]).await;
    let parent = store.put_named::<Context>(type_id, &["growth"]).await[0];
    store.ask(put_parents(&[(parent, contexts[0])])).await;
    let shown = page(&store, &format!("/contexts/{}", contexts[0])).await;
    for part in ["churn", "Parents", "growth", "score-nightly 12"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        links(&shown).contains(&format!("/artifacts/{model}")),
        "{shown}"
    );
    let shown = page(&store, &format!("/contexts/{parent}")).await;
    assert!(
        shown.contains("Children") && shown.contains("churn"),
        "{shown}"
    );
}

async fn types_are_counted(store: Store) {
    put_tour(&store).await;
    let types = page(&store, "/types").await;
    assert!(
        types.contains("BatchScore") && types.contains(">12</a>"),
        "{types}"
    );
    assert!(
        !types.contains("mlmd.Dataset"),
        "unused simple types are left out: {types}"
    );
    let shown = page(&store, "/types/artifact/Model").await;
    assert!(
        shown.contains("accuracy") && shown.contains("double"),
        "{shown}"
    );
    for path in ["/types/artifact/Missing", "/types/thing/Model"] {
        assert_eq!(visit(store.port(), path).await.status, 404, "{path}");
    }
}

async fn what_is_not_there_is_a_page_too(store: Store) {
    for (path, status) in [
        ("/artifacts/7", 404),
        ("/artifacts/x", 400),
        ("/artifacts/-1", 400),
        ("/artifacts/99999999999999999999", 400),
        ("/artifacts/%ff", 400),
        ("/lineage/artifacts/7", 404),
        ("/lineage/things/7", 404),
        ("/no/such/page", 404),
        ("/assets/app.css", 404),
        ("/assets/..%2Fapp.css", 404),
    ] {
        let answer = visit(store.port(), path).await;
        assert_eq!(answer.status, status, "{path}");
        let text = answer.text();
        assert!(text.starts_with("<!doctype html>"), "{path}: {text}");
        let id = answer.header("x-request-id").unwrap();
        assert!(text.contains(id), "{path}: {text}");
    }
}

async fn names_that_pages_do_not_know_mean_nothing(store: Store) {
    let model = put_tour(&store).await;
    let context = store.find::<Context>("name = 'churn'").await[0];
    for path in [
        "/".to_owned(),
        "/search?q=churn".to_owned(),
        "/artifacts".to_owned(),
        format!("/artifacts/{model}"),
        format!("/contexts/{context}"),
        "/types".to_owned(),
        "/types/artifact/Model".to_owned(),
        format!("/lineage/artifacts/{model}"),
        format!("/lineage/contexts/{context}?against={context}"),
        format!("/compare?artifacts={model}"),
        "/experiments".to_owned(),
        "/models".to_owned(),
        "/activity".to_owned(),
        "/about".to_owned(),
    ] {
        let known = page(&store, &path).await;
        let sign = if path.contains('?') { '&' } else { '?' };
        let with_more = page(&store, &format!("{path}{sign}utm_source=chat&x")).await;
        assert!(known == with_more, "{path}: {with_more}");
    }
    // Of two values the last counts.
    let twice = page(&store, "/artifacts?order=newest&order=oldest").await;
    assert!(
        twice == page(&store, "/artifacts?order=oldest").await,
        "{twice}"
    );
}

async fn many_nodes_are_estimated(store: Store) {
    let type_id = store.put_type::<Artifact>("Chunk", &[]).await;
    let chunks = |count| (0..count).map(|_| Artifact::default().with_type(type_id));
    store.ask(Artifact::put(chunks(9_999).collect())).await;
    let counted = page(&store, "/types").await;
    assert!(counted.contains(">9,999<"), "{counted}");
    store.ask(Artifact::put(chunks(3).collect())).await;
    for path in ["/", "/types"] {
        let estimated = page(&store, path).await;
        assert!(estimated.contains("≈ 10,002"), "{path}: {estimated}");
    }
    // The estimate is kept for a while.
    store.ask(Artifact::put(chunks(5).collect())).await;
    let kept = page(&store, "/").await;
    assert!(kept.contains("≈ 10,002"), "{kept}");
}
