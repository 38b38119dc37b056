//! `ReproductionService.Plan` over gRPC.

use pedigree::proto::pedigree::lineage::v1::artifact_ref::Identity;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::run_event::Type;
use pedigree::proto::pedigree::lineage::v1::{
    ArtifactRef, Content, RecordRequest, RunEvent, TypePolicy,
};
use pedigree::proto::pedigree::reproduction::v1::observation::{Finding, Subject};
use pedigree::proto::pedigree::reproduction::v1::reproduction_service_client::ReproductionServiceClient;
use pedigree::proto::pedigree::reproduction::v1::{Level, Observation, PlanRequest, PlanResponse};
use tonic::Status;

use crate::support::prelude::*;

on_every_database! {
    a_plan_follows_the_newest_run_or_the_one_that_is_asked_for,
    a_plan_of_a_thousand_steps_has_all_of_them,
    plans_that_cannot_be_made_are_refused,
}

fn artifact(number: usize) -> ArtifactRef {
    ArtifactRef {
        r#type: "Data".to_owned(),
        identity: Some(Identity::Content(Content {
            uri: format!("s3://bucket/{number}"),
            digest: format!("sha256:{number:064}"),
        })),
        ..ArtifactRef::default()
    }
}

/// Records a run with each name, which reads one artifact and writes another.
async fn record(store: &Store, runs: &[(String, usize, usize)]) {
    let runs = runs.iter().map(|(name, input, output)| RecordRequest {
        id: name.clone(),
        change: Some(Change::Run(RunEvent {
            event_type: Type::Complete.into(),
            type_policy: TypePolicy::Create.into(),
            r#type: "Step".to_owned(),
            name: name.clone(),
            inputs: vec![artifact(*input)],
            outputs: vec![artifact(*output)],
            ..RunEvent::default()
        })),
        ..RecordRequest::default()
    });
    let runs: Vec<_> = runs.collect();
    let count = runs.len();
    let mut client = LineageServiceClient::new(store.channel.clone());
    let mut responses = client
        .record(tokio_stream::iter(runs))
        .await
        .unwrap()
        .into_inner();
    for _ in 0..count {
        let response = responses.message().await.unwrap().unwrap();
        assert_eq!(response.refused, None);
    }
}

async fn plan(store: &Store, request: PlanRequest) -> Result<PlanResponse, Status> {
    let mut client = ReproductionServiceClient::new(store.channel.clone());
    Ok(client.plan(request).await?.into_inner())
}

fn executions(plan: &PlanResponse) -> Vec<i64> {
    plan.steps.iter().map(|step| step.execution_id).collect()
}

async fn a_plan_follows_the_newest_run_or_the_one_that_is_asked_for(store: Store) {
    let runs = [("a", 1, 2), ("b", 2, 3), ("c", 2, 3)];
    let runs = runs.map(|(name, input, output)| (name.to_owned(), input, output));
    for run in runs {
        record(&store, &[run]).await;
    }
    let request = PlanRequest {
        artifact_id: 3,
        observations: vec![Observation {
            subject: Some(Subject::ArtifactId(1)),
            finding: Finding::Changed.into(),
        }],
        ..PlanRequest::default()
    };
    let made = plan(&store, request.clone()).await.unwrap();
    assert_eq!(executions(&made), [1, 3]);
    assert_eq!(made.level(), Level::Traced);
    assert_eq!(made.gaps[0].id, "source-changed");
    assert!(made.artifacts[0].source && !made.artifacts[1].source);
    // A command, code, an environment of each of two steps are missing, and the source.
    assert_eq!(made.score, 5 * 100 / (2 * 10 + 3 + 3));
    let request = PlanRequest {
        execution_ids: vec![2],
        ..request
    };
    assert_eq!(executions(&plan(&store, request).await.unwrap()), [1, 2]);
}

async fn a_plan_of_a_thousand_steps_has_all_of_them(store: Store) {
    let runs = (0..1000).map(|number| (format!("run {number}"), number, number + 1));
    record(&store, &runs.collect::<Vec<_>>()).await;
    let uris = vec!["s3://bucket/1000".to_owned()];
    let mut client = store.client();
    let request = pb::GetArtifactsByUriRequest {
        uris,
        has_retired_uri: false,
    };
    let found = client
        .get_artifacts_by_uri(request)
        .await
        .unwrap()
        .into_inner();
    let request = PlanRequest {
        artifact_id: found.artifacts[0].id.unwrap(),
        ..PlanRequest::default()
    };
    let made = plan(&store, request).await.unwrap();
    let mut expected = executions(&made);
    expected.sort_unstable();
    assert_eq!(expected, (1..=1000).collect::<Vec<_>>());
    assert_eq!(made.artifacts.len(), 1001);
}

async fn plans_that_cannot_be_made_are_refused(store: Store) {
    let missing = PlanRequest {
        artifact_id: 7,
        ..PlanRequest::default()
    };
    let refused = plan(&store, missing).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    record(&store, &[("a".to_owned(), 1, 2)]).await;
    let subject = Some(Subject::ArtifactId(1));
    for (subject, finding, words) in [
        (subject.clone(), 0, "finding cannot be 0"),
        (subject, 9, "finding cannot be 9"),
        (None, 1, "an observation has no subject"),
    ] {
        let request = PlanRequest {
            artifact_id: 2,
            observations: vec![Observation { subject, finding }],
            ..PlanRequest::default()
        };
        let refused = plan(&store, request).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, words)
        );
    }
}
