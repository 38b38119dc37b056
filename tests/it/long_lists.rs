//! Lists without options that are longer than a server keeps in memory at once.

use std::time::Duration;

use h2::RecvStream;
use prost::Message;
use tokio::time::timeout;
use tonic::Status;

use crate::binary::Server;
use crate::python::sized;
use crate::serving::{Http2, framed, frames, more_of};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    slow_readers_of_long_lists_take_little_memory,
}

on_every_database! {
    a_long_list_is_whole_and_in_order,
    a_list_is_of_one_state_of_the_graph,
    a_list_that_nobody_reads_is_ended,
    a_list_that_is_given_up_gives_everything_back,
    a_list_that_is_too_large_is_refused,
}

// The one connection reads a list for a client and must not wait for it.
in_memory_too! {
    a_long_list_is_whole_and_in_order,
    a_list_is_of_one_state_of_the_graph,
    a_list_that_nobody_reads_is_ended,
    a_list_that_is_given_up_gives_everything_back,
}

const METHOD: &str = "/ml_metadata.MetadataStoreService/GetArtifacts";

/// More than the first part of a list has, and more than there is room for on the way to a client.
const MANY: usize = 1800;
const LARGE: usize = 4000;

/// Puts artifacts, whose properties have so many bytes.
async fn put_many(store: &Store, bytes: usize) -> Vec<i64> {
    let type_id = store.put_type::<Artifact>("A", &[]).await;
    let large = "x".repeat(bytes);
    let node = |number: usize| {
        let node = Artifact::new(type_id, &format!("a{number}"));
        let node = node.with_custom("number", int(number.try_into().unwrap()));
        node.with_custom("large", text(&*large))
    };
    store
        .ask(Artifact::put((0..MANY).map(node).collect()))
        .await
}

/// All nodes of a kind, by pages.
async fn by_pages<N: TestNode>(store: &Store) -> Vec<N> {
    let mut found = Vec::new();
    let mut options = pages_of(100);
    loop {
        let page = store.ask(N::list(Some(options))).await;
        found.extend(page.nodes);
        match page.token {
            Some(token) => options = pages_of(100).after(&token),
            None => return found,
        }
    }
}

async fn check_lists<N: TestNode>(store: &Store) {
    let types = [
        store.put_type::<N>("T", &[]).await,
        store.put_type::<N>("U", &[]).await,
    ];
    let node = |number: usize| {
        let node = N::new(types[number % 2], &format!("n{number}"));
        node.with_custom("number", int(number.try_into().unwrap()))
    };
    store.ask(N::put((0..MANY).map(node).collect())).await;
    let all = by_pages::<N>(store).await;
    assert_eq!(all.len(), MANY);
    let found = store.ask(N::list(None)).await;
    assert!(found.nodes == all && found.token.is_none());
    let of_type = store.ask(N::by_type("T", None)).await;
    assert!(of_type.nodes.iter().eq(all.iter().step_by(2)) && of_type.token.is_none());
}

async fn a_long_list_is_whole_and_in_order(backend: Backend) {
    // Kept in memory, and read twice.
    for memory in [64 << 20, 0] {
        let store = Store::open_with(backend, |config| config.serving.list_buffer = memory).await;
        for_every_kind!(check_lists(&store));
        let artifacts = by_pages::<Artifact>(&store).await;
        // Byte for byte what it would be in one piece.
        let whole = pb::GetArtifactsResponse {
            artifacts,
            ..Default::default()
        };
        assert!(
            store.send_bytes("GetArtifacts", Vec::new()).await.unwrap() == whole.encode_to_vec()
        );

        let web = [
            ("content-type", "application/grpc-web+proto"),
            ("x-grpc-web", "1"),
        ];
        let request = framed(&pb::GetArtifactsRequest::default());
        let client = Http2::to(store.port()).await;
        let answer = client.post(METHOD, &web, request).await;
        let frames = frames(&answer.body);
        assert_eq!(frames.len(), 2);
        assert!(frames[0] == (0x00, whole.encode_to_vec()));
        assert_eq!(frames[1], (0x80, b"grpc-status:0\r\n".to_vec()));

        let context = store
            .put(Context::new(store.put_type::<Context>("C", &[]).await, "c"))
            .await;
        let members: Vec<i64> = ids(&whole.artifacts).into_iter().step_by(2).collect();
        let pairs: Vec<_> = members.iter().map(|&id| (id, context)).collect();
        store.ask(put_members(&pairs, &[])).await;
        let in_context = pb::GetArtifactsByContextRequest {
            context_id: Some(context),
            ..Default::default()
        };
        assert_eq!(ids(&store.ask(in_context).await.artifacts), members);
    }
}

/// A list under way, and how to read it.
struct UnderWay {
    _client: Http2,
    body: RecvStream,
    read: Vec<u8>,
}

impl UnderWay {
    async fn begin(port: u16) -> Self {
        let client = Http2::to(port).await;
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let (_, body) = client
            .send(
                METHOD,
                &headers,
                framed(&pb::GetArtifactsRequest::default()),
            )
            .await;
        Self {
            _client: client,
            body,
            read: Vec::new(),
        }
    }

    /// Reads a little.
    async fn read_some(&mut self) {
        let data = more_of(&mut self.body).await;
        self.read.extend(data.unwrap());
    }

    /// Reads the rest.
    async fn read_all(mut self) -> Result<Vec<Artifact>, Status> {
        while let Some(data) = more_of(&mut self.body).await {
            self.read.extend(data);
        }
        let trailers = self.body.trailers().await.unwrap().unwrap();
        let status = Status::from_header_map(&trailers).unwrap();
        if status.code() != Code::Ok {
            return Err(status);
        }
        let (head, message) = self.read.split_first_chunk::<5>().unwrap();
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        assert_eq!((head[0], length.try_into()), (0, Ok(message.len())));
        Ok(pb::GetArtifactsResponse::decode(message).unwrap().artifacts)
    }
}

/// Reads and writes, which must find a connection.
async fn use_the_store(store: &Store) {
    let more = store.put_type::<Artifact>("A", &[]).await;
    let more = store.put(Artifact::default().with_type(more)).await;
    assert_eq!(ids(&store.ask(Artifact::by_ids(&[more])).await), [more]);
}

async fn a_list_is_of_one_state_of_the_graph(backend: Backend) {
    let store = Store::open_with(backend, |config| config.serving.list_buffer = 0).await;
    let put = put_many(&store, LARGE).await;
    let mut list = UnderWay::begin(store.port()).await;
    list.read_some().await;
    let changed: Artifact = store.get(put[MANY - 1]).await;
    store.put(changed.with_custom("large", text("less"))).await;
    use_the_store(&store).await;
    let found = list.read_all().await.unwrap();
    assert_eq!(ids(&found), put);
    assert_eq!(
        found[MANY - 1].custom_properties["large"],
        text("x".repeat(LARGE))
    );
}

async fn a_list_that_nobody_reads_is_ended(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        config.serving.list_buffer = 0;
        // Two for reading, of which lists get one. A server database has one for probes.
        let probe = !matches!(backend, Backend::SqliteFile | Backend::SqliteMemory);
        config.database.connections = if probe { 6 } else { 4 };
        config.serving.slow_reader_timeout = Duration::from_secs(2);
    });
    let store = store.await;
    let put = put_many(&store, LARGE).await;
    let unread = UnderWay::begin(store.port()).await;
    // This one has its turn when the server has had enough of the other, which a store in memory
    // keeps as it is.
    let other = UnderWay::begin(store.port()).await;
    use_the_store(&store).await;
    assert_eq!(ids(&other.read_all().await.unwrap())[..MANY], put);
    let read = unread.read_all().await;
    if backend == Backend::SqliteMemory {
        assert_eq!(ids(&read.unwrap()), put);
    } else {
        let status = read.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        let expected = "the client read nothing for 2 s";
        assert!(status.message().starts_with(expected), "{status:?}");
    }
}

async fn a_list_that_is_given_up_gives_everything_back(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        config.database.connections = 4;
        config.serving.list_buffer = 0;
        config.serving.slow_reader_timeout = Duration::from_secs(50);
    });
    let store = store.await;
    let put = put_many(&store, LARGE).await;
    for _ in 0..5 {
        let mut list = UnderWay::begin(store.port()).await;
        list.read_some().await;
    }
    let list = UnderWay::begin(store.port()).await.read_all();
    let found = timeout(Duration::from_secs(30), list).await.unwrap();
    assert_eq!(ids(&found.unwrap()), put);
    use_the_store(&store).await;
}

async fn a_list_that_is_too_large_is_refused(backend: Backend) {
    for memory in [64 << 20, 0] {
        let store = Store::open_with(backend, |config| {
            config.serving.list_buffer = memory;
            config.serving.max_response = 1 << 20;
        });
        let store = store.await;
        put_many(&store, LARGE).await;
        let artifacts = by_pages::<Artifact>(&store).await;
        let whole = pb::GetArtifactsResponse {
            artifacts,
            ..Default::default()
        };
        let expected = format!(
            "Error, encoded message length too large: found {} bytes, the limit is: 1048576 bytes",
            whole.encoded_len()
        );
        let refused = store.send(pb::GetArtifactsRequest::default()).await;
        let status = refused.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::OutOfRange, &*expected)
        );
    }
}

/// A million artifacts under `PEDIGREE_TEST_FULL=1`, and much less otherwise.
async fn slow_readers_of_long_lists_take_little_memory() {
    let (count, most) = sized((20_000, 150), (1_000_000, 300));
    let database = TestDatabase::new(Backend::SqliteFile);
    // None of the lists below fits in there.
    let server = Server::on(&database, &["--list-buffer-bytes", "1000000"]);
    let client = server.client().await;
    let type_id = Artifact::put_type("A", &[])
        .ask(client.clone())
        .await
        .unwrap();
    for first in (0..count).step_by(1000) {
        let node = |number: i64| {
            let node = Artifact::new(type_id, &format!("artifact {number}"));
            let node = node
                .with_custom("number", int(number))
                .with_custom("mean", double(0.5));
            node.with_custom("digest", text(format!("sha256:{number:064}")))
        };
        let nodes = (first..first + 1000).map(node).collect();
        Artifact::put(nodes).ask(client.clone()).await.unwrap();
    }
    let before = server.process.memory("VmHWM") >> 20;
    let mut lists = Vec::new();
    for _ in 0..4 {
        let mut list = UnderWay::begin(server.port).await;
        list.read_some().await;
        lists.push(list);
    }
    let found = lists.remove(0).read_all().await.unwrap();
    assert!(ids(&found).into_iter().eq(1..=count));
    let peak = server.process.memory("VmHWM") >> 20;
    assert!(peak <= most, "{before}, then {peak} MiB");
    server.stop();
}
