//! Random requests, to every method of every service that stores or reads the graph.

use std::time::Duration;

use pedigree::proto;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{RecordRequest, TraceRequest, WatchRequest};
use prost_reflect::MethodDescriptor;
use tokio::time::timeout;
use tonic::Status;

use super::messages;
use crate::python::sized;
use crate::streams::{Recording, Watcher, code_of, from_the_beginning};
use crate::support::Random;
use crate::support::prelude::*;

on_every_database! {
    random_requests_are_answered_or_refused_for_what_they_are,
}

/// Far more than a request takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests between two looks at the whole graph.
const REQUESTS_PER_LOOK: usize = 1_000;

/// The codes of answers to a single client. Others, such as `Internal`, are faults of the server.
const CODES: [Code; 8] = [
    Code::Ok,
    Code::InvalidArgument,
    Code::NotFound,
    Code::AlreadyExists,
    Code::FailedPrecondition,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Aborted,
];

async fn random_requests_are_answered_or_refused_for_what_they_are(store: Store) {
    let mlmd = proto::pool().get_service_by_name("ml_metadata.MetadataStoreService");
    let methods: Vec<MethodDescriptor> = mlmd.unwrap().methods().collect();
    assert_eq!(methods.len(), 52);
    let mut random = Random::new(20_260_101);
    let mut recording = Recording::start(store.channel.clone()).await;
    let mut stored = 0;
    for number in 1..=sized(600, 300_000) {
        let before = random.clone();
        let code = match random.below(60) {
            0..52 => unary(&store, &mut random, &methods).await,
            52..57 => record(&mut recording, &mut random, number).await,
            57..59 => trace(&store, &mut random).await,
            _ => watch(&store, &mut random).await,
        };
        let code = code.unwrap_or_else(|status| status.code());
        assert!(
            CODES.contains(&code),
            "request {number}, {before:?}: {code:?}"
        );
        stored += usize::from(code == Code::Ok);
        if number % REQUESTS_PER_LOOK == 0 {
            look(&store).await;
        }
    }
    look(&store).await;
    assert!(stored > 100, "only {stored} requests were answered");
}

async fn unary(
    store: &Store,
    random: &mut Random,
    methods: &[MethodDescriptor],
) -> Result<Code, Status> {
    let method = &methods[random.below(methods.len())];
    let request = messages::encoded(random, method.input());
    let sent = store.send_bytes(method.name(), request);
    let answer = timeout(PATIENCE, sent).await.unwrap();
    if let Err(status) = &answer
        && !CODES.contains(&status.code())
    {
        panic!("{}: {status:?}", method.name());
    }
    answer.map(|_| Code::Ok)
}

async fn record(
    recording: &mut Recording,
    random: &mut Random,
    number: usize,
) -> Result<Code, Status> {
    let mut request: RecordRequest = messages::named(random, "pedigree.lineage.v1.RecordRequest");
    if !random.once_in(10) {
        request.id = number.to_string();
    }
    let said = timeout(PATIENCE, recording.say(vec![request])).await;
    let said = said.unwrap().remove(0);
    let code = code_of(&said);
    assert!(CODES.contains(&code), "{said:?}");
    Ok(code)
}

async fn trace(store: &Store, random: &mut Random) -> Result<Code, Status> {
    let request: TraceRequest = messages::named(random, "pedigree.lineage.v1.TraceRequest");
    let mut client = LineageServiceClient::new(store.channel.clone());
    let mut responses = client.trace(request).await?.into_inner();
    while timeout(PATIENCE, responses.message())
        .await
        .unwrap()?
        .is_some()
    {}
    Ok(Code::Ok)
}

/// The first response of a watch.
async fn watch(store: &Store, random: &mut Random) -> Result<Code, Status> {
    let mut request: WatchRequest = messages::named(random, "pedigree.lineage.v1.WatchRequest");
    request.heartbeat = 100;
    let mut watcher = Watcher::try_start(store.channel.clone(), request).await?;
    watcher.next().await.map(|_| Code::Ok)
}

/// Everything that is stored can be read, and the history of it.
async fn look(store: &Store) {
    async fn list<N: TestNode>(store: &Store) {
        store.ask(N::list(None)).await;
        store.ask(N::list(Some(pages_of(100)))).await;
    }
    for_every_kind!(list(store));
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    watcher.next().await.unwrap();
}
