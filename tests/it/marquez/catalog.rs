//! Namespaces, jobs, runs, datasets, versions, search.

use serde_json::{Value, json};

use super::{ask, encoded, get, members, send, texts};
use crate::openlineage::{dataset, event, of_run, tell};
use crate::support::prelude::*;

on_every_database! {
    an_empty_store_has_empty_lists,
    namespaces_are_those_of_jobs_and_datasets,
    jobs_have_their_latest_runs,
    jobs_of_a_state_are_those_whose_latest_run_has_it,
    names_may_have_slashes_and_colons,
    runs_have_versions_and_facets,
    datasets_have_fields_and_versions,
    lists_have_pages,
    jobs_and_datasets_are_found_by_parts_of_names,
    what_is_unknown_is_404,
    what_is_malformed_is_400,
}

async fn an_empty_store_has_empty_lists(store: Store) {
    let namespaces = get(&store, "/namespaces").await;
    assert_eq!(texts(&namespaces["namespaces"], "name"), ["default"]);
    assert_eq!(
        get(&store, "/jobs").await,
        json!({"jobs": [], "totalCount": 0})
    );
    let datasets = get(&store, "/namespaces/default/datasets").await;
    assert_eq!(datasets, json!({"datasets": [], "totalCount": 0}));
    let events = get(&store, "/events/lineage?limit=10").await;
    assert_eq!(events, json!({"totalCount": 0, "events": []}));
    assert_eq!(get(&store, "/tags").await, json!({"tags": []}));
    let found = get(&store, "/search?q=a").await;
    assert_eq!(found, json!({"totalCount": 0, "results": []}));
}

async fn namespaces_are_those_of_jobs_and_datasets(store: Store) {
    send(&store, "client-full").await;
    let namespaces = get(&store, "/namespaces").await;
    let names = texts(&namespaces["namespaces"], "name");
    for name in ["default", "postgres://db.example.com:5432", "s3://lake"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let first = &namespaces["namespaces"][1];
    let expected = [
        "createdAt",
        "description",
        "isHidden",
        "name",
        "ownerName",
        "updatedAt",
    ];
    assert_eq!(members(first), expected);
    let one = get(&store, &format!("/namespaces/{}", encoded("s3://lake"))).await;
    assert_eq!(one["name"], "s3://lake");
    assert_eq!(get(&store, "/namespaces/default").await["name"], "default");
}

/// The end of a run of `job`, which reads and writes datasets in the lake.
fn run(job: &str, run: &str, second: u32, input: &str, output: &str) -> Value {
    let mut end = of_run("COMPLETE", run, second);
    end["job"]["name"] = json!(job);
    end["inputs"] = json!([dataset("s3://lake", input)]);
    end["outputs"] = json!([dataset("s3://lake", output)]);
    end
}

async fn jobs_have_their_latest_runs(store: Store) {
    tell(&store, &run("j", "r1", 1, "a", "b")).await;
    let mut second = run("j", "r2", 2, "a", "c");
    second["job"]["facets"] = json!({
        "documentation": {"description": "makes c"},
        "jobType": {"processingType": "STREAMING", "integration": "FLINK"},
    });
    second["run"]["facets"] = json!({"parent": {
        "run": {"runId": "p1"}, "job": {"namespace": "team", "name": "pipeline"},
    }});
    tell(&store, &second).await;
    let job = get(&store, "/namespaces/team/jobs/j").await;
    let lake = |name: &str| json!([dataset("s3://lake", name)]);
    assert_eq!((&job["inputs"], &job["outputs"]), (&lake("a"), &lake("c")));
    assert_eq!(job["id"], json!({"namespace": "team", "name": "j"}));
    assert_eq!(job["type"], "STREAM");
    assert_eq!(job["description"], "makes c");
    assert_eq!(job["parentJobName"], "pipeline");
    assert_eq!(job["latestRun"]["id"], "r2");
    assert_eq!(job["latestRun"]["state"], "COMPLETED");
    assert_eq!(job["facets"]["documentation"]["description"], "makes c");
    for member in [
        "createdAt",
        "facets",
        "id",
        "inputs",
        "latestRun",
        "latestRuns",
        "location",
        "name",
        "namespace",
        "outputs",
        "parentJobName",
        "simpleName",
        "tags",
        "type",
        "updatedAt",
    ] {
        assert!(members(&job).contains(&member), "{member}");
    }
    let jobs = get(&store, "/namespaces/team/jobs").await;
    assert_eq!(jobs["totalCount"], 2);
    assert_eq!(texts(&jobs["jobs"], "name"), ["pipeline", "j"]);
    assert_eq!(jobs["jobs"][1], job);
}

async fn jobs_of_a_state_are_those_whose_latest_run_has_it(store: Store) {
    for (job, runs) in [("ok", ["FAIL", "COMPLETE"]), ("bad", ["COMPLETE", "FAIL"])] {
        for (number, end) in (0..).zip(runs) {
            let mut event = of_run(end, &format!("{job}{number}"), number);
            event["job"]["name"] = json!(job);
            tell(&store, &event).await;
        }
    }
    for (state, expected) in [
        ("COMPLETED", vec!["ok"]),
        ("FAILED", vec!["bad"]),
        ("RUNNING", vec![]),
    ] {
        let jobs = get(&store, &format!("/jobs?runState={state}")).await;
        assert_eq!(texts(&jobs["jobs"], "name"), expected, "{state}");
        assert_eq!(jobs["totalCount"], expected.len());
    }
}

async fn names_may_have_slashes_and_colons(store: Store) {
    let mut end = event("COMPLETE", 1);
    let (namespace, name) = ("https://ci.example.com:8443/x", "a/b:c d%2F[é]");
    end["job"] = dataset(namespace, name);
    end["outputs"] = json!([dataset("kafka://broker:9092", "topic:a/b#c")]);
    tell(&store, &end).await;
    let path = format!("/namespaces/{}/jobs/{}", encoded(namespace), encoded(name));
    assert_eq!(get(&store, &path).await["name"], name);
    let runs = get(&store, &format!("{path}/runs")).await;
    assert_eq!(texts(&runs["runs"], "id"), ["r1"]);
    let namespace = encoded("kafka://broker:9092");
    let path = format!(
        "/namespaces/{namespace}/datasets/{}",
        encoded("topic:a/b#c")
    );
    assert_eq!(get(&store, &path).await["name"], "topic:a/b#c");
    let all = get(&store, &format!("/namespaces/{namespace}/datasets")).await;
    assert_eq!(texts(&all["datasets"], "name"), ["topic:a/b#c"]);
}

async fn runs_have_versions_and_facets(store: Store) {
    let mut start = of_run("START", "r", 1);
    start["run"]["facets"] = json!({
        "executionParameters": {"parameters": [{"key": "lr", "value": 0.5}]},
        "nominalTime": {"nominalStartTime": "2025-11-27T00:00:00Z"},
        "odd key": {"n": 12_345_678_901_234_567_u64},
    });
    tell(&store, &start).await;
    let mut end = run("r", "r", 3, "a", "b");
    end["inputs"][0]["inputFacets"] = json!({"inputStatistics": {"rowCount": 7}});
    end["outputs"][0]["outputFacets"] = json!({"outputStatistics": {"rowCount": 9}});
    tell(&store, &end).await;
    let run = get(&store, "/jobs/runs/r").await;
    assert_eq!(run["state"], "COMPLETED");
    assert_eq!(run["startedAt"], "2025-11-27T03:00:01.000Z");
    assert_eq!(run["endedAt"], "2025-11-27T03:00:03.000Z");
    assert_eq!(run["nominalStartTime"], "2025-11-27T00:00:00.000Z");
    assert_eq!(run["durationMs"], 2000);
    assert_eq!(run["args"], json!({"lr": "0.5"}));
    assert_eq!(run["jobVersion"]["name"], "r");
    assert_eq!(
        run["facets"]["odd key"],
        json!({"n": 12_345_678_901_234_567_u64})
    );
    assert!(run["facets"]["input:s3://lake/a:inputStatistics"].is_null());
    let input = &run["inputDatasetVersions"][0];
    assert_eq!(input["datasetVersionId"]["name"], "a");
    assert_eq!(input["facets"]["inputStatistics"]["rowCount"], 7);
    let output = &run["outputDatasetVersions"][0];
    assert_eq!(output["datasetVersionId"]["namespace"], "s3://lake");
    assert_eq!(output["facets"]["outputStatistics"]["rowCount"], 9);
    let facets = get(&store, "/jobs/runs/r/facets?type=run").await;
    assert_eq!(facets, json!({"runId": "r", "facets": run["facets"]}));
    let facets = get(&store, "/jobs/runs/r/facets?type=job").await;
    assert_eq!(facets, json!({"runId": "r", "facets": {}}));
}

async fn datasets_have_fields_and_versions(store: Store) {
    let mut first = run("j", "r1", 1, "a", "b");
    first["outputs"][0]["facets"] = json!({
        "schema": {"fields": [
            {"name": "id", "type": "int", "description": "key"}, {"name": "x"},
        ]},
        "documentation": {"description": "rows"},
        "version": {"datasetVersion": "v1"},
    });
    tell(&store, &first).await;
    tell(&store, &run("j", "r2", 2, "a", "b")).await;
    let path = format!("/namespaces/{}/datasets/b", encoded("s3://lake"));
    let found = get(&store, &path).await;
    assert_eq!(found["id"], dataset("s3://lake", "b"));
    let fields = json!([
        {"name": "id", "type": "int", "tags": [], "description": "key"},
        {"name": "x", "type": null, "tags": [], "description": null},
    ]);
    assert_eq!(found["fields"], fields);
    assert_eq!(found["description"], "rows");
    assert_eq!(
        (&found["type"], &found["deleted"]),
        (&json!("DB_TABLE"), &json!(false))
    );
    // Another notation of the namespace names the same dataset.
    let other = format!("/namespaces/{}/datasets/b", encoded("s3a://lake"));
    assert_eq!(get(&store, &other).await, found);
    let versions = get(&store, &format!("{path}/versions")).await;
    assert_eq!(versions["totalCount"], 2);
    let versions = &versions["versions"];
    assert_eq!(versions[0]["createdByRun"]["id"], "r2");
    assert_eq!(versions[1]["createdByRun"]["id"], "r1");
    assert_eq!(versions[0]["version"], found["currentVersion"]);
    for version in [versions[1]["version"].as_str().unwrap(), "v1"] {
        let one = get(&store, &format!("{path}/versions/{version}")).await;
        assert_eq!(one, versions[1], "{version}");
    }
}

async fn lists_have_pages(store: Store) {
    for number in 0..5 {
        let name = format!("j{number}");
        tell(&store, &run(&name, &name, number, "a", &name)).await;
    }
    let lake = encoded("s3://lake");
    for (path, list, names) in [
        ("/jobs".to_owned(), "jobs", ["j3", "j2"]),
        ("/namespaces/team/jobs".to_owned(), "jobs", ["j3", "j2"]),
        (
            format!("/namespaces/{lake}/datasets"),
            "datasets",
            ["j3", "j2"],
        ),
    ] {
        let page = get(&store, &format!("{path}?limit=2&offset=1")).await;
        assert_eq!(texts(&page[list], "name"), names, "{path}");
        let beyond = get(&store, &format!("{path}?limit=2&offset=99")).await;
        assert_eq!(beyond[list], json!([]));
        assert_eq!(beyond["totalCount"], page["totalCount"]);
    }
    for second in 10..13 {
        tell(&store, &run("j0", &format!("r{second}"), second, "a", "b")).await;
    }
    let runs = get(&store, "/namespaces/team/jobs/j0/runs?limit=2&offset=1").await;
    assert_eq!(texts(&runs["runs"], "id"), ["r11", "r10"]);
    assert_eq!(runs["totalCount"], 4);
}

async fn jobs_and_datasets_are_found_by_parts_of_names(store: Store) {
    tell(&store, &run("Train_50%", "r", 1, "raw", "trained")).await;
    let found = async |query: &str| {
        let found = get(&store, &format!("/search?{query}")).await;
        let ids = texts(&found["results"], "nodeId");
        assert_eq!(found["totalCount"], ids.len());
        let mut ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let (job, data) = ("job:team:Train_50%", "dataset:s3://lake:trained");
    assert_eq!(found("q=TRAIN").await, [data, job]);
    assert_eq!(found("q=train&filter=JOB").await, [job]);
    assert_eq!(found("q=train&filter=DATASET").await, [data]);
    assert_eq!(found("q=train&limit=1").await.len(), 1);
    assert_eq!(found("q=%25").await, [job]);
    assert_eq!(found("q=n_5").await, [job]);
    assert!(found("q=a_n").await.is_empty());
}

async fn what_is_unknown_is_404(store: Store) {
    tell(&store, &run("j", "r", 1, "a", "b")).await;
    for path in [
        "/namespaces/none",
        "/namespaces/team/jobs/none",
        "/namespaces/none/jobs/j",
        "/namespaces/team/jobs/none/runs",
        "/jobs/runs/none",
        "/jobs/runs/none/facets",
        "/namespaces/s3%3A%2F%2Flake/datasets/none",
        "/namespaces/s3%3A%2F%2Flake/datasets/none/versions",
        "/namespaces/s3%3A%2F%2Flake/datasets/b/versions/none",
        "/lineage?nodeId=job:team:none",
        "/lineage?nodeId=dataset:s3://lake:b%23none",
        "/lineage?runId=none",
        "/column-lineage?nodeId=dataset:s3://lake:none",
    ] {
        let (status, answer) = ask(&store, path).await;
        assert_eq!(
            (status, &answer["code"]),
            (404, &json!(404)),
            "{path}: {answer}"
        );
        assert!(answer["message"].is_string());
    }
    let none = get(&store, "/namespaces/none/jobs").await;
    assert_eq!(none, json!({"jobs": [], "totalCount": 0}));
}

async fn what_is_malformed_is_400(store: Store) {
    for path in [
        "/jobs?limit=-1",
        "/jobs?limit=many",
        "/jobs?runState=ODD",
        "/namespaces?offset=-1",
        "/lineage",
        "/lineage?nodeId=odd",
        "/lineage?nodeId=job:a:b&at=2025-11-27T03:00:00Z",
        "/lineage?nodeId=job:a:b&depth=x",
        "/column-lineage?nodeId=job:a:b",
        "/search",
        "/namespaces/%FF/jobs",
    ] {
        let (status, answer) = ask(&store, path).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!(400)),
            "{path}: {answer}"
        );
    }
}
