//! A server of its own for every case, in this process, with a new database.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pedigree::blobs::BlobPlace;
use pedigree::config::Config;
use pedigree::graph::Clock;
use pedigree::proto::ml_metadata::metadata_store_service_client::MetadataStoreServiceClient;
use pedigree::server::{self, Listeners};
use pedigree::storage::connect::{Address, Connect};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{Ask, Backend, TestDatabase};

pub type Client = MetadataStoreServiceClient<Channel>;

/// A running server and a client of it. Clones share the server, which stops with the last of them.
#[derive(Clone, Debug)]
pub struct Store {
    pub channel: Channel,
    client: Client,
    server: Arc<Running>,
}

/// Stops the server and then removes its database.
#[derive(Debug)]
struct Running {
    port: u16,
    clock: Clock,
    _stop: DropGuard,
    database: TestDatabase,
}

/// Waits until a server says so of its health.
async fn wait_until(channel: Channel, status: ServingStatus) {
    let mut health = HealthClient::new(channel);
    let of_all = HealthCheckRequest::default();
    let mut changes = health.watch(of_all).await.unwrap().into_inner();
    while changes.next().await.unwrap().unwrap().status() != status {}
}

/// A server in this process, on a database that is there.
async fn serve(
    url: &str,
    clock: Clock,
    configure: impl FnOnce(&mut Config),
) -> (Channel, u16, DropGuard) {
    let mut config = Config::with_url(url).unwrap();
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.grace = Duration::ZERO;
    "off".clone_into(&mut config.log.level);
    configure(&mut config);
    let listener = TcpListener::bind(config.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let listeners = Listeners {
        main: listener,
        admin: None,
    };
    tokio::spawn(async move { Box::pin(server::run(&config, listeners, clock, stop)).await });
    let channel = Channel::from_shared(format!("http://{address}"));
    let channel = channel.unwrap().connect().await.unwrap();
    wait_until(channel.clone(), ServingStatus::Serving).await;
    (channel, address.port(), guard)
}

/// One of several servers, which stops when the last clone of this is dropped.
#[derive(Clone, Debug)]
pub struct Replica {
    pub channel: Channel,
    /// Where it listens.
    pub port: u16,
    client: Client,
    _stop: Arc<DropGuard>,
}

impl Replica {
    /// A server on the database of a URL.
    pub async fn at(url: &str, clock: Clock) -> Self {
        Self::of(serve(url, clock, |_| {}).await)
    }

    /// A server on the database of a URL, with another configuration than the usual one.
    pub async fn with(url: &str, configure: impl FnOnce(&mut Config)) -> Self {
        Self::of(serve(url, Clock::default(), configure).await)
    }

    /// A server on the database of a URL, which reads what takes long at the standby of another.
    pub async fn with_standby(url: &str, standby: &str) -> Self {
        let address: Address = standby.parse().unwrap();
        let standby = Connect::new(address.for_reads());
        Self::with(url, |config| config.standby = Some(standby)).await
    }

    fn of((channel, port, guard): (Channel, u16, DropGuard)) -> Self {
        Self {
            client: client_of(&channel),
            channel,
            port,
            _stop: Arc::new(guard),
        }
    }

    /// Waits until it cannot use its database.
    pub async fn is_not_serving(&self) {
        wait_until(self.channel.clone(), ServingStatus::NotServing).await;
    }

    /// Sends a request and returns whatever comes.
    pub async fn send<A: Ask>(&self, request: A) -> Result<A::Answer, Status> {
        request.ask(self.client.clone()).await
    }

    /// Sends a request that must succeed.
    pub async fn ask<A: Ask>(&self, request: A) -> A::Answer {
        self.send(request).await.unwrap()
    }
}

fn artifact_folder(database: &TestDatabase) -> PathBuf {
    database.dir().join("artifacts")
}

fn client_of(channel: &Channel) -> Client {
    Client::new(channel.clone())
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX)
}

impl Store {
    pub async fn open(backend: Backend) -> Self {
        Self::open_with(backend, |_| {}).await
    }

    /// With another configuration than the usual one.
    pub async fn open_with(backend: Backend, configure: impl FnOnce(&mut Config)) -> Self {
        Self::on(TestDatabase::new(backend), configure).await
    }

    /// On a database that is there.
    pub async fn on(database: TestDatabase, configure: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::stopped();
        let artifacts = BlobPlace::Directory(artifact_folder(&database));
        let configure = |config: &mut Config| {
            config.serving.artifact_store = artifacts;
            configure(config);
        };
        let (channel, port, guard) = serve(&database.url, clock.clone(), configure).await;
        Self {
            client: client_of(&channel),
            channel,
            server: Arc::new(Running {
                port,
                clock,
                _stop: guard,
                database,
            }),
        }
    }

    /// Moves the time of the server by a millisecond. It stands still otherwise.
    pub fn tick(&self) {
        self.server.clock.advance(1);
    }

    /// Moves the time of the server.
    pub fn wait(&self, time: Duration) {
        let milliseconds = i64::try_from(time.as_millis()).unwrap();
        self.server.clock.advance(milliseconds);
    }

    /// The time of the server, in milliseconds since epoch.
    pub fn now(&self) -> i64 {
        self.server.clock.now()
    }

    /// One more server on the same database, with the same clock.
    pub async fn replica(&self) -> Replica {
        Replica::at(self.url(), self.server.clock.clone()).await
    }

    /// Which kind of database it is on.
    pub fn backend(&self) -> Backend {
        self.server.database.backend
    }

    /// Where its database is.
    pub fn url(&self) -> &str {
        &self.server.database.url
    }

    /// Where the bytes of its files are.
    pub fn artifact_folder(&self) -> PathBuf {
        artifact_folder(&self.server.database)
    }

    /// Where its server listens.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// A client of the generated kind.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sends a request and returns whatever comes.
    pub async fn send<A: Ask>(&self, request: A) -> Result<A::Answer, Status> {
        request.ask(self.client.clone()).await
    }

    /// Sends a request that must succeed.
    #[track_caller]
    pub fn ask<A: Ask>(&self, request: A) -> impl Future<Output = A::Answer> + Send {
        let caller = std::panic::Location::caller();
        let sent = request.ask(self.client.clone());
        async move {
            match sent.await {
                Ok(answer) => answer,
                Err(status) => panic!("{caller}: {status:?}"),
            }
        }
    }

    /// Sends a request that must be refused with this code and a text that starts so, and must
    /// change nothing.
    #[track_caller]
    pub fn refuses<A: Ask>(
        &self,
        request: A,
        code: Code,
        lead: &str,
    ) -> impl Future<Output = Status> + Send {
        let caller = std::panic::Location::caller();
        let lead = lead.to_owned();
        async move {
            let before = self.dump().await;
            let Err(status) = self.send(request).await else {
                panic!("{caller}: not refused");
            };
            assert_eq!(status.code(), code, "{caller}: {status:?}");
            assert!(status.message().starts_with(&lead), "{caller}: {status:?}");
            assert_eq!(self.dump().await, before, "{caller}: something was written");
            status
        }
    }
}
