//! `TraceColumns`: from which columns others were made, as facets say it.

use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::trace_columns_request::{Direction, Start};
use pedigree::proto::pedigree::lineage::v1::{
    ColumnEdge, ColumnRef, ColumnTraceEnd, TraceColumnsRequest,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::scenarios::{recorded, send_in_disorder};
use super::{PATH, dataset, event, of_run, post, tell};
use crate::cli;
use crate::support::prelude::*;

on_every_database! {
    what_spark_said_in_any_order,
    what_a_client_said_of_columns_and_of_the_whole,
    explicit_lineage_without_a_run,
    the_newest_facet_of_columns_counts,
    a_version_leads_to_what_its_run_has_read,
    other_names_lead_on,
    limits_cut_the_lineage_of_columns,
    a_start_must_be_known,
    a_malformed_facet_of_columns_keeps_its_event,
    the_command_prints_columns,
}

async fn ask(
    store: &Store,
    request: TraceColumnsRequest,
) -> Result<(Vec<ColumnEdge>, ColumnTraceEnd), Status> {
    let mut client = LineageServiceClient::new(store.channel.clone());
    let mut responses = client.trace_columns(request).await?.into_inner();
    let mut edges = Vec::new();
    let mut end = None;
    while let Some(response) = responses.message().await? {
        assert!(end.is_none(), "something came after the end");
        edges.extend(response.edges);
        end = response.end;
    }
    let end = end.unwrap();
    assert_eq!(end.edges, i64::try_from(edges.len()).unwrap());
    Ok((edges, end))
}

fn from_dataset(uri: &str, column: &str) -> TraceColumnsRequest {
    TraceColumnsRequest {
        start: Some(Start::Dataset(uri.into())),
        column: column.into(),
        ..Default::default()
    }
}

fn name(column: Option<&ColumnRef>) -> String {
    let column = column.unwrap();
    format!("{}:{}", column.dataset, column.column)
}

/// Edges as lines: hop, output, input, transformation. Ascending.
fn lines(edges: &[ColumnEdge]) -> Vec<String> {
    let line = |edge: &ColumnEdge| {
        let (output, input) = (name(edge.output.as_ref()), name(edge.input.as_ref()));
        let made = format!("{} {}", edge.transformation, edge.subtype);
        format!("{} {output} {input} {made}", edge.hop)
            .trim_end()
            .to_owned()
    };
    let mut lines: Vec<String> = edges.iter().map(line).collect();
    lines.sort();
    lines
}

async fn found(store: &Store, request: TraceColumnsRequest) -> Vec<String> {
    lines(&ask(store, request).await.unwrap().0)
}

/// A facet: columns, each with the columns of a dataset in the lake from which it was made.
fn columns(of: &[(&str, &[(&str, &str)])]) -> Value {
    let input = |(name, field): &(&str, &str)| {
        let mut input = dataset("s3://lake", name);
        input["field"] = json!(field);
        input["transformations"] = json!([{"type": "DIRECT", "subtype": "IDENTITY"}]);
        input
    };
    let field = |(field, from): &(&str, &[(&str, &str)])| {
        let inputs: Vec<Value> = from.iter().map(input).collect();
        ((*field).to_owned(), json!({"inputFields": inputs}))
    };
    let fields: serde_json::Map<String, Value> = of.iter().map(field).collect();
    json!({"fields": fields})
}

/// The end of a run that reads one dataset in the lake and writes another one.
fn copy(run: &str, second: u32, input: &str, output: &str, facet: &Value) -> Value {
    let mut end = of_run("COMPLETE", run, second);
    end["inputs"] = json!([dataset("s3://lake", input)]);
    end["outputs"] = json!([dataset("s3://lake", output)]);
    end["outputs"][0]["facets"] = json!({"columnLineage": facet});
    end
}

async fn what_spark_said_in_any_order(store: Store) {
    let events = recorded("spark-features");
    let mut expected = None;
    for seed in 0..3 {
        let store = Store::open(store.backend()).await;
        send_in_disorder(&[store.port()], &events, seed).await;
        let name = from_dataset("file:///data/out/customers", "name");
        assert_eq!(
            found(&store, name).await,
            [
                "1 file:///data/out/customers:name file:///data/in/customers.csv:name DIRECT IDENTITY"
            ]
        );
        let impact = TraceColumnsRequest {
            direction: Direction::Impact.into(),
            ..from_dataset("file:///data/in/customers.csv", "")
        };
        let impact = found(&store, impact).await;
        assert!(impact.len() > 3, "{impact:?}");
        let expected = expected.get_or_insert_with(|| impact.clone());
        assert_eq!(impact, *expected, "seed {seed}");
    }
}

async fn what_a_client_said_of_columns_and_of_the_whole(store: Store) {
    send_in_disorder(&[store.port()], &recorded("client-full"), 1).await;
    let predictions = "postgres://db.example.com:5432/churn.public.predictions";
    let of_p = found(&store, from_dataset(predictions, "p")).await;
    let features = "s3://lake/features/v1";
    assert_eq!(
        of_p,
        [
            format!("1 {predictions}: {features}:customer_id INDIRECT FILTER"),
            format!("1 {predictions}:p {features}:spend.last30 DIRECT TRANSFORMATION"),
        ]
    );
    assert_eq!(found(&store, from_dataset(predictions, "")).await.len(), 3);
}

async fn explicit_lineage_without_a_run(store: Store) {
    send_in_disorder(&[store.port()], &recorded("client-explicit-lineage"), 2).await;
    let all = found(&store, from_dataset("s3://lake/copy/all", "")).await;
    let (a, b) = ("s3://lake/copy/a", "s3://lake/copy/b");
    let source = |of: &str| format!("postgres://db.example.com:5432/shop.public.{of}");
    let expected = [
        format!("1 s3://lake/copy/all: {a}:"),
        format!("1 s3://lake/copy/all: {b}:"),
        format!("2 {a}: {}:", source("a")),
        format!("2 {a}:id {}:id DIRECT IDENTITY", source("a")),
        format!("2 {b}: {}:", source("b")),
        format!("2 {b}:id {}:id DIRECT IDENTITY", source("b")),
    ];
    assert_eq!(all, expected);
}

async fn the_newest_facet_of_columns_counts(store: Store) {
    let told =
        |second: u32, field: &str| copy("r", second, "a", "b", &columns(&[("x", &[("a", field)])]));
    let mut deleted = told(40, "z");
    deleted["outputs"][0]["facets"]["columnLineage"]["_deleted"] = json!(true);
    for order in [[0, 1], [1, 0]] {
        let store = Store::open(store.backend()).await;
        let events = [told(20, "old"), told(30, "new")];
        for number in order {
            tell(&store, &events[number]).await;
        }
        let of_b = || from_dataset("s3a://lake/b/", "x");
        let expected = ["1 s3://lake/b:x s3://lake/a:new DIRECT IDENTITY"];
        assert_eq!(found(&store, of_b()).await, expected);
        // Another run says the same: one edge.
        let again = copy("r2", 35, "a", "b", &columns(&[("x", &[("a", "new")])]));
        tell(&store, &again).await;
        assert_eq!(found(&store, of_b()).await, expected);
        tell(&store, &deleted).await;
        assert_eq!(found(&store, of_b()).await, expected);
    }
}

/// The id of the artifact that a run wrote, and that of the run.
async fn written_by(store: &Store, run: &str) -> (i64, i64) {
    let runs = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    let external_id = format!("openlineage:run:{run}");
    let run = runs.iter().find(|it| it.external_id() == external_id);
    let run = run.unwrap().id();
    let events = pb::GetEventsByExecutionIDsRequest {
        execution_ids: vec![run],
        ..Default::default()
    };
    let events = store.ask(events).await.events;
    let is_output = |it: &&pb::Event| it.r#type() == pb::event::Type::Output;
    let written: Vec<i64> = events
        .iter()
        .filter(is_output)
        .map(pb::Event::artifact_id)
        .collect();
    assert_eq!(written.len(), 1);
    (written[0], run)
}

async fn a_version_leads_to_what_its_run_has_read(store: Store) {
    // Two versions of b, each made of another column of a; then c of the first, d of the second.
    for (first, field, run) in [(10, "old", "c"), (20, "new", "d")] {
        let made = columns(&[("x", &[("a", field)])]);
        tell(&store, &copy(&format!("b{first}"), first, "a", "b", &made)).await;
        let made = columns(&[("y", &[("b", "x")])]);
        tell(&store, &copy(run, first + 5, "b", "out", &made)).await;
    }
    let expected = |field: &str| {
        [
            "1 s3://lake/out:y s3://lake/b:x DIRECT IDENTITY".to_owned(),
            format!("2 s3://lake/b:x s3://lake/a:{field} DIRECT IDENTITY"),
        ]
    };
    for (run, field) in [("c", "old"), ("d", "new")] {
        let (version, execution) = written_by(&store, run).await;
        for start in [Start::ArtifactId(version), Start::ExecutionId(execution)] {
            let request = TraceColumnsRequest {
                start: Some(start),
                ..Default::default()
            };
            let (edges, _) = ask(&store, request).await.unwrap();
            assert_eq!(lines(&edges), expected(field));
            assert_eq!(edges[0].execution_id, execution);
        }
    }
    assert_eq!(
        found(&store, from_dataset("s3://lake/out", "y"))
            .await
            .len(),
        3
    );
    let (version, execution) = written_by(&store, "b10").await;
    for start in [Start::ArtifactId(version), Start::ExecutionId(execution)] {
        let request = TraceColumnsRequest {
            direction: Direction::Impact.into(),
            start: Some(start),
            column: "x".into(),
            ..Default::default()
        };
        let (edges, _) = ask(&store, request).await.unwrap();
        assert_eq!(lines(&edges), expected("old")[..1]);
        assert_eq!(edges[0].execution_id, written_by(&store, "c").await.1);
    }
}

async fn other_names_lead_on(store: Store) {
    tell(
        &store,
        &copy("r1", 10, "a", "b", &columns(&[("x", &[("a", "f")])])),
    )
    .await;
    let mut end = of_run("COMPLETE", "r2", 20);
    end["outputs"] = json!([dataset("s3://lake", "c")]);
    let mut input = dataset("hive://meta", "shop.b");
    input["field"] = json!("x");
    let facet = json!({"fields": {"y": {"inputFields": [input]}}});
    end["outputs"][0]["facets"] = json!({"columnLineage": facet});
    tell(&store, &end).await;
    assert_eq!(
        found(&store, from_dataset("s3://lake/c", "")).await.len(),
        1
    );
    let mut symlink = event("OTHER", 50);
    let fields = symlink.as_object_mut().unwrap();
    fields.retain(|field, _| !["run", "job", "eventType"].contains(&field.as_str()));
    symlink["dataset"] = dataset("hive://meta", "shop.b");
    let names = json!({"identifiers": [dataset("s3://lake", "b")]});
    symlink["dataset"]["facets"] = json!({"symlinks": names});
    tell(&store, &symlink).await;
    assert_eq!(
        found(&store, from_dataset("s3://lake/c", "y")).await,
        [
            "1 s3://lake/c:y hive://meta/shop.b:x",
            "2 s3://lake/b:x s3://lake/a:f DIRECT IDENTITY"
        ]
    );
}

async fn limits_cut_the_lineage_of_columns(store: Store) {
    for number in 0..5 {
        let (input, output) = (format!("d{number}"), format!("d{}", number + 1));
        let made = columns(&[("x", &[(&input, "x")])]);
        tell(
            &store,
            &copy(&format!("r{number}"), number + 1, &input, &output, &made),
        )
        .await;
    }
    for (max_hops, max_edges, edges, cut) in [
        (None, 0, 5, false),
        (Some(0), 0, 0, true),
        (Some(2), 0, 2, true),
        (Some(5), 0, 5, false),
        (None, 3, 3, true),
        (None, 5, 5, false),
    ] {
        let request = TraceColumnsRequest {
            max_hops,
            max_edges,
            ..from_dataset("s3://lake/d5", "x")
        };
        let (_, end) = ask(&store, request).await.unwrap();
        assert_eq!(
            end,
            ColumnTraceEnd { edges, cut },
            "{max_hops:?} {max_edges}"
        );
    }
}

async fn a_start_must_be_known(store: Store) {
    let refused =
        async |request: TraceColumnsRequest| ask(&store, request).await.unwrap_err().code();
    let known = from_dataset("s3://lake/b", "");
    assert_eq!(refused(known.clone()).await, Code::NotFound);
    tell(&store, &copy("r", 1, "a", "b", &columns(&[]))).await;
    assert!(ask(&store, known.clone()).await.unwrap().0.is_empty());
    for (start, code) in [
        (None, Code::InvalidArgument),
        (Some(Start::Dataset(String::new())), Code::InvalidArgument),
        (
            Some(Start::Dataset("s3://lake/none".into())),
            Code::NotFound,
        ),
        (Some(Start::ArtifactId(999)), Code::NotFound),
        (Some(Start::ExecutionId(999)), Code::NotFound),
    ] {
        let request = TraceColumnsRequest {
            start,
            ..Default::default()
        };
        assert_eq!(refused(request.clone()).await, code, "{request:?}");
    }
    for request in [
        TraceColumnsRequest {
            max_hops: Some(-1),
            ..known.clone()
        },
        TraceColumnsRequest {
            max_edges: -1,
            ..known.clone()
        },
        TraceColumnsRequest {
            direction: 7,
            ..known
        },
    ] {
        assert_eq!(refused(request).await, Code::InvalidArgument);
    }
}

async fn a_malformed_facet_of_columns_keeps_its_event(store: Store) {
    let good = json!({"namespace": "s3://lake", "name": "a", "field": "f"});
    for (number, (facet, edges)) in [
        (json!(7), 0),
        (json!({"fields": 7, "dataset": {}}), 0),
        (json!({"fields": {"x": 7, "y": {"inputFields": [7, {}, null, good]}}}), 1),
        (json!({"fields": {"x\u{0}": {"inputFields": [good]}}, "dataset": [good]}), 1),
        (json!({"fields": {"x": {"inputFields": [{"namespace": "", "name": "a"}]}}}), 0),
        (
            json!({"fields": {("x".repeat(10_000)): {"inputFields": [good], "transformationType": "M\u{0}",
                "transformationDescription": "é".repeat(10_000)}}}),
            1,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let output = format!("b{number}");
        tell(&store, &copy(&output, 10, "a", &output, &facet)).await;
        let uri = format!("s3://lake/{output}");
        assert_eq!(found(&store, from_dataset(&uri, "")).await.len(), edges, "{facet}");
    }
    let inputs: Vec<Value> = (0..10_010)
        .map(|number| {
            let mut input = good.clone();
            input["field"] = json!(format!("f{number}"));
            input
        })
        .collect();
    // A client sends an event again that takes longer than the server lets it wait.
    let wide = copy("wide", 20, "a", "wide", &json!({"dataset": inputs})).to_string();
    for _ in 0..20 {
        let answer = post(store.port(), PATH, wide.as_bytes()).await;
        if answer.status == 201 {
            break;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    assert_eq!(
        found(&store, from_dataset("s3://lake/wide", ""))
            .await
            .len(),
        10_000
    );
}

async fn the_command_prints_columns(store: Store) {
    tell(
        &store,
        &copy("r", 1, "a", "b", &columns(&[("x", &[("a", "f")])])),
    )
    .await;
    let print = async |more: &[&str]| {
        let words = ["trace", "--columns", "--dataset", "s3://lake/b"];
        let ended = cli::ask(store.port(), &[&words[..], more].concat(), "").await;
        (ended.status.success(), ended.stdout)
    };
    let (_, printed) = print(&["--column", "x"]).await;
    assert_eq!(
        printed,
        "1  s3://lake/b x ← s3://lake/a f  DIRECT  IDENTITY\n"
    );
    let (_, printed) = print(&["--max-hops", "0"]).await;
    assert_eq!(printed, "… and more, beyond the limit\n");
    let (_, printed) = print(&["--format", "json"]).await;
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!(first["edges"][0]["subtype"], "IDENTITY");
    assert!(!print(&["--direction", "both"]).await.0);
}
